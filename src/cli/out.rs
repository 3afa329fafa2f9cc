//! Everything that is printed goes through here: without passwords, and with a note of what did not
//! arrive.
//!
//! A reader that goes away, as `head` does, has seen enough: that is no failure. A disk that is full is
//! one, and whoever relies on the report has to learn of it; the database has done its work by then.

use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};

use super::censor::{censored, censored_json};

/// The first failure of this process.
static FAILURE: Mutex<Option<io::Error>> = Mutex::new(None);

/// Writes text, with its colours where standard output shows any.
pub fn coloured(text: &str) {
    note(anstream::stdout().write_all(censored(text).as_bytes()));
}

/// Writes JSON.
pub fn json(text: &str) {
    note(io::stdout().write_all(censored_json(text).as_bytes()));
}

/// Writes text to standard error, with its colours where that shows any. What does not arrive there
/// cannot be told to anybody.
pub fn error(text: &str) {
    let _ = anstream::stderr().write_all(censored(text).as_bytes());
}

/// Writes JSON to standard error.
pub fn error_json(text: &str) {
    let _ = io::stderr().write_all(censored_json(text).as_bytes());
}

/// Hands on what is still held back.
pub fn flush() {
    note(io::stdout().flush());
}

/// Why not everything arrived, if it did not.
pub fn failure() -> Option<String> {
    flush();
    FAILURE.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(io::Error::to_string)
}

/// Notes something else that was to be written and did not arrive.
pub fn fail(error: io::Error) {
    FAILURE.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
}

fn note(written: io::Result<()>) {
    if let Err(error) = written
        && error.kind() != io::ErrorKind::BrokenPipe
    {
        FAILURE.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
    }
}
