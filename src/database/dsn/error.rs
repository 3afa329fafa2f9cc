//! What is wrong with a connection string, in words that cannot give it away.

use std::fmt;

/// A connection string that cannot be used: the option at fault and the next action.
///
/// It is made of this crate's own words and of the names of options. A value never enters it, so
/// it may be shown and logged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DsnError {
    /// One line, lower case, without a full stop.
    pub message: String,
    /// The next action.
    pub help: Option<String>,
}

impl DsnError {
    /// An error with its message.
    pub(super) fn new(message: impl Into<String>) -> DsnError {
        DsnError { message: message.into(), help: None }
    }

    /// Says what to do next.
    pub(super) fn help(mut self, help: impl Into<String>) -> DsnError {
        self.help = Some(help.into());
        self
    }
}

impl fmt::Display for DsnError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)?;
        match &self.help {
            Some(help) => write!(formatter, "; {help}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for DsnError {}
