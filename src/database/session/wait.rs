//! How long somebody waits for the client's thread, and what a signal changes about it.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use crate::database::clock::Clock;
use crate::database::error::Error;

/// How a wait takes a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hurry {
    /// It ends.
    AtOnce,
    /// It ends when cancelling has not ended it within [`CANCELLED_WITHIN`].
    Soon,
    /// It goes on: what is waited for is whether a COMMIT was done.
    Never,
}

/// How long a statement has to end after it was cancelled.
const CANCELLED_WITHIN: Duration = Duration::from_millis(1500);
/// How often a wait looks up to see whether a signal has come.
const LOOK_UP_EVERY: Duration = Duration::from_millis(25);

/// Waits for a message: for ever or within a limit, within the run's own time, and unless a signal
/// says otherwise.
pub fn receive<T>(
    from: &mpsc::Receiver<T>,
    limit: Option<Duration>,
    clock: &Clock,
    hurry: Hurry,
) -> Result<T, Error> {
    let started = Instant::now();
    let patience = match hurry {
        Hurry::AtOnce => Duration::ZERO,
        Hurry::Soon => CANCELLED_WITHIN,
        Hurry::Never => Duration::MAX,
    };
    loop {
        let left = limit.map_or(LOOK_UP_EVERY, |limit| limit.saturating_sub(started.elapsed()));
        match from.recv_timeout(left.min(LOOK_UP_EVERY)) {
            Ok(message) => return Ok(message),
            Err(RecvTimeoutError::Disconnected) => return Err(lost()),
            Err(RecvTimeoutError::Timeout) => {}
        }
        match clock.interrupted() {
            Some((signal, since)) if since >= patience => return Err(Error::Interrupted(signal)),
            Some(_) => {}
            None if hurry != Hurry::Never => clock.check()?,
            None => {}
        }
        if let Some(limit) = limit.filter(|limit| started.elapsed() >= *limit) {
            return Err(Error::Silent(limit));
        }
    }
}

/// A connection that is gone.
pub fn lost() -> Error {
    Error::Lost { reason: "the connection is closed".to_owned(), is_transient: true }
}
