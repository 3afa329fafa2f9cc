//! Exit statuses: what scripts and orchestrators may rely on.

/// How a command ended, as its exit status says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// 0: everything held.
    Held,
    /// 1: a step did not: an expectation failed, or its SQL did.
    DidNotHold,
    /// 2: usage, or the project is invalid.
    Invalid,
    /// 3: the database could not be reached, or refused us.
    Unreachable,
    /// 4: a migration failed, or the history does not fit the files.
    Migration,
    /// 5: another runner held the lock for too long.
    Locked,
    /// 6: the connection was lost while committing, and the outcome could not be learned.
    Unknown,
    /// 7: the target is protected, or is another one than was said.
    Protected,
    /// 128 and the number of the signal that interrupted the run: 130, 143.
    Interrupted(i32),
}

impl Exit {
    /// The number.
    pub fn code(self) -> u8 {
        match self {
            Exit::Held => 0,
            Exit::DidNotHold => 1,
            Exit::Invalid => 2,
            Exit::Unreachable => 3,
            Exit::Migration => 4,
            Exit::Locked => 5,
            Exit::Unknown => 6,
            Exit::Protected => 7,
            Exit::Interrupted(signal) => 128 + signal as u8,
        }
    }
}
