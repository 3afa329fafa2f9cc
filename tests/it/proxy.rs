//! A proxy that knows PostgreSQL's messages, and counts the round trips of every transaction.
//!
//! A round trip is a run of messages from the client and the answer that ends it. The startup and
//! the password exchange are round trips too; a goodbye, which nobody answers, is none.

use std::io::{self, BufReader, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;

/// A proxy before a server's socket.
pub struct Proxy {
    directory: tempfile::TempDir,
    trips: Arc<Mutex<Trips>>,
}

#[derive(Default)]
struct Trips {
    /// The SQL of each, in the order they began.
    sql: Vec<String>,
    is_answered: bool,
}

/// Round trips by what they were for.
#[derive(Debug, PartialEq, Eq)]
pub struct Counted {
    /// Of each transaction: its first SQL and how many there were.
    pub transactions: Vec<(String, usize)>,
    /// All others.
    pub others: usize,
}

impl Proxy {
    /// Listens on a socket in a directory of its own.
    pub fn before(socket: &Path) -> Proxy {
        let directory = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(directory.path().join(".s.PGSQL.5432")).unwrap();
        let trips = Arc::new(Mutex::new(Trips { is_answered: true, ..Trips::default() }));
        let (socket, counted) = (socket.to_owned(), trips.clone());
        thread::spawn(move || {
            for client in listener.incoming() {
                let (client, server) = (client.unwrap(), UnixStream::connect(&socket).unwrap());
                let (counted, answered) = (counted.clone(), counted.clone());
                let (mut from_server, mut to_client) =
                    (server.try_clone().unwrap(), client.try_clone().unwrap());
                thread::spawn(move || forward(client, server, &counted));
                thread::spawn(move || {
                    let (mut bytes, mut tail) = ([0; 65536], Vec::new());
                    while let Ok(count @ 1..) = from_server.read(&mut bytes) {
                        // An answer may come in pieces: it ends when the server is ready for more.
                        tail.extend(&bytes[..count]);
                        tail.drain(..tail.len().saturating_sub(6));
                        if let [b'Z', 0, 0, 0, 5, _] = tail[..] {
                            answered.lock().unwrap().is_answered = true;
                        }
                        if to_client.write_all(&bytes[..count]).is_err() {
                            break;
                        }
                    }
                    let _ = to_client.shutdown(Shutdown::Both);
                });
            }
        });
        Proxy { directory, trips }
    }

    /// The directory to connect to, as a host.
    pub fn host(&self) -> &Path {
        self.directory.path()
    }

    /// What was counted since the last time.
    pub fn take(&self) -> Counted {
        let sql = std::mem::take(&mut self.trips.lock().unwrap().sql);
        let mut counted = Counted { transactions: Vec::new(), others: 0 };
        let mut is_open = false;
        for sql in sql {
            // A transaction that was left open is rolled back on the way to what comes next.
            let left = sql.strip_prefix("rollback;\n");
            is_open &= left.is_none();
            let sql = left.unwrap_or(&sql).to_owned();
            let is_begin = sql.trim_start().to_lowercase().starts_with("begin");
            if is_begin {
                counted.transactions.push((sql.clone(), 0));
                is_open = true;
            }
            match counted.transactions.last_mut().filter(|_| is_open) {
                Some((_, count)) => *count += 1,
                None => counted.others += 1,
            }
            let ends = sql.lines().any(|line| line.starts_with("commit") || line.starts_with("rollback"));
            is_open &= !ends;
        }
        counted
    }
}

/// Passes messages on one by one, noting where a round trip begins. What has been sent before the
/// answer was there did not wait for it.
fn forward(client: UnixStream, mut server: UnixStream, counted: &Mutex<Trips>) {
    let mut client = BufReader::with_capacity(1 << 20, client);
    let (mut has_started, mut has_waited, mut is_closing) = (false, false, false);
    loop {
        has_waited |= client.buffer().is_empty();
        let Ok(message) = message(&mut client, has_started) else { break };
        // Nobody waits for the answer to a goodbye, or to a Close and its Sync.
        is_closing = has_started && (message[0] == b'C' || is_closing && message[0] == b'S');
        has_started = true;
        if message[0] != b'X' && !is_closing {
            let mut trips = counted.lock().unwrap();
            let sql = sql(&message);
            // Behind an error the client does not wait for the server to be ready.
            let is_anew =
                sql.as_ref().is_some_and(|sql| sql.starts_with("rollback;") || sql.starts_with("begin"));
            let is_answered = std::mem::take(&mut trips.is_answered) || is_anew;
            if std::mem::take(&mut has_waited) && is_answered {
                trips.sql.push(String::new());
            }
            if let (Some(sql), Some(last)) = (sql, trips.sql.last_mut()) {
                last.push_str(&sql);
            }
        }
        if server.write_all(&message).is_err() {
            break;
        }
    }
    let _ = server.shutdown(Shutdown::Both);
}

fn message(client: &mut impl Read, has_started: bool) -> io::Result<Vec<u8>> {
    let mut head = vec![0; if has_started { 5 } else { 4 }];
    client.read_exact(&mut head)?;
    let length = u32::from_be_bytes(head[head.len() - 4..].try_into().unwrap()) as usize - 4;
    let mut body = vec![0; length];
    client.read_exact(&mut body)?;
    head.extend(body);
    Ok(head)
}

/// The SQL of a Query or Parse message.
fn sql(message: &[u8]) -> Option<String> {
    let body = message.get(5..)?;
    let text = match message[0] {
        b'Q' => body,
        b'P' => &body[body.iter().position(|byte| *byte == 0)? + 1..],
        _ => return None,
    };
    let end = text.iter().position(|byte| *byte == 0)?;
    Some(String::from_utf8_lossy(&text[..end]).into_owned())
}
