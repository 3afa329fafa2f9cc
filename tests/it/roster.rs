//! The story, on this repository's own project.

use std::path::Path;

use crate::support::{Database, Seedbed, elide};

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn up(database: &Database) -> String {
    let output = Seedbed::new(repository()).variable("CONNECTION_STRING", &database.url()).run(&["up"]);
    assert_eq!(output.status, "0", "{}", output.text);
    output.text
}

fn outcomes(text: &str) -> Vec<&str> {
    let steps = text.lines().filter(|line| line.starts_with("  ✓") && !line.starts_with("  ✓ V"));
    let words = ["created", "skipped", "held", "added", "present", "deleted", "not_found"];
    steps
        .map(|line| *words.iter().find(|word| line.split_whitespace().any(|it| it == **word)).unwrap())
        .collect()
}

#[test]
fn the_story_holds_once_and_again_and_writes_only_once() {
    let database = Database::create();
    let first = up(&database);
    assert_eq!(outcomes(&first), ["created", "held", "held", "added", "held", "deleted", "held", "held"]);
    let roster = "select e.id, e.name, d.name from employees e join departments d on d.id = e.department_id order by e.id";
    let rows = database.rows(roster);
    assert_eq!(
        rows,
        ["1|Alice|Human Resources", "3|Charlie|Information Technology", "4|David|Information Technology"]
    );
    let counters = "select sum(n_tup_ins), sum(n_tup_upd), sum(n_tup_del),
        (select string_agg(last_value::text, ',' order by sequencename) from pg_sequences) from pg_stat_user_tables";
    database.wait_for_counters();
    let before = database.rows(counters);
    let second = up(&database);
    assert_eq!(
        outcomes(&second),
        ["skipped", "held", "held", "present", "held", "not_found", "held", "held"]
    );
    assert_eq!(database.rows(roster), rows);
    database.wait_for_counters();
    assert_eq!(database.rows(counters), before);
}

#[test]
fn a_department_takes_its_people_with_it() {
    let database = Database::create();
    up(&database);
    database.execute("delete from departments where name = 'Human Resources'");
    assert_eq!(database.rows("select name from employees order by 1"), ["Charlie", "David"]);
}

#[test]
fn a_throwaway_server_is_cached_where_the_environment_says() {
    let home = tempfile::tempdir().unwrap();
    let at = |name: &str| home.path().join(name).to_str().unwrap().to_owned();
    let platform = if cfg!(target_os = "macos") { "Library/Caches/seedbed" } else { ".cache/seedbed" };
    let check = |variables: &[(&str, &str)], cache: Option<&str>| {
        let command = Seedbed::new(repository()).without("SEEDBED_CACHE_DIR").variable("HOME", &at(""));
        let command = variables.iter().fold(command, |it, (name, value)| it.variable(name, value));
        let output = command.run(&["up", "--throwaway"]);
        assert_eq!(output.status, "0", "{}", output.text);
        for place in ["named", "xdg/seedbed", platform] {
            let is_there = home.path().join(place).join("servers").exists();
            assert_eq!(is_there, cache == Some(place), "{place} with {variables:?}");
        }
        if let Some(cache) = cache {
            std::fs::remove_dir_all(at(cache)).unwrap();
        }
    };
    check(&[("SEEDBED_CACHE_DIR", &at("named")), ("XDG_CACHE_HOME", &at("xdg"))], Some("named"));
    check(&[("SEEDBED_CACHE_DIR", ""), ("XDG_CACHE_HOME", &at("xdg"))], None);
    check(&[("XDG_CACHE_HOME", &at("xdg"))], Some("xdg/seedbed"));
    check(&[("XDG_CACHE_HOME", "relative")], Some(platform));
}

#[test]
fn the_throwaway_server_runs_the_story_and_is_gone() {
    let output = Seedbed::new(repository()).run(&["up", "--throwaway"]);
    assert_eq!(output.status, "0", "{}", output.text);
    assert_eq!(outcomes(&output.text).len(), 8);
    let socket = output.text.split_whitespace().find(|word| word.contains("/seedbed-")).unwrap_or_default();
    assert!(!socket.is_empty(), "{}", output.text);
    let directory = socket.trim_start_matches("postgres@").rsplit_once('/').unwrap().0.trim_end_matches(':');
    assert!(!Path::new(directory).exists(), "{directory} is still there");
}

#[test]
fn a_throwaway_server_lives_in_memory_where_there_is_room_and_nobody_chose_otherwise() {
    let target = |seedbed: Seedbed| {
        let output = seedbed.run(&["up", "--throwaway", "--json"]);
        let document: serde_json::Value = serde_json::from_str(&output.text).unwrap();
        document["target"].as_str().unwrap().to_owned()
    };
    let roomy = nix::sys::statvfs::statvfs("/dev/shm").is_ok_and(|it| {
        // The width of these numbers differs between systems.
        it.blocks_available() as u128 * it.fragment_size() as u128 >= 4 << 30
    });
    let free = target(Seedbed::new(repository()).without("TMPDIR"));
    assert_eq!(free.contains("@/dev/shm/seedbed-"), roomy, "{free}");
    let chosen = target(Seedbed::new(repository()).variable("TMPDIR", "/tmp"));
    assert!(chosen.contains("@/tmp/seedbed-"), "{chosen}");
}

#[test]
fn the_example_of_every_kind_of_step_is_as_the_manual_shows_it_and_holds_again() {
    let database = Database::create();
    let up = || {
        let seedbed = Seedbed::new(&repository().join("examples/steps"));
        let output = seedbed.variable("CONNECTION_STRING", &database.url()).run(&["up"]);
        assert_eq!(output.status, "0", "{}", output.text);
        output.text
    };
    let manual = std::fs::read_to_string(repository().join("docs/scenarios.md")).unwrap();
    let title = "Every kind of step  scenarios/steps.yaml\n";
    let story = |text: &str, end: &str| {
        let from = text.find(title).unwrap();
        elide(text[from..].split(end).next().unwrap(), &[]).trim_end().to_owned()
    };
    assert_eq!(story(&up(), "\n\n"), story(&manual, "```"));
    let second = up();
    for line in
        ["unchanged  4.8 ms", "changed    employees ~1", "added      1 of 2 rows", "deleted    employees -1"]
    {
        let line = elide(line, &[]);
        assert!(elide(&second, &[]).contains(&line), "no `{line}` in {second}");
    }
}
