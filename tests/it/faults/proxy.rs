//! A proxy on the loopback that knows PostgreSQL's messages and does harm at one of them.
//!
//! Messages are counted over all connections, each way for itself, so that a fault is a way, a number
//! and a harm. Requests to cancel are passed on without being counted: when they come is up to chance.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill};
use nix::sys::socket::{setsockopt, sockopt::Linger};
use nix::unistd::Pid;

use super::wire::{Message, Way, Wire};

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    pub way: Way,
    /// The message it happens at, counted from 1.
    pub at: usize,
    pub harm: Harm,
    /// How much of that message still passes.
    pub passes: Passes,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passes {
    Nothing,
    Half,
    All,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Harm {
    /// Both sides are told that the connection has ended.
    Cut,
    /// The client is told that it was reset.
    Reset,
    /// The same, and nobody can connect any more.
    Gone,
    /// Nothing moves for this long, then both sides are cut.
    Stall(Duration),
    /// Everything moves on after this time.
    Delay(Duration),
    /// The runner is killed.
    Kill,
}

/// What the proxy and its connections share.
#[derive(Default)]
struct Shared {
    fault: Option<Fault>,
    counts: [usize; 2],
    has_struck: bool,
    is_gone: bool,
    is_over: bool,
    in_slices: bool,
    victim: Option<u32>,
    seen: Vec<(Way, String, bool)>,
}

/// A proxy before a server's socket. Dropping it ends every connection through it.
pub struct Proxy {
    pub port: u16,
    shared: Arc<Mutex<Shared>>,
}

impl Proxy {
    /// Listens, and does this harm once.
    pub fn before(socket: &Path, fault: Option<Fault>) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Mutex::new(Shared { fault, ..Shared::default() }));
        let (socket, own) = (socket.to_owned(), shared.clone());
        thread::spawn(move || accept(&listener, &socket, &own));
        Proxy { port, shared }
    }

    /// Passes everything on byte by byte.
    pub fn in_slices(self) -> Proxy {
        self.shared.lock().unwrap().in_slices = true;
        self
    }

    /// Names the process that a killing fault kills.
    pub fn aim_at(&self, pid: u32) {
        self.shared.lock().unwrap().victim = Some(pid);
    }

    /// Whether the fault's message came.
    pub fn has_struck(&self) -> bool {
        self.shared.lock().unwrap().has_struck
    }

    /// Every message so far: its way, its summary, and whether it is about a commit.
    pub fn seen(&self) -> Vec<(Way, String, bool)> {
        self.shared.lock().unwrap().seen.clone()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.lock().unwrap().is_over = true;
    }
}

/// How often a wait looks up.
const LOOK_UP_EVERY: u8 = 20; // milliseconds

fn accept(listener: &TcpListener, socket: &Path, shared: &Arc<Mutex<Shared>>) {
    loop {
        let mut fds = [PollFd::new(listener.as_fd(), PollFlags::POLLIN)];
        let ready = poll(&mut fds, PollTimeout::from(LOOK_UP_EVERY)).unwrap();
        let (is_over, is_gone) = {
            let shared = shared.lock().unwrap();
            (shared.is_over, shared.is_gone)
        };
        if is_over || is_gone {
            return; // The port is closed with the listener.
        }
        if ready > 0 {
            let (client, _) = listener.accept().unwrap();
            client.set_nodelay(true).unwrap();
            let (socket, shared) = (socket.to_owned(), shared.clone());
            thread::spawn(move || {
                // A server that is down closes the port for the client.
                if let Ok(server) = UnixStream::connect(socket) {
                    serve(client, server, &shared);
                }
            });
        }
    }
}

/// What to do with a message.
enum Verdict {
    Pass,
    Harm(Harm, Passes),
}

fn judge(shared: &Mutex<Shared>, message: &Message) -> (Verdict, bool) {
    let mut shared = shared.lock().unwrap();
    let in_slices = shared.in_slices;
    if message.asks_to_cancel() {
        return (Verdict::Pass, in_slices);
    }
    shared.seen.push((message.way, message.summary(), message.is_commit()));
    let count = &mut shared.counts[message.way as usize];
    *count += 1;
    let count = *count;
    match shared.fault {
        Some(Fault { way, at, harm, passes }) if way == message.way && at == count => {
            shared.has_struck = true;
            shared.is_gone = harm == Harm::Gone;
            (Verdict::Harm(harm, passes), in_slices)
        }
        _ => (Verdict::Pass, in_slices),
    }
}

/// One connection, on one thread, which alone owns both sockets: closing them is then final.
fn serve(mut client: TcpStream, mut server: UnixStream, shared: &Mutex<Shared>) {
    let mut wires = [Wire::new(Way::ToServer), Wire::new(Way::ToClient)];
    loop {
        let mut fds =
            [PollFd::new(client.as_fd(), PollFlags::POLLIN), PollFd::new(server.as_fd(), PollFlags::POLLIN)];
        poll(&mut fds, PollTimeout::from(LOOK_UP_EVERY)).unwrap();
        let is_ready = fds.map(|fd| fd.any().unwrap_or(true));
        if shared.lock().unwrap().is_over {
            return;
        }
        for (side, _) in is_ready.iter().enumerate().filter(|(_, is_ready)| **is_ready) {
            let mut bytes = [0; 65536];
            let count = match side {
                0 => client.read(&mut bytes),
                _ => server.read(&mut bytes),
            };
            let Ok(count @ 1..) = count else {
                let rest = wires[side].rest();
                let _ = if side == 0 { server.write_all(&rest) } else { client.write_all(&rest) };
                return;
            };
            wires[side].extend(&bytes[..count]);
            while let Some(message) = wires[side].next() {
                match message.way {
                    Way::ToServer if message.asks_to_encrypt() => wires[1].awaits_ssl = true,
                    Way::ToServer if message.asks_to_cancel() => wires[1].is_raw = true,
                    Way::ToClient if message.bytes == b"S" => {
                        wires.iter_mut().for_each(|wire| wire.is_raw = true)
                    }
                    _ => {}
                }
                let (verdict, in_slices) = judge(shared, &message);
                let passes = match verdict {
                    Verdict::Pass | Verdict::Harm(_, Passes::All) => message.bytes.len(),
                    Verdict::Harm(_, Passes::Half) => message.bytes.len() / 2,
                    Verdict::Harm(_, Passes::Nothing) => 0,
                };
                if let Verdict::Harm(Harm::Delay(time), _) = verdict {
                    thread::sleep(time);
                }
                let step = if in_slices { 1 } else { usize::MAX };
                for piece in message.bytes[..passes].chunks(step.min(passes.max(1))) {
                    let written = if side == 0 { server.write_all(piece) } else { client.write_all(piece) };
                    if written.is_err() {
                        return;
                    }
                }
                if let Verdict::Harm(harm, _) = verdict
                    && !matches!(harm, Harm::Delay(_))
                {
                    return strike(harm, &mut client, shared);
                }
            }
        }
    }
}

/// Does the harm; the caller closes both sockets then.
fn strike(harm: Harm, client: &mut TcpStream, shared: &Mutex<Shared>) {
    match harm {
        Harm::Cut | Harm::Gone => drop(client.shutdown(Shutdown::Both)),
        Harm::Reset => setsockopt(client, Linger, &libc::linger { l_onoff: 1, l_linger: 0 }).unwrap(),
        Harm::Stall(time) => wait_until(time, || shared.lock().unwrap().is_over),
        Harm::Kill => {
            let aimed = || shared.lock().unwrap().victim;
            wait_until(Duration::from_secs(5), || aimed().is_some());
            kill(Pid::from_raw(aimed().unwrap() as i32), Signal::SIGKILL).unwrap();
        }
        Harm::Delay(_) => {}
    }
}

fn wait_until(most: Duration, is_done: impl Fn() -> bool) {
    let started = Instant::now();
    while started.elapsed() < most && !is_done() {
        thread::sleep(Duration::from_millis(2));
    }
}
