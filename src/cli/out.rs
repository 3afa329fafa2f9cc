//! Standard output, and whether what was written arrived.
//!
//! A reader that goes away, as `head` does, has seen enough: that is no failure. A disk that is full is
//! one, and whoever relies on the report has to learn of it; the database has done its work by then.

use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};

/// The first failure of this process.
static FAILURE: Mutex<Option<io::Error>> = Mutex::new(None);

/// Writes text, with its colours where standard output shows any.
pub fn coloured(text: &str) {
    note(anstream::stdout().write_all(text.as_bytes()));
}

/// Writes text as it is.
pub fn plain(text: &str) {
    note(io::stdout().write_all(text.as_bytes()));
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

fn note(written: io::Result<()>) {
    if let Err(error) = written
        && error.kind() != io::ErrorKind::BrokenPipe
    {
        FAILURE.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
    }
}
