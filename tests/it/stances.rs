//! What is decided about tables that are more or less than tables, about every type, and about what might
//! go wrong in silence.

use seedbed::database::throwaway::Throwaway;

use crate::support::{Database, Output, Seedbed, project};

fn seed_as(database: &Database, user: &str, files: &[(&str, &str)], arguments: &[&str]) -> Output {
    let files: Vec<(String, &str)> =
        files.iter().map(|(name, text)| (format!("fixtures/{name}"), *text)).collect();
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (name.as_str(), *text)).collect();
    let directory = project(&files);
    let url = database.url().replace("postgres@", &format!("{user}@"));
    Seedbed::new(directory.path()).variable("DATABASE_URL", &url).run(arguments)
}

fn seed(database: &Database, files: &[(&str, &str)]) -> Output {
    seed_as(database, "postgres", files, &["seed"])
}

/// Seeds, which must be accepted with these words, and again, which must find everything.
fn settles(database: &Database, files: &[(&str, &str)], words: &str, rows: &str, expected: &[&str]) {
    let output = seed(database, files);
    assert_eq!(output.status, "0", "{}", output.text);
    assert!(output.text.contains(words), "`{words}` is not in {}", output.text);
    assert_eq!(database.rows(rows), expected);
    let again = seed(database, files);
    assert!(again.text.contains("unchanged"), "{}", again.text);
}

fn refused(database: &Database, files: &[(&str, &str)], words: &[&str]) {
    let output = seed(database, files);
    assert_ne!(output.status, "0", "{}", output.text);
    for word in words {
        assert!(output.text.contains(word), "`{word}` is not in {}", output.text);
    }
}

#[test]
fn a_second_run_is_silent_by_the_server_s_own_counters() {
    // A server of its own: what others write moves the log as well.
    let server = Throwaway::start(Some(&crate::support::programs()), Some(&crate::support::cache())).unwrap();
    let mut client = postgres::Config::new()
        .host_path(server.socket_directory())
        .user("postgres")
        .dbname("postgres")
        .connect(postgres::NoTls)
        .unwrap();
    let url = format!("host={} user=postgres dbname=postgres", server.socket_directory().display());
    let run = |files: &[(&str, &str)]| {
        let files: Vec<(String, &str)> =
            files.iter().map(|(name, text)| (format!("fixtures/{name}"), *text)).collect();
        let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (name.as_str(), *text)).collect();
        Seedbed::new(project(&files).path()).variable("DATABASE_URL", &url).run(&["seed"])
    };
    client.batch_execute(
        "create table groups (id serial primary key, name text not null unique);
         create table t (id int generated always as identity primary key, name text not null unique,
           group_id int references groups, size numeric(6,2), tags text[], settings jsonb);
         create table noted (what text);
         create function note() returns trigger language plpgsql as $$ begin insert into noted values (tg_op); return null; end $$;
         create trigger note after insert or update or delete on t for each row execute function note();",
    ).unwrap();
    let client = std::cell::RefCell::new(client);
    let rows = |sql: &str| -> Vec<String> {
        let messages = client.borrow_mut().simple_query(sql).unwrap();
        let row = |message: &postgres::SimpleQueryMessage| match message {
            postgres::SimpleQueryMessage::Row(row) => {
                Some((0..row.len()).map(|at| row.get(at).unwrap_or("null")).collect::<Vec<_>>().join("|"))
            }
            _ => None,
        };
        messages.iter().filter_map(row).collect()
    };
    let written = "mode: upsert\nrows:\n- {name: a, group: x, size: 1.5, tags: [p, q], settings: {z: 1, a: [1.0]}}\n- {name: b, group: null, size: null}\n";
    let exact = written.replace("mode: upsert", "mode: exact\nscope: all");
    let file = [
        ("t.yaml", "mode: upsert\nfrom: t.csv\n"),
        ("t.csv", "name,group.name,size,tags\na,x,1.50,\"{p,q}\"\nb,,,\n"),
    ];
    let groups = ("groups.yaml", "- {name: x}\n");
    let forms: [Vec<(&str, &str)>; 3] = [
        vec![groups, ("t.yaml", written)],
        vec![groups, ("t.yaml", &exact)],
        [vec![groups], file.to_vec()].concat(),
    ];
    for (at, files) in forms.iter().enumerate() {
        let first = run(files);
        assert_eq!(first.status, "0", "{}", first.text);
        let state = || {
            rows(
                "select sum(n_tup_ins), sum(n_tup_upd), sum(n_tup_del), sum(n_tup_hot_upd) from pg_stat_user_tables where relname <> 'seedbed_ledger';
                 select string_agg(sequencename || coalesce(last_value, 0), ',' order by 1) from pg_sequences;
                 select count(*) from noted; select max(xmin::text::int8) from t; select count(*) from seedbed_ledger",
            )
        };
        // Counters are told to the others some time after the work.
        rows("checkpoint");
        std::thread::sleep(std::time::Duration::from_millis(1200));
        let (before, lsn) = (state(), rows("select pg_current_wal_insert_lsn()"));
        for _ in 0..3 {
            let again = run(files);
            assert!(again.text.contains("unchanged"), "{}", again.text);
        }
        let moved = rows(&format!("select pg_current_wal_insert_lsn() - '{}'::pg_lsn", lsn[0]));
        std::thread::sleep(std::time::Duration::from_millis(1200));
        assert_eq!(state(), before, "form {at}");
        // A temporary table enters itself in the catalog; nothing else moves the log.
        let most = if at < 2 { 200 } else { 3 * 60_000 };
        assert!(moved[0].parse::<i64>().unwrap() <= most, "form {at}: {moved:?} bytes of WAL");
    }
}

#[test]
fn partitioned_tables_are_tables() {
    let database = Database::create();
    database.execute(
        "create table t (code text not null, region text not null, size int, unique (code, region)) partition by list (region);
         create table t_n partition of t for values in ('n'); create table t_s partition of t for values in ('s');",
    );
    let rows = "select tableoid::regclass, code, size from t order by 1, 2";
    let file =
        [("t.yaml", "mode: upsert\nfrom: t.csv\n"), ("t.csv", "code,region,size\na,n,1\nb,s,2\nc,s,3\n")];
    settles(&database, &file, "t", rows, &["t_n|a|1", "t_s|b|2", "t_s|c|3"]);
    let exact = "mode: exact\nscope: {region: s}\nmax_delete: 1\nrows:\n- {code: b, region: s, size: 5}\n";
    settles(&database, &[("t.yaml", exact)], "", rows, &["t_n|a|1", "t_s|b|5"]);
    let moved = "key: code\nmode: upsert\nrows:\n- {code: b, region: n}\n";
    settles(&database, &[("t.yaml", moved)], "", rows, &["t_n|a|1", "t_n|b|5"]);
}

#[test]
fn views_take_rows_and_give_none_up_unnamed() {
    let database = Database::create();
    database.execute(
        "create table base (id int generated always as identity primary key, name text not null unique, kind text not null default 'v', size int);
         create view t as select name, size from base where kind = 'v';
         create view joined as select name, size, 1 as one from base;
         create function put() returns trigger language plpgsql as $$ begin
           if tg_op = 'INSERT' then insert into base (name, size) values (new.name, new.size); return new;
           else update base set size = new.size where name = old.name; return new; end if; end $$;
         create trigger put instead of insert or update on joined for each row execute function put();
         create materialized view stored as select name from base;",
    );
    let rows = "select name, size from base order by 1";
    let fixture = "key: name\nmode: upsert\nrows:\n- {name: a, size: 1}\n- {name: b, size: 2}\n";
    settles(&database, &[("t.yaml", fixture)], "", rows, &["a|1", "b|2"]);
    settles(&database, &[("t.yaml", &fixture.replace("size: 2", "size: 3"))], "", rows, &["a|1", "b|3"]);
    // What lies behind a view is for the author to know.
    let gone = "key: name\nrows:\n- {name: a, _delete: true}\n- {name: b}\n";
    refused(&database, &[("t.yaml", gone)], &["also changes or deletes others: 1 of base", "cascade: allow"]);
    let gone = "key: name\ncascade: allow\nrows:\n- {name: a, _delete: true}\n- {name: b}\n";
    settles(&database, &[("t.yaml", gone)], "", rows, &["b|3"]);
    let fixture = "key: name\nmode: upsert\nrows:\n- {name: b, size: 7}\n- {name: c, size: 8}\n";
    settles(&database, &[("joined.yaml", fixture)], "", rows, &["b|7", "c|8"]);
    let file = [("t.yaml", "key: name\nmode: upsert\nfrom: t.csv\n"), ("t.csv", "name,size\nb,1\nd,4\n")];
    settles(&database, &file, "", rows, &["b|1", "c|8", "d|4"]);
    let exact = "key: name\nmode: exact\nscope: all\nrows:\n- {name: a}\n";
    refused(
        &database,
        &[("t.yaml", exact)],
        &["t.yaml:1:1", "`t` is a view, and `mode: exact` is for tables"],
    );
    refused(
        &database,
        &[("stored.yaml", "key: name\nrows:\n- {name: a}\n")],
        &["`stored` is a materialized view"],
    );
}

#[test]
fn foreign_tables_take_rows() {
    let database = Database::create();
    let socket = crate::support::server().socket_directory().display().to_string();
    database.execute(&format!(
        "create extension postgres_fdw; create table far (name text primary key, size int);
         create server here foreign data wrapper postgres_fdw options (host '{socket}', dbname '{}');
         create user mapping for postgres server here options (user 'postgres', password_required 'false');
         create foreign table t (name text not null, size int) server here options (table_name 'far');",
        database.name
    ));
    let rows = "select name, size from far order by 1";
    let fixture = "key: name\nmode: upsert\nrows:\n- {name: a, size: 1}\n- {name: b}\n";
    settles(&database, &[("t.yaml", fixture)], "", rows, &["a|1", "b|null"]);
    settles(&database, &[("t.yaml", &fixture.replace("size: 1", "size: 2"))], "", rows, &["a|2", "b|null"]);
    let exact = "key: name\nmode: exact\nscope: all\nrows:\n- {name: a}\n";
    refused(&database, &[("t.yaml", exact)], &["`t` is a foreign table"]);
}

#[test]
fn rows_that_security_may_hide_are_warned_of() {
    let database = Database::create();
    let role = format!("seeder_{}", database.name);
    database.execute(&format!(
        "create table t (name text primary key, tenant text not null default 'own');
         insert into t values ('hidden', 'other');
         alter table t enable row level security;
         create policy own on t using (tenant = 'own');
         create role {role} login; grant all on t to {role}; grant create on schema public to {role};"
    ));
    let fixture = [("t.yaml", "- {name: a}\n")];
    let output = seed_as(&database, &role, &fixture, &["seed"]);
    assert_eq!(output.status, "0", "{}", output.text);
    for words in
        ["t +1", "warning: row-level security may hide rows of `t` from this role", "t.yaml:1:3", "BYPASSRLS"]
    {
        assert!(output.text.contains(words), "`{words}` is not in {}", output.text);
    }
    let output = seed_as(&database, &role, &[("t.yaml", "- {name: hidden}\n")], &["seed"]);
    assert_eq!(output.status, "1", "{}", output.text);
    let output = seed_as(&database, &role, &[("t.csv", "name\na\nb\n")], &["seed"]);
    assert!(output.text.contains("row-level security") && output.text.contains("t +1"), "{}", output.text);
    let output = seed(&database, &fixture);
    assert!(!output.text.contains("row-level"), "{}", output.text);
    database.execute(&format!("drop owned by {role}; drop role {role}"));
}

#[test]
fn what_would_go_wrong_in_silence_is_told() {
    let database = Database::create();
    database.execute(
        "create table t (name text primary key, rank int unique, day date, at timestamptz, small varchar(3), amount numeric(4,1));
         insert into t (name, rank) values ('a', 1), ('b', 2)",
    );
    let swapped = "mode: upsert\nkey: name\nrows:\n- {name: a, rank: 2}\n- {name: b, rank: 1}\n";
    refused(&database, &[("t.yaml", swapped)], &["t.yaml:", "t_rank_key", "(23505)"]);
    assert_eq!(database.rows("select name, rank from t order by 1"), ["a|1", "b|2"]);
    for (cell, words) in [
        ("day: 01/02/2026", "`01/02/2026` may be several days"),
        ("day: 1-2-26", "may be several days"),
        ("at: '01.02.2026 10:00'", "may be several days"),
        ("small: abcd", "4 characters"),
        ("rank: 1_000", "`1_000` is a number that not every PostgreSQL reads"),
        ("rank: 0x1F", "`0x1F` is a number"),
        ("amount: .inf", "write `Infinity`"),
        ("amount: 1.25", "not exactly representable"),
        ("name: \"a\\0b\"", "NUL"),
    ] {
        let row = if cell.starts_with("name") {
            format!("- {{{cell}}}\n")
        } else {
            format!("- {{name: c, {cell}}}\n")
        };
        refused(&database, &[("t.yaml", &format!("key: name\nrows:\n{row}"))], &["t.yaml:3:", words]);
    }
    refused(
        &database,
        &[("t.yaml", "key: name\nfrom: t.csv\n"), ("t.csv", "name,day\nc,2026-01-02\nd,02/03/04\n")],
        &["t.csv:3:3", "may be several days"],
    );
    assert_eq!(database.rows("select count(*) from t"), ["2"]);
}

#[test]
fn values_that_may_mean_something_else_are_warned_of() {
    let database = Database::create();
    database
        .execute("create table t (name varchar(9) primary key, at timestamptz, settings jsonb, note text)");
    let fixture = "- {name: a, at: '2026-01-02 03:04', settings: '{\"a\": 1}', note: x}\n- name: |\n    b\n  at: 2026-01-02 03:04:05\n  settings: 'text'\n  note: |\n    kept\n- {name: c, at: 2026-01-02, settings: {a: 1}, note: null}\n- {name: d, at: 2026-01-02 03:04:05Z, settings: null, note: y}\n";
    let output = seed(&database, &[("t.yaml", fixture)]);
    assert_eq!(output.status, "0", "{}", output.text);
    for words in [
        "warning: `at` is a time without a zone, which is taken for UTC",
        "t.yaml:1:17",
        "and once more",
        "warning: `settings` holds JSON inside of a JSON string",
        "$json",
        "warning: `name` ends with an empty line",
        "`|-`",
        "t +4",
    ] {
        assert!(output.text.contains(words), "`{words}` is not in {}", output.text);
    }
    assert_eq!(output.text.matches("warning").count(), 3, "{}", output.text);
}

#[test]
fn every_type_takes_what_it_prints_and_settles() {
    let texts: &[(&str, &[&str])] = &[
        ("smallint", &["-32768"]),
        ("integer", &["0"]),
        ("bigint", &["9223372036854775807"]),
        ("oid", &["7"]),
        ("numeric", &["123456789012345678901234567890.0001", "NaN", "Infinity"]),
        ("numeric(3,-2)", &["12300"]),
        ("real", &["0.1"]),
        ("double precision", &["-0", "NaN"]),
        ("money", &["$1,234.50"]),
        ("boolean", &["t"]),
        ("text", &["x"]),
        ("varchar", &["x"]),
        ("char(4)", &["ab  "]),
        ("name", &["x y"]),
        ("\"char\"", &["x"]),
        ("citext", &["MiXed"]),
        ("bytea", &["\\xdeadbeef"]),
        ("bit(3)", &["101"]),
        ("bit varying(5)", &["10"]),
        ("uuid", &["00000000-0000-4000-8000-00000000000a"]),
        ("date", &["2026-12-31", "4713-01-01 BC", "infinity"]),
        ("time", &["23:59:59.999999", "24:00:00"]),
        ("timetz", &["10:11:12+05:30"]),
        ("timestamp", &["2026-01-02 03:04:05.000001"]),
        ("timestamp(0)", &["2026-01-02 03:04:05"]),
        ("timestamptz", &["2026-01-02 03:04:05+00"]),
        ("interval", &["1 year 2 mons -3 days +04:05:06.7"]),
        ("interval second(1)", &["00:00:01.5"]),
        ("json", &["{\"a\" :  1}"]),
        ("jsonb", &["{\"a\": 1.10}"]),
        ("xml", &["<a>b</a>"]),
        ("jsonpath", &["$.\"a\"[*]"]),
        ("tsvector", &["'a' 'b':1"]),
        ("tsquery", &["'a' & 'b'"]),
        ("inet", &["10.0.0.0/8"]),
        ("cidr", &["10.0.0.0/8"]),
        ("macaddr", &["08:00:2b:01:02:03"]),
        ("macaddr8", &["08:00:2b:01:02:03:04:05"]),
        ("point", &["(1,2.5)"]),
        ("line", &["{1,-1,0}"]),
        ("lseg", &["[(0,0),(1,1)]"]),
        ("box", &["(1,1),(0,0)"]),
        ("path", &["((0,0),(1,1))"]),
        ("polygon", &["((0,0),(1,1),(1,0))"]),
        ("circle", &["<(0,0),1>"]),
        ("int4range", &["[1,5)"]),
        ("numrange", &["(,1.5]"]),
        ("tstzrange", &["[\"2026-01-01 00:00:00+00\",)"]),
        ("int4multirange", &["{[1,3),[5,7)}"]),
        ("mood", &["so so"]),
        ("positive", &["5"]),
        ("pair", &["(1,\"a b\")"]),
        ("pair[]", &["{\"(1,a)\",\"(2,b)\"}"]),
        ("mood[]", &["{sad,\"so so\"}"]),
        ("positive[]", &["{1,2}"]),
        ("text[]", &["{a,NULL,\"null\",\"b,c\"}"]),
        ("int[][]", &["{{1,2},{3,4}}", "[0:1]={1,2}"]),
        ("numeric(4,1)[]", &["{1.5,2.0}"]),
        ("date[]", &["{2026-01-02}"]),
        ("hstore", &["\"a\"=>\"1\""]),
        ("ltree", &["a.b.c"]),
        ("pg_lsn", &["16/B374D848"]),
        ("regclass", &["t_0"]),
        ("regtype", &["integer"]),
    ];
    let database = Database::create();
    let mut schema = "create extension citext; create extension hstore; create extension ltree; create type mood as enum ('sad', 'so so'); create domain positive as int check (value > 0); create type pair as (n int, s text);".to_owned();
    let (mut files, mut wanted) = (Vec::new(), Vec::new());
    for (at, (name, texts)) in texts.iter().enumerate() {
        schema.push_str(&format!("create table t_{at} (k int primary key, v {name}); create table u_{at} (k int primary key, v {name});"));
        let (mut yaml, mut csv) = ("mode: upsert\nrows:\n".to_owned(), "k,v\n".to_owned());
        for (k, text) in texts.iter().enumerate() {
            let quoted = serde_json::Value::from(*text).to_string();
            let cell = if name.starts_with("json") && !name.ends_with("path") {
                format!("{{$json: {quoted}}}")
            } else {
                quoted
            };
            yaml.push_str(&format!("- {{k: {k}, v: {cell}}}\n"));
            csv.push_str(&format!("{k},\"{}\"\n", text.replace('"', "\"\"")));
            wanted.push(format!("{at} {k} {text}"));
        }
        yaml.push_str(&format!("- {{k: {}, v: null}}\n", texts.len()));
        csv.push_str(&format!("{},\n", texts.len()));
        files.push((format!("t_{at}.yaml"), yaml));
        files.push((format!("u_{at}.yaml"), format!("mode: upsert\nfrom: u_{at}.csv\n")));
        files.push((format!("u_{at}.csv"), csv));
    }
    database.execute(&schema);
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let output = seed(&database, &files);
    assert_eq!(output.status, "0", "{}", output.text);
    for table in ["t", "u"] {
        let selects = (0..texts.len()).map(|at| {
            format!("select {at} as a, k, format('%s', v) as v from {table}_{at} where v is not null")
        });
        let union = selects.collect::<Vec<_>>().join(" union all ");
        let found = database.rows(&format!(
            "set timezone to utc; select concat_ws(' ', a, k, v) from ({union}) q order by a, k"
        ));
        assert_eq!(found, wanted, "{table}");
    }
    let again = seed(&database, &files);
    assert!(again.text.contains("unchanged"), "{}", again.text);
}
