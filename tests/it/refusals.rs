//! Servers that want, or lack, what the connection string does not say.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::support::{Seedbed, project};

/// A server that answers every first message alike and hangs up: its port, and how often it was asked.
fn server(answer: &'static [u8]) -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            count.fetch_add(1, Ordering::SeqCst);
            let _ = stream.read(&mut [0; 1024]);
            let _ = stream.write_all(answer);
            let _ = stream.read(&mut [0; 1024]); // Until the other side has read it.
        }
    });
    (port, asked)
}

/// What is told of a server that answers so. It was tried once.
fn check(answer: &'static [u8], options: &str, expected: &str) {
    let (port, asked) = server(answer);
    let directory = project(&[("migrations/V1__t.sql", "select 1;\n")]);
    let url = format!("postgres://u@127.0.0.1:{port}/d?{options}");
    let output = Seedbed::new(directory.path()).run(&["status", "--url", &url]);
    assert_eq!(output.text.replace(&port.to_string(), "PORT"), expected, "{options}");
    assert_eq!((output.status.as_str(), asked.load(Ordering::SeqCst)), ("3", 1), "{options}");
}

const CLEARTEXT: &[u8] = b"R\0\0\0\x08\0\0\0\x03";
const MD5: &[u8] = b"R\0\0\0\x0c\0\0\0\x05salt";
const SCRAM: &[u8] = b"R\0\0\0\x17\0\0\0\x0aSCRAM-SHA-256\0\0";
const NO_TLS: &[u8] = b"N";

#[test]
fn a_password_that_nobody_gave_is_asked_for_once_in_every_way_there_is() {
    for answer in [CLEARTEXT, MD5, SCRAM] {
        check(
            answer,
            "sslmode=disable",
            "
error: cannot connect to u@127.0.0.1:PORT/d: the server asks for a password, and there is none
  = help: set PGPASSWORD, or add a line for it to the password file (~/.pgpass)
",
        );
    }
}

#[test]
fn a_server_without_tls_is_told_apart_from_one_that_is_not_there() {
    check(
        NO_TLS,
        "sslmode=require",
        "
error: cannot connect to u@127.0.0.1:PORT/d: TLS is demanded, and the server has none
  = help: let the server speak TLS, or do without where it has none: `sslmode=prefer`
",
    );
    check(
        NO_TLS,
        "channel_binding=require",
        "
error: cannot connect to u@127.0.0.1:PORT/d: TLS is demanded, and the server has none
  = help: `channel_binding=require` needs TLS: remove it, or let the server speak TLS
",
    );
}

#[test]
fn what_is_no_postgresql_is_told_as_such() {
    check(
        b"R\0\0\0\0",
        "sslmode=disable",
        "
error: cannot connect to u@127.0.0.1:PORT/d: invalid message length: header length < 4
  = help: does PostgreSQL answer there, and does it speak as the connection string has it?
",
    );
}
