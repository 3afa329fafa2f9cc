use std::time::Duration;

use super::*;

/// A connection string, and what it means: its name, its password after a blank, and whatever is
/// not as it is when nothing is said about it.
const STRINGS: &[(&str, &str)] = &[
    // URLs
    ("postgres://u:p@h:5433/db", "u@h:5433/db password=p"),
    ("postgresql://u:p@h/db", "u@h:5432/db password=p"),
    ("POSTGRES://u:p@h/db", "u@h:5432/db password=p"),
    (" \tpostgres://u:p@h/db?sslmode=require\r\n", "u@h:5432/db password=p ssl_mode=Require"),
    ("postgres://h", "me@h:5432/me"),
    ("postgres://u@h", "u@h:5432/u"),
    ("postgres://u:@h/db", "u@h:5432/db"),
    ("postgres://u:p@h?sslmode=disable", "u@h:5432/u password=p ssl_mode=Disable"),
    ("postgres://u:p@h/db?", "u@h:5432/db password=p"),
    ("postgres://u:p@ss@h/db", "u@h:5432/db password=p@ss"),
    ("postgres://u:p:a:s@h/db", "u@h:5432/db password=p:a:s"),
    ("postgres://u:p@h1,x@h/db", "u@h:5432/db password=p@h1,x"),
    ("postgres://u:100%@h/db", "u@h:5432/db password=100%"),
    ("postgres://u:%zz%2@h/db", "u@h:5432/db password=%zz%2"),
    ("postgres://u%40corp:p%2F%3F%23%25@h/d%20b", "u@corp@h:5432/d b password=p/?#%"),
    ("postgres://u:p+q@h/db", "u@h:5432/db password=p+q"),
    ("postgres://u:p$w'\"\\@h/db", "u@h:5432/db password=p$w'\"\\"),
    ("postgres://ü:pä%C3%A4@h/db", "ü@h:5432/db password=pää"),
    // several hosts, IPv6, sockets
    ("postgres://u@a:1,b,c:3/db", "u@a:1,b:5432,c:3/db"),
    ("postgres://u@a,b/db?port=7", "u@a:7,b:7/db"),
    ("postgres://u@[::1]:5433/db", "u@[::1]:5433/db"),
    ("postgres://u@[::1],[fe80::1%25eth0]:2/db", "u@[::1]:5432,[fe80::1%eth0]:2/db"),
    ("postgres://u@%2Frun%2Fpg/db", "u@/run/pg:5432/db"),
    ("postgres://u@%2Frun%2Fpg:5433/db", "u@/run/pg:5433/db"),
    ("postgres:///db?host=/run/pg", "me@/run/pg:5432/db"),
    ("postgres://u:p@/db?host=/run/pg&port=5433", "u@/run/pg:5433/db password=p"),
    ("postgres://u@/db?host=/cloudsql/a:b:c", "u@[/cloudsql/a:b:c]:5432/db"),
    ("postgresql+asyncpg://u@/db?host=/run/pg/.s.PGSQL.5433", "u@/run/pg:5433/db"),
    ("postgres://u@%2F.s.PGSQL.7/db?port=9", "u@/:7/db"),
    ("host=/run/pg/.s.PGSQL.x user=u", "u@/run/pg/.s.PGSQL.x:5432/u"),
    ("postgres://u@h/db?hostaddr=10.0.0.1", "u@h:5432/db address=10.0.0.1"),
    ("postgres:///db?hostaddr=10.0.0.1&user=u", "u@10.0.0.1:5432/db address=10.0.0.1"),
    // SQLAlchemy
    ("postgresql+psycopg2://u:p%40s@h/db", "u@h:5432/db password=p@s"),
    ("postgresql+asyncpg://u@h/db?ssl=require", "u@h:5432/db ssl_mode=Require"),
    (
        "postgresql+asyncpg://u@h/db?ssl=true&timeout=3&command_timeout=9",
        "u@h:5432/db ssl_mode=Require connect_timeout=Some(3s)",
    ),
    ("postgresql+psycopg://u@h/db?options=-c+a%3Db", "u@h:5432/db options=-c a=b"),
    ("postgresql+pg8000://u@h/db?prepared_statement_cache_size=0", "u@h:5432/db"),
    ("postgresql+psycopg2://u@/db?host=a:1&host=b:2", "u@a:1,b:2/db"),
    ("postgresql+psycopg2://u@/db?host=a&host=b&host=::1", "u@a:5432,b:5432,[::1]:5432/db"),
    // JDBC
    ("jdbc:postgresql://h:5433/db?user=u&password=p%26q", "u@h:5433/db password=p&q"),
    (
        "JDBC:PostgreSQL://h/db?user=u&currentSchema=app,public",
        "u@h:5432/db options=-csearch_path=app,public",
    ),
    ("jdbc:postgresql://a:1,b:2/db?user=u&targetServerType=primary", "u@a:1,b:2/db target=ReadWrite"),
    (
        "jdbc:postgresql://h/db?user=u@corp&ssl=true&ApplicationName=x",
        "u@corp@h:5432/db ssl_mode=VerifyFull application_name=x",
    ),
    (
        "jdbc:postgresql://h/db?user=u&loginTimeout=4&prepareThreshold=0",
        "u@h:5432/db connect_timeout=Some(4s)",
    ),
    // libpq's options and their units
    (
        "postgres://u@h/db?connect_timeout=2&tcp_user_timeout=1500",
        "u@h:5432/db connect_timeout=Some(2s) tcp_user_timeout=Some(1.5s)",
    ),
    (
        "postgres://u@h/db?connect_timeout=0&tcp_user_timeout=0",
        "u@h:5432/db connect_timeout=None tcp_user_timeout=None",
    ),
    ("postgres://u@h/db?keepalives=0", "u@h:5432/db keepalive=None"),
    (
        "postgres://u@h/db?keepalives=1&keepalives_idle=5&keepalives_interval=2&keepalives_count=9",
        "u@h:5432/db keepalive=Some(5s,2s,9)",
    ),
    ("postgres://u@h/db?sslmode=allow", "u@h:5432/db ssl_mode=Allow"),
    ("postgres://u@h/db?sslmode=prefer", "u@h:5432/db"),
    (
        "postgres://u@h/db?sslmode=verify-ca&sslrootcert=/a/b.pem",
        "u@h:5432/db ssl_mode=VerifyCa ssl_roots=File(\"/a/b.pem\")",
    ),
    ("postgres://u@h/db?sslmode=verify-full", "u@h:5432/db ssl_mode=VerifyFull"),
    ("postgres://u@h/db?sslrootcert=system", "u@h:5432/db ssl_mode=VerifyFull"),
    ("postgres://u@h/db?sslcert=c.pem&sslkey=k.pem", "u@h:5432/db identity=c.pem,k.pem"),
    (
        "postgres://u@h/db?sslmode=require&sslnegotiation=direct",
        "u@h:5432/db ssl_mode=Require negotiation=Direct",
    ),
    (
        "postgresql://u:p@ep-x-pooler.eu.neon.tech/db?sslmode=require&channel_binding=require",
        "u@ep-x-pooler.eu.neon.tech:5432/db password=p ssl_mode=Require channel_binding=Require",
    ),
    ("postgres://u@h/db?options=endpoint%3Dep-x", "u@h:5432/db options=endpoint=ep-x"),
    (
        "postgres://u@h/db?options=-c%20a%3Db&search_path=a%20b",
        "u@h:5432/db options=-c a=b -csearch_path=a\\ b",
    ),
    (
        "postgres://u@h/db?schema=app&pgbouncer=true&connection_limit=1",
        "u@h:5432/db options=-csearch_path=app",
    ),
    (
        "postgres://u@h/db?application_name=a%20b&fallback_application_name=c",
        "u@h:5432/db application_name=a b",
    ),
    ("postgres://u@h/db?fallback_application_name=c", "u@h:5432/db application_name=c"),
    ("postgres://u@h/db?target_session_attrs=any&load_balance_hosts=random", "u@h:5432/db balance=Random"),
    ("postgres://u@h/db?target_session_attrs=read-only", "u@h:5432/db target=ReadOnly"),
    ("postgres://u@h/db?target_session_attrs=primary", "u@h:5432/db target=ReadWrite"),
    ("postgres://u@h/db?client_encoding=utf-8&gssencmode=prefer&sslsni=1", "u@h:5432/db"),
    ("postgres://u@h/db?passfile=/a/b", "u@h:5432/db passfile=/a/b"),
    ("postgres://u@h/a?dbname=b&user=v&user=w", "w@h:5432/b"),
    // name=value
    ("host=h dbname=db user=u password=p", "u@h:5432/db password=p"),
    ("host = h  dbname= db\n user =u\tpassword=p", "u@h:5432/db password=p"),
    ("host=h user=u password='a b\\'c\\\\d='", "u@h:5432/u password=a b'c\\d="),
    ("host=h user=u password=a\\ b@/?#%41", "u@h:5432/u password=a b@/?#%41"),
    ("host=h user='' password=''", "me@h:5432/me"),
    ("host=a,b port=1,2 user=u", "u@a:1,b:2/u"),
    ("host=/run/pg port=5433 dbname=db user=u", "u@/run/pg:5433/db"),
    ("host=h hostaddr=::1 user=u", "u@h:5432/u address=::1"),
    ("user=u host=h keepalives_retries=4", "u@h:5432/u keepalive=Some(30s,10s,4)"),
];

#[test]
fn connection_strings_mean_what_their_authors_mean() {
    for (text, expected) in STRINGS {
        let observed = Dsn::parse(text, &user_is_me).map(|dsn| describe(&dsn));
        assert_eq!(observed.as_deref().map_err(DsnError::to_string), Ok(*expected), "{text}");
    }
}

/// A connection string that is refused, and the beginning of the reason.
const REFUSED: &[(&str, &str)] = &[
    ("", "the connection string is empty; write `postgres://"),
    ("  \n", "the connection string is empty"),
    ("\"postgres://u@h/db\"", "the connection string begins with a quote; remove the quotes around the URL"),
    ("'postgres://u@h/db'", "the connection string begins with a quote"),
    ("psql 'postgres://u@h/db'", "the connection string is a command for psql"),
    ("mysql://u@h/db", "the URL does not begin with a scheme of PostgreSQL"),
    ("DATABASE_URL=postgres://u@h/db", "the URL does not begin with a scheme of PostgreSQL"),
    ("postgres:/u@h/db", "the connection string is neither a URL nor a list of `name=value`"),
    ("u@h/db", "the connection string is neither"),
    ("localhost", "the connection string is neither"),
    ("postgres://", "no host is named; name one, like"),
    ("postgres://u:p@/db", "no host is named"),
    ("dbname=db", "no host is named"),
    ("postgres://a,,b/db", "a host is empty"),
    ("postgres://a,b/db?port=1,2,3", "`port` and `host` list a different number of hosts"),
    ("postgres://a,b/db?hostaddr=::1", "`hostaddr` and `host` list a different number of hosts"),
    ("postgres://h/db?hostaddr=other", "`hostaddr` is not an IP address"),
    ("postgres:///db?host=/run/pg,h", "`host` mixes sockets and TCP hosts"),
    ("postgres:///db?host=/run/pg&hostaddr=::1", "`host` mixes sockets and TCP hosts"),
    ("postgres://h:99999/db", "the port is not a number from 1 to 65535; in a URL's password, write"),
    ("postgres://h:0/db", "the port is not"),
    ("postgres://u:s3/cret@h/db", "the name of the database holds `@`"),
    ("postgres://u:s3/cret", "the port is not"),
    ("postgres://u:5/cret@h/db", "the name of the database holds `@`, `/` or `#`"),
    ("postgres://::1/db", "a host has more than one port; put an IPv6 address in brackets"),
    ("postgres://[::1]x/db", "after the `]` of a host"),
    ("postgres://h h/db", "`host` is no host name"),
    ("postgres://%FF@h/db", "a `%` escape of the URL is not UTF-8"),
    ("postgres://u:a%00b@h/db", "`password` holds a NUL character"),
    ("postgres://u@h/db?sslmod=require", "unknown option `sslmod`; did you mean `sslmode`?"),
    ("postgres://u@h/db?SSLMODE=require", "unknown option `SSLMODE`; did you mean `sslmode`?"),
    ("postgres://u@h/db?colour=red", "unknown option `colour`; remove it"),
    (
        "postgres://u@h/db?sslmode=verify",
        "the value of `sslmode` is not known; use one of `disable`, `allow`",
    ),
    ("postgres://u@h/db?ssl=yes", "the value of `ssl` is not known"),
    ("postgres://u@h/db?connect_timeout=2s", "`connect_timeout` is not a whole number; write digits"),
    ("postgres://u@h/db?loginTimeout=x", "`loginTimeout` is not a whole number"),
    (
        "postgres://u@h/db?target_session_attrs=prefer-standby",
        "the value of `target_session_attrs` is not known; use one of `any`, `read-write`",
    ),
    ("postgres://u@h/db?client_encoding=latin1", "`client_encoding` is not supported; remove it"),
    ("postgres://u@h/db?service=x", "`service` is not supported; write host, port, user"),
    ("postgres://u@h/db?sslcrl=x", "`sslcrl` is not supported"),
    ("postgres://u@h/db?gssencmode=require", "this value of `gssencmode` is not supported"),
    ("postgres://u@h/db?sslcert=x", "`sslcert` is given without `sslkey`"),
    (
        "postgres://u@h/db?sslrootcert=system&sslmode=require",
        "`sslrootcert=system` needs `sslmode=verify-full`",
    ),
    ("postgres://u@h/db?sslmode=disable&channel_binding=require", "`channel_binding=require` needs TLS"),
    ("postgres://u@h/db?sslnegotiation=direct", "`sslnegotiation=direct` needs TLS"),
    ("postgres://u@h/db?sslmode", "an option of the URL has no `=`"),
    ("host=h user", "a word of the connection string is not followed by `=`"),
    ("host=h my user=x", "a word of the connection string is not followed by `=`"),
    ("host=h user='u", "a value opens a quote that is not closed"),
    ("host=postgres://u@h/db", "`host` is no host name"),
    ("host=h user=u:p", "`user` holds a `:`; give the password in `password`"),
    ("host=h dbname=postgres://u@h/db", "`dbname` holds a connection string"),
];

#[test]
fn what_is_refused_is_refused_with_the_next_action() {
    for (text, expected) in REFUSED {
        let observed = match Dsn::parse(text, &user_is_me) {
            Ok(dsn) => format!("accepted: {}", describe(&dsn)),
            Err(error) => error.to_string(),
        };
        assert!(observed.starts_with(expected), "{text}: {observed}");
        assert!(!observed.ends_with('.') && !observed.contains('\n'), "{observed}");
    }
}

/// The password is everywhere where somebody may have put it.
const CANARIES: &[&str] = &[
    "s3cr3t-canary",
    "s3cr3t-canary=",
    "=s3cr3t-canary",
    "u:s3cr3t-canary@h/db",
    "u:s3cr3t-canary@h/db?sslmode=require",
    "//u:s3cr3t-canary@h/db",
    "postgres:u:s3cr3t-canary@h/db",
    "postgres:/u:s3cr3t-canary@h/db",
    "postgres//u:s3cr3t-canary@h/db",
    "\"postgres://u:s3cr3t-canary@h/db\"",
    "'postgres://u:s3cr3t-canary@h/db'",
    "`postgres://u:s3cr3t-canary@h/db`",
    "postgres://u:s3cr3t-canary@h/db\"",
    "psql 'postgres://u:s3cr3t-canary@h/db'",
    "DATABASE_URL=postgres://u:s3cr3t-canary@h/db",
    "mysql://u:s3cr3t-canary@h/db",
    "http://u:s3cr3t-canary@h/db?host=x",
    "s3cr3t-canary://u@h/db",
    "postgresql+psycopg2//u:s3cr3t-canary@h/db",
    "mysql+psycopg2://u:s3cr3t-canary@h/db",
    "jdbc:mysql://u:s3cr3t-canary@h/db",
    "jdbc:postgresql:u:s3cr3t-canary@h/db",
    "postgres://u:s3cr3t-canary",
    "postgres://u:s3cr3t-canary@",
    "postgres://u:s3cr3t-canary@/db",
    "postgres://u:s3cr3t-canary@:5432/db",
    "postgres://u:s3cr3t-canary@h:port/db",
    "postgres://u:s3cr3t-canary@h:99999/db",
    "postgres://u:s3cr3t-canary@h:1:2/db",
    "postgres://u:s3cr3t-canary@[::1/db",
    "postgres://u:s3cr3t-canary@h h/db",
    "postgres://u:s3cr3t-canary@h,,i/db",
    "postgres://u:s3cr3t-canary h/db",
    "postgres://u:s3cr3t-canary%00@h/db",
    "postgres://u:s3cr3t-canary%FF@h/db",
    "postgres://u:x/s3cr3t-canary@h/db",
    "postgres://u:5/s3cr3t-canary@h/db",
    "postgres://u:x?s3cr3t-canary@h/db",
    "postgres://u:5?s3cr3t-canary@h/db",
    "postgres://u:5?s3cr3t_canary=@h/db",
    "postgres://u:x#s3cr3t-canary@h/db",
    "postgres://u:5#s3cr3t-canary@h/db",
    "postgres://u:x@y/s3cr3t-canary@h/db",
    "postgres://u:x@y?s3cr3t-canary@h/db",
    "postgres://u:x@y?s3cr3t_canary=1@h/db",
    "postgres://u:x@y#s3cr3t-canary@h/db",
    "postgres://u:x@y:s3cr3t-canary@z:w/db",
    "postgres://u:s3cr3t-canary@h/db?sslmode=s3cr3t-canary",
    "postgres://u:s3cr3t-canary@h/db?sslmod=s3cr3t-canary",
    "postgres://u:s3cr3t-canary@h/db?passwd=s3cr3t-canary",
    "postgres://u:s3cr3t-canary@h/db?connect_timeout=s3cr3t-canary",
    "postgres://u:s3cr3t-canary@h/db?hostaddr=s3cr3t-canary",
    "postgres://u:s3cr3t-canary@h/db?port=s3cr3t-canary",
    "postgres://u:s3cr3t-canary@h/db?service=s3cr3t-canary",
    "postgres://u:s3cr3t-canary@h/db?client_encoding=s3cr3t-canary",
    "postgres://u:s3cr3t-canary@h/db?sslpassword=s3cr3t-canary",
    "postgres://u:s3cr3t-canary@h/db?s3cr3t-canary",
    "postgres://u@h/db?password=x&s3cr3t-canary",
    "postgres://u@h/db?password=x&s3cr3t_canary=y",
    "postgres://h/db?user=u:s3cr3t-canary@h=",
    "postgres://h/postgres://u:s3cr3t-canary@h/db",
    "postgres://h/db?host=u:s3cr3t-canary@h",
    "postgres://h/db?host=//u:s3cr3t-canary@h/db",
    "postgres://postgres://u:s3cr3t-canary@h/db",
    "host=h password=s3cr3t-canary colour=red",
    "host=h password=s3cr3t-canary' user=u dbname='x",
    "host=h password='s3cr3t-canary",
    "host=h password=x s3cr3t-canary",
    "host=h password=x s3cr3t_canary=y",
    "host=h user=u:s3cr3t-canary",
    "host=h user=u:s3cr3t-canary=",
    "host=h user=postgres:/u:s3cr3t-canary@h/db",
    "host= pasword=x s3cr3t_canary=y",
    "postgresql+psycopg2//u:s3cr3t-canary://h/db",
    "postgresql+psycopg2//u:s://s3cr3t-canary@h/db",
    "host=h user=postgres://u:s3cr3t-canary@h/db",
    "host=h dbname='host=h password=s3cr3t-canary'",
    "host=u:s3cr3t-canary@h dbname=db",
    "host=h port=s3cr3t-canary",
    "password=s3cr3t-canary",
    "host=h keepalives_idle=s3cr3t-canary",
];

#[test]
fn a_password_is_in_no_error_and_in_no_name() {
    for text in CANARIES {
        for text in [*text, &format!(" {text}"), &format!("{text}\n"), &text.to_uppercase()] {
            let shown = match Dsn::parse(text, &user_is_me) {
                Ok(dsn) => dsn.name(),
                Err(error) => format!("{error} {error:?}"),
            };
            assert!(!shown.to_lowercase().contains("canary"), "{text}: {shown}");
        }
    }
}

#[test]
fn variables_are_a_target_if_they_say_where() {
    let check = |variables: &[(&str, &str)], expected: Option<&str>| {
        let get = lookup(variables);
        let observed = match Dsn::from_environment(&get) {
            Ok(dsn) => dsn.map(|dsn| describe(&dsn)),
            Err(error) => Some(error.to_string()),
        };
        assert_eq!(observed.as_deref(), expected, "{variables:?}");
    };
    check(&[], None);
    check(&[("PGUSER", "u"), ("PGPASSWORD", "p"), ("PGPORT", "1")], None);
    check(&[("PGHOST", ""), ("PGUSER", "u")], None);
    check(&[("PGHOST", "h"), ("PGUSER", "u")], Some("u@h:5432/u"));
    check(&[("PGHOSTADDR", "::1"), ("PGUSER", "u")], Some("u@[::1]:5432/u address=::1"));
    check(
        &[
            ("PGHOST", "/run/pg"),
            ("PGPORT", "5433"),
            ("PGUSER", "u"),
            ("PGPASSWORD", "p@/%41"),
            ("PGDATABASE", "db"),
            ("PGSSLMODE", "verify-full"),
            ("PGSSLROOTCERT", "/a/b.pem"),
            ("PGCONNECT_TIMEOUT", "3"),
            ("PGAPPNAME", "x"),
            ("PGCHANNELBINDING", "disable"),
            ("PGOPTIONS", "-c a=b"),
            ("PGTARGETSESSIONATTRS", "read-write"),
            ("PGPASSFILE", "/c"),
        ],
        Some(
            "u@/run/pg:5433/db password=p@/%41 passfile=/c ssl_mode=VerifyFull \
             ssl_roots=File(\"/a/b.pem\") channel_binding=Disable target=ReadWrite \
             application_name=x options=-c a=b connect_timeout=Some(3s)",
        ),
    );
    check(
        &[("PGDATABASE", "db")],
        Some(
            "no host is named; name one, like `postgres://user@localhost/database` or \
             `host=/run/postgresql`",
        ),
    );
    check(
        &[("PGSERVICE", "x")],
        Some("`PGSERVICE` is not supported; set PGHOST, PGPORT, PGUSER and PGDATABASE, or use a URL"),
    );
    check(
        &[("PGHOST", "h"), ("PGUSER", "u"), ("PGCONNECT_TIMEOUT", "canary")],
        Some("`PGCONNECT_TIMEOUT` is not a whole number; write digits, without a unit"),
    );
}

#[test]
fn variables_fill_what_a_url_leaves_open_but_never_lead_elsewhere() {
    let get = lookup(&[
        ("PGHOST", "elsewhere"),
        ("PGHOSTADDR", "10.0.0.1"),
        ("PGUSER", "v"),
        ("PGPASSWORD", "q"),
        ("PGSSLMODE", "require"),
    ]);
    let check = |text: &str, expected: &str| {
        let observed = Dsn::parse(text, &get).map(|dsn| describe(&dsn));
        assert_eq!(observed.map_err(|error| error.to_string()).as_deref(), Ok(expected));
    };
    check("postgres://h/db", "v@h:5432/db password=q ssl_mode=Require");
    check("postgres://u:p@h/db?sslmode=disable", "u@h:5432/db password=p ssl_mode=Disable");
    assert!(Dsn::parse("postgres:///db", &get).is_err());
}

#[test]
fn the_crate_is_told_everything_by_setters() {
    let text = "postgres://u:p@a:1,b:2/db?hostaddr=::1,::2&sslmode=verify-full&options=-ca%3Db\
                &target_session_attrs=read-write&application_name=x&channel_binding=require";
    let config = Dsn::parse(text, &user_is_me).map(|dsn| dsn.config()).unwrap();
    assert_eq!(config.get_user(), Some("u"));
    assert_eq!(config.get_password(), Some(&b"p"[..]));
    assert_eq!(config.get_dbname(), Some("db"));
    assert_eq!(config.get_hosts().len(), 2);
    assert_eq!(config.get_hostaddrs().len(), 2);
    assert_eq!(config.get_ports(), [1, 2]);
    assert_eq!(config.get_options(), Some("-ca=b"));
    assert_eq!(config.get_application_name(), Some("x"));
    assert_eq!(config.get_channel_binding(), ChannelBinding::Require);
    assert_eq!(config.get_target_session_attrs(), TargetSessionAttrs::ReadWrite);
    assert_eq!(config.get_connect_timeout(), Some(&Duration::from_secs(15)));
    assert_eq!(config.get_tcp_user_timeout(), Some(&Duration::from_secs(30)));
    assert_eq!(config.get_keepalives_idle(), Duration::from_secs(30));
    assert_eq!(config.get_keepalives_interval(), Some(Duration::from_secs(10)));
    assert_eq!(config.get_keepalives_retries(), Some(3));
}

#[test]
fn encryption_is_asked_for_as_libpq_asks() {
    let check = |text: &str, expected: Encryption| {
        let dsn = Dsn::parse(text, &user_is_me).unwrap();
        assert_eq!(dsn.config().get_ssl_mode(), expected, "{text}");
    };
    check("host=h", Encryption::Prefer);
    check("host=h sslmode=disable", Encryption::Disable);
    check("host=h sslmode=allow", Encryption::Prefer);
    check("host=h sslmode=require", Encryption::Require);
    check("host=h sslmode=verify-ca", Encryption::Require);
    check("host=h sslmode=verify-full", Encryption::Require);
    check("host=h channel_binding=require", Encryption::Require);
    check("host=/run/pg", Encryption::Disable);
    check("host=/run/pg sslmode=verify-full", Encryption::Disable);
}

fn user_is_me(variable: &str) -> Option<String> {
    (variable == "PGUSER").then(|| "me".to_owned())
}

fn lookup(variables: &[(&str, &str)]) -> impl Fn(&str) -> Option<String> {
    let variables: Vec<(String, String)> =
        variables.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
    move |name| variables.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
}

/// A name, and what it stands for.
type Fact<'a> = (&'a str, &'a dyn Fn(&Dsn) -> String);

fn describe(dsn: &Dsn) -> String {
    let usual = Dsn::parse("host=h", &user_is_me).unwrap();
    let keepalive = |dsn: &Dsn| {
        let shown = |it: Keepalive| format!("Some({:?},{:?},{})", it.idle, it.interval, it.count);
        dsn.keepalive.map_or("None".to_owned(), shown)
    };
    let identity = |dsn: &Dsn| match &dsn.ssl_identity {
        Some(it) => format!("{},{}", it.certificate.display(), it.key.display()),
        None => String::new(),
    };
    let address = |dsn: &Dsn| match dsn.hosts[0].address {
        Some(address) => address.to_string(),
        None => String::new(),
    };
    let path = |dsn: &Dsn| dsn.passfile.clone().unwrap_or_default().display().to_string();
    let facts: &[Fact] = &[
        ("address", &address),
        ("password", &|dsn| dsn.password.as_ref().map_or("", Secret::reveal).to_owned()),
        ("passfile", &path),
        ("ssl_mode", &|dsn| format!("{:?}", dsn.ssl_mode)),
        ("ssl_roots", &|dsn| format!("{:?}", dsn.ssl_roots)),
        ("identity", &identity),
        ("negotiation", &|dsn| format!("{:?}", dsn.ssl_negotiation)),
        ("channel_binding", &|dsn| format!("{:?}", dsn.channel_binding)),
        ("target", &|dsn| format!("{:?}", dsn.target_session_attributes)),
        ("balance", &|dsn| format!("{:?}", dsn.load_balance_hosts)),
        ("application_name", &|dsn| dsn.application_name.clone()),
        ("options", &|dsn| dsn.options.clone().unwrap_or_default()),
        ("connect_timeout", &|dsn| format!("{:?}", dsn.connect_timeout)),
        ("tcp_user_timeout", &|dsn| format!("{:?}", dsn.tcp_user_timeout)),
        ("keepalive", &keepalive),
    ];
    let mut described = dsn.name();
    for (name, fact) in facts {
        if fact(dsn) != fact(&usual) {
            described += &format!(" {name}={}", fact(dsn));
        }
    }
    described
}
