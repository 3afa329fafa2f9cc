//! Outcomes: the words for how a step ends.

/// How a step can end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)] // The words say it, and language.md has the table.
pub enum Outcome {
    Created,
    Updated,
    Unchanged,
    Skipped,
    Held,
    Differs,
    Added,
    Present,
    ParentNotFound,
    ParentAmbiguous,
    Deleted,
    NotFound,
    Restricted,
    Changed,
    Done,
    Migrated,
    Refused,
    WroteOtherwise,
}

impl Outcome {
    /// Whether a step that ends so may have written something. One that has not keeps nothing, not even what
    /// a trigger made of its attempt.
    pub fn has_written(self) -> bool {
        matches!(
            self,
            Outcome::Created
                | Outcome::Updated
                | Outcome::Added
                | Outcome::Deleted
                | Outcome::Changed
                | Outcome::Done
        )
    }

    /// The word for it, in files and reports.
    pub fn word(self) -> &'static str {
        match self {
            Outcome::Created => "created",
            Outcome::Updated => "updated",
            Outcome::Unchanged => "unchanged",
            Outcome::Skipped => "skipped",
            Outcome::Held => "held",
            Outcome::Differs => "differs",
            Outcome::Added => "added",
            Outcome::Present => "present",
            Outcome::ParentNotFound => "parent_not_found",
            Outcome::ParentAmbiguous => "parent_ambiguous",
            Outcome::Deleted => "deleted",
            Outcome::NotFound => "not_found",
            Outcome::Restricted => "restricted",
            Outcome::Changed => "changed",
            Outcome::Done => "done",
            Outcome::Migrated => "migrated",
            Outcome::Refused => "refused",
            Outcome::WroteOtherwise => "wrote_otherwise",
        }
    }
}
