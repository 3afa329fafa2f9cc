//! The report for GitHub Actions: annotations beside the lines of files, and a page for the run.

mod annotations;
mod markdown;
mod summary;

pub use annotations::annotations;
pub use summary::summary;
