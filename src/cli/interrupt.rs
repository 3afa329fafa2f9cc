//! Ctrl-C and SIGTERM: the running statement is cancelled and the run told to end, which rolls back,
//! removes a throwaway server, and ends the process with the signal's own status. A second signal ends
//! it at once, unless it comes with the first: `timeout` sends one to the process and one to its group.

use std::thread;
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::database::clock::Clock;

/// How long between two requests to cancel: one that comes between two statements cancels nothing.
const CANCEL_EVERY: Duration = Duration::from_millis(500);

/// How close to the first a signal is part of it: nobody presses Ctrl-C twice as fast.
const TOGETHER: Duration = Duration::from_millis(50);

/// Watches for signals on a thread of its own from now on.
pub fn watch(clock: Clock, cancel: impl Fn() + Send + 'static) {
    let Ok(mut signals) = Signals::new([SIGINT, SIGTERM]) else { return };
    thread::spawn(move || {
        let mut arrived = signals.forever();
        let Some(signal) = arrived.next() else { return };
        clock.interrupt(signal);
        thread::spawn(move || {
            loop {
                cancel();
                thread::sleep(CANCEL_EVERY);
            }
        });
        let first = Instant::now();
        if let Some(second) = arrived.find(|_| first.elapsed() > TOGETHER) {
            std::process::exit(128 + second);
        }
    });
}
