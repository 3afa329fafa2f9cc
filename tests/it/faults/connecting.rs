//! Before there is a session: doors that are shut, crowded, silent or answered by somebody else.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use super::own_server::Server;
use super::proxy::{Fault, Harm, Passes, Proxy};
use super::trial::{CANARY, socket};
use super::wire::Way;
use crate::support::{Database, Output, Seedbed, project};

fn up(url: &str, arguments: &[&str]) -> Output {
    let directory = project(&[("migrations/V1__a.sql", "create table if not exists a (id int);")]);
    let mut all = vec!["up", "--url", url];
    all.extend(arguments);
    Seedbed::new(directory.path()).run(&all)
}

#[test]
fn a_silence_anywhere_before_the_session_is_given_up_and_tried_again() {
    let database = Database::create();
    // Behind the request to encrypt, behind the startup, and before the server is ready.
    let ready = {
        let proxy = Proxy::before(&socket(), None);
        let url = format!("postgres://postgres@127.0.0.1:{}/{}", proxy.port, database.name);
        assert_eq!(up(&url, &[]).status, "0");
        let mut answers = proxy.seen().into_iter().filter(|(way, _, _)| *way == Way::ToClient);
        answers.position(|(_, text, _)| text == "Z").unwrap() + 1
    };
    for (way, at) in [(Way::ToServer, 1), (Way::ToServer, 2), (Way::ToClient, 2), (Way::ToClient, ready)] {
        let fault = Fault { way, at, harm: Harm::Stall(Duration::from_secs(30)), passes: Passes::Nothing };
        let proxy = Proxy::before(&socket(), Some(fault));
        let url = format!("postgres://postgres@127.0.0.1:{}/{}", proxy.port, database.name);
        let started = Instant::now();
        let output = up(&url, &["--connect-timeout", "1s", "--wait", "20s"]);
        assert!(proxy.has_struck(), "{fault:?}");
        assert_eq!(output.status, "0", "{fault:?}: {}", output.text);
        assert!(output.text.contains("the server was silent for 1s (try 1"), "{fault:?}: {}", output.text);
        assert!(started.elapsed() < Duration::from_secs(5), "{fault:?}: {:?}", started.elapsed());
    }
}

#[test]
fn a_crowded_server_is_tried_slowly_and_for_a_while() {
    let server = Server::new(&["fsync=off", "max_connections=5", "superuser_reserved_connections=0"]);
    let mut crowd: Vec<_> = (0..5).map(|_| server.client()).collect();
    let output = up(&server.url(), &["--wait", "3s"]);
    assert_eq!(output.status, "3", "{}", output.text);
    assert!(output.text.contains("53300"), "{}", output.text);
    let tries = output.text.matches("waiting for").count();
    assert!((1..=4).contains(&tries), "{tries} tries in three seconds: {}", output.text);
    let leaver = thread::spawn(move || {
        sleep(Duration::from_secs(2));
        crowd.truncate(2);
        crowd
    });
    let output = up(&server.url(), &["--wait", "20s"]);
    assert_eq!(output.status, "0", "{}", output.text);
    drop(leaver.join().unwrap());
}

#[test]
fn what_cannot_pass_is_tried_once_and_said_in_full() {
    let server = Server::new(&["fsync=off"]);
    server.execute("create role guest login password 'other'; create role banned login");
    server.hba("local all guest scram-sha-256\nlocal all banned reject\nlocal all all trust\n");
    for (who, name, words) in [
        (format!("guest:{CANARY}"), "postgres", "password authentication failed for user \"guest\" (28P01)"),
        ("stranger".to_owned(), "postgres", "role \"stranger\" does not exist (28000)"),
        ("postgres".to_owned(), "nowhere", "database \"nowhere\" does not exist (3D000)"),
        ("banned".to_owned(), "postgres", "pg_hba.conf rejects connection"),
    ] {
        let before = server.log().matches("connection received").count();
        let output = up(&server.url_of(&who, name), &["--wait", "5s", "--verbose"]);
        assert_eq!(output.status, "3", "{}", output.text);
        assert!(output.text.contains(words), "no `{words}` in {}", output.text);
        assert!(output.text.contains("help: "), "{}", output.text);
        assert!(!output.text.contains("canary"), "{}", output.text);
        assert_eq!(server.log().matches("connection received").count() - before, 1, "{words}");
    }
}

/// A server that answers every session with an internal error of these words, and counts them.
fn proxy_saying(words: &'static str) -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (port, count) = (listener.local_addr().unwrap().port(), Arc::new(AtomicUsize::new(0)));
    let counted = count.clone();
    thread::spawn(move || {
        for client in listener.incoming() {
            let mut client = client.unwrap();
            let mut startup = [0; 4096];
            let _ = client.read(&mut startup);
            let fields = format!("SERROR\0CXX000\0M{words}\0\0");
            let mut message = b"E".to_vec();
            message.extend((fields.len() as u32 + 4).to_be_bytes());
            message.extend(fields.as_bytes());
            let _ = client.write_all(&message);
            counted.fetch_add(1, Ordering::SeqCst);
        }
    });
    (port, count)
}

#[test]
fn a_provider_s_proxy_is_understood_by_its_words() {
    for (words, passes) in [
        ("Couldn't connect to compute node", true),
        ("Control plane request failed", true),
        ("Too many connections attempts", true),
        ("Authentication timed out", true),
        ("password authentication failed for user 'u'", false),
        (
            "Endpoint ID is not specified. Either please upgrade the postgres client library (libpq) for SNI support",
            false,
        ),
        ("Control plane request failed: endpoint is disabled. Enable it using Neon API and retry.", false),
        ("This IP address 192.0.2.1 is not allowed to connect to this endpoint.", false),
    ] {
        let (port, count) = proxy_saying(words);
        let url = format!("postgres://u:{CANARY}@127.0.0.1:{port}/d?sslmode=disable");
        let output = up(&url, &["--wait", "1s"]);
        assert_eq!(output.status, "3", "{}", output.text);
        assert!(output.text.contains(words), "no `{words}` in {}", output.text);
        assert!(!output.text.contains("canary"), "{}", output.text);
        let tries = count.load(Ordering::SeqCst);
        assert_eq!(tries > 1, passes, "{tries} tries of {words}");
    }
}

#[test]
fn a_name_that_does_not_resolve_is_tried_until_the_wait_is_over() {
    let output = up("postgres://u@does-not-exist.invalid/d", &["--wait", "1s", "--connect-timeout", "1s"]);
    assert_eq!(output.status, "3", "{}", output.text);
    assert!(output.text.contains("does-not-exist.invalid"), "{}", output.text);
    assert!(output.text.contains("help: "), "{}", output.text);
}

#[test]
fn nothing_is_said_in_the_clear_to_a_server_that_does_not_encrypt() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let hearing = heard.clone();
    thread::spawn(move || {
        for client in listener.incoming() {
            let mut client = client.unwrap();
            let mut request = [0; 8];
            if client.read_exact(&mut request).is_ok() && client.write_all(b"N").is_ok() {
                let mut rest = Vec::new();
                let _ = client.read_to_end(&mut rest);
                hearing.lock().unwrap().extend(rest);
            }
        }
    });
    for mode in ["require", "verify-ca", "verify-full"] {
        let url = format!("postgres://u:{CANARY}@127.0.0.1:{port}/d?sslmode={mode}");
        let output = up(&url, &["--wait", "1s"]);
        assert_eq!(output.status, "3", "{}", output.text);
        assert!(!output.text.contains("canary"), "{}", output.text);
    }
    sleep(Duration::from_millis(200));
    assert_eq!(*heard.lock().unwrap(), b"");
}
