//! A password in every place where one can stand, in runs that go well and badly: nobody ever sees it.

use std::os::unix::fs::PermissionsExt;
use std::sync::LazyLock;

use super::own_server::Server;
use crate::support::{Output, Seedbed, project};

/// Its pieces say `canary` on either side of what tempts a parser.
const PASSWORD: &str = "canary-Zx81!-canary";

/// A server that asks two roles for their passwords, of which one has it right.
fn server() -> &'static Server {
    static SERVER: LazyLock<Server> = LazyLock::new(|| {
        let server = Server::new(&["fsync=off"]);
        server.execute(&format!(
            "create role good login superuser password '{PASSWORD}'; create role bad login password 'x'"
        ));
        server.hba("local all postgres trust\nlocal all all scram-sha-256\n");
        server
    });
    &SERVER
}

/// Where the password is told: a file, or a variable.
enum Place {
    Variable(&'static str, String),
    File(&'static str, String),
    Url(String),
}

fn places(who: &str) -> Vec<Vec<Place>> {
    use Place::{File, Url, Variable};
    let host = server().socket().parent().unwrap().to_string_lossy().into_owned();
    let at = host.replace('/', "%2F");
    let url = format!("postgres://{who}:{PASSWORD}@{at}/postgres");
    let open = format!("postgres://{who}@{at}/postgres");
    let words = format!("host={host} user={who} password={PASSWORD} dbname=postgres");
    vec![
        vec![Url(url.clone())],
        vec![Url(words.clone())],
        vec![Url(url.replace("postgres://", "postgresql+psycopg2://"))],
        vec![Url(format!("  {url}\n"))],
        vec![Url(format!("{open}?password={PASSWORD}"))],
        vec![Variable("CONNECTION_STRING", url.clone())],
        vec![Variable("DATABASE_URL", url.clone())],
        vec![File(".env", format!("CONNECTION_STRING={url}\n"))],
        vec![File(".env", format!("DATABASE_URL='{words}'\n"))],
        vec![File(".env", format!("PGPASSWORD={PASSWORD}\n")), Url(open.clone())],
        vec![Variable("PGPASSWORD", PASSWORD.to_owned()), Url(open.clone())],
        vec![File(".pgpass", format!("*:*:*:{who}:{PASSWORD}\n")), Url(open)],
    ]
}

fn run(places: &[Place], arguments: &[&str]) -> Output {
    let directory = project(&[
        ("migrations/V1__t.sql", "create table if not exists t (id int primary key);"),
        (
            "scenarios/a.yaml",
            "scenario: Secrets\nsteps:\n  - add: One\n    into: t\n    key: [id]\n    row: {id: 1}\n",
        ),
    ]);
    let mut all = vec!["up", "--wait", "100ms"];
    all.extend(arguments);
    let mut seedbed =
        Seedbed::new(directory.path()).variable("RUST_LOG", "trace").variable("RUST_BACKTRACE", "full");
    for place in places {
        match place {
            Place::Variable(name, value) => seedbed = seedbed.variable(name, value),
            Place::Url(url) => all.extend(["--url", url]),
            Place::File(name, text) => {
                let path = directory.path().join(name);
                std::fs::write(&path, text).unwrap();
                std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
            }
        }
    }
    let output = seedbed.run(&all);
    assert!(!output.text.contains("canary"), "{}", output.text);
    assert!(!output.text.contains("Zx81"), "{}", output.text);
    assert!(!output.text.contains("panicked"), "{}", output.text);
    output
}

#[test]
fn a_password_is_used_from_wherever_it_stands_and_never_shown() {
    for (who, status) in [("good", "0"), ("bad", "3")] {
        for (number, places) in places(who).iter().enumerate() {
            for arguments in [&[][..], &["--verbose"], &["--quiet"], &["--json"], &["--log", "json"]] {
                let output = run(places, arguments);
                assert_eq!(output.status, status, "{who}, place {number}: {}", output.text);
            }
        }
    }
}

#[test]
fn a_password_in_a_connection_string_that_is_wrong_is_not_shown_either() {
    for (number, url) in [
        "postgres://good:canary@Zx81@127.0.0.1:1/d",
        "postgres://good:canary/Zx81@127.0.0.1:1/d",
        "postgres://good:canary?Zx81@127.0.0.1:1/d",
        "postgres://good:canary#Zx81@127.0.0.1:1/d",
        "postgres://good:canary%Zx81@127.0.0.1:1/d",
        "postgres://good:canary Zx81@127.0.0.1:1/d",
        "postgres://good:canary-Zx81@127.0.0.1:port/d",
        "postgres://good:canary-Zx81@[::1/d",
        "postgres://good:canary-Zx81@127.0.0.1:1/d?sslmode=sometimes",
        "postgres://good:canary-Zx81@127.0.0.1:1/d?unheard_of=1",
        "POSTGRES://good:canary-Zx81@127.0.0.1:1/d",
        "mysql://good:canary-Zx81@127.0.0.1:1/d",
        "jdbc:postgresql://127.0.0.1:1/d?user=good&password=canary-Zx81&ssl=maybe",
        "host=127.0.0.1 port=1 user=good password='canary-Zx81",
        "host=127.0.0.1 port=1 user=good password=canary Zx81",
        "host=127.0.0.1 port=one user=good password=canary-Zx81",
        "\"postgres://good:canary-Zx81@127.0.0.1:1/d\"",
        "'postgres://good:canary-Zx81@127.0.0.1:1/d",
        "good:canary-Zx81@127.0.0.1:1/d",
        "canary-Zx81",
    ]
    .into_iter()
    .enumerate()
    {
        let places = [
            Place::Url(url.to_owned()),
            Place::Variable("DATABASE_URL", url.to_owned()),
            Place::File(".env", format!("DATABASE_URL={url}\n")),
            Place::File(".env", format!("DATABASE_URL=\"{url}\n")),
        ];
        for place in places {
            let arguments = [&[][..], &["--verbose"], &["--json"]][number % 3];
            let output = run(&[place], arguments);
            assert!(["2", "3"].contains(&output.status.as_str()), "{url}: {}", output.text);
        }
    }
}

/// The server knows the password too, and so may whoever wrote a migration or a function.
#[test]
fn a_password_that_the_server_says_is_not_passed_on() {
    let database = "secrets_said";
    server().execute(&format!("create database {database}"));
    let directory = project(&[
        (
            "migrations/V1__says.sql",
            &format!(
                "create table t (id int primary key, note text);
create function says() returns trigger language plpgsql as $$ begin
  raise notice 'notice: {PASSWORD}';
  raise exception 'exception: {PASSWORD}' using detail = 'postgres://good:{PASSWORD}@h', hint = '{PASSWORD}';
end $$;
create trigger says before insert on t for each row execute function says();"
            ),
        ),
        (
            "scenarios/a.yaml",
            "scenario: Secrets\nsteps:\n  - add: One\n    into: t\n    key: [id]\n    row: {id: 1}\n",
        ),
    ]);
    let host = server().socket().parent().unwrap().to_string_lossy().replace('/', "%2F");
    let url = format!("postgres://good:{PASSWORD}@{host}/{database}");
    for arguments in [&[][..], &["--verbose"], &["--quiet"], &["--json"], &["--log", "json"]] {
        let output = Seedbed::new(directory.path()).run(&[&["up", "--url", &url], arguments].concat());
        assert_eq!(output.status, "1", "{}", output.text);
        assert!(!output.text.contains("canary"), "{}", output.text);
        assert!(output.text.contains("exception: ***"), "{arguments:?}: {}", output.text);
        assert!(output.text.contains("postgres://good:***@h"), "{arguments:?}: {}", output.text);
    }
}
