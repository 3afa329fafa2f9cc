//! Ctrl-C and SIGTERM: the running statement is cancelled, a throwaway server removed, and the
//! process ends with the signal's own status. A second signal ends it at once.

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::database::connection::Running;
use crate::database::throwaway::Throwaway;

/// A throwaway server that either the end of the run or a signal stops, whichever comes first.
pub type Shared = Arc<Mutex<Option<Throwaway>>>;

/// Watches for signals on a thread of its own from now on.
pub fn watch(running: Running, throwaway: Option<&Shared>) {
    let throwaway: Option<Weak<_>> = throwaway.map(Arc::downgrade);
    let Ok(mut signals) = Signals::new([SIGINT, SIGTERM]) else { return };
    thread::spawn(move || {
        let mut arrived = signals.forever();
        let Some(signal) = arrived.next() else { return };
        thread::spawn(move || {
            running.cancel();
            if let Some(shared) = throwaway.as_ref().and_then(Weak::upgrade) {
                drop(shared.lock().unwrap_or_else(PoisonError::into_inner).take());
            }
            std::process::exit(128 + signal);
        });
        if let Some(second) = arrived.next() {
            std::process::exit(128 + second);
        }
    });
}
