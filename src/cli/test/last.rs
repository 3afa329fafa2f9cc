//! The last time: which scenarios of a project did not hold, or were not run. It is kept with what can be made
//! again: where it is lost, the next run of all tests finds it out anew.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::cli::cache;
use crate::project::source::{Source, digest};
use crate::report::exit::Exit;
use crate::report::suite::SuiteReport;

/// The titles of those that are to be run again; nothing if nobody knows.
pub fn read(project: &Path) -> Option<BTreeSet<String>> {
    serde_json::from_slice(&std::fs::read(file(project)?).ok()?).ok()
}

/// Notes how tests went. Of those that were not among them, what was known before stays.
pub fn write(project: &Path, report: &SuiteReport) {
    let Some(file) = file(project) else { return };
    let mut titles = read(project).unwrap_or_default();
    for test in &report.tests {
        titles.remove(&test.title);
    }
    let failed = report.tests.iter().filter(|test| test.exit != Some(Exit::Held));
    titles.extend(failed.map(|test| test.title.clone()));
    let Ok(text) = serde_json::to_vec(&titles) else { return };
    let Some(directory) = file.parent() else { return };
    let write = || -> std::io::Result<()> {
        use std::io::Write;
        std::fs::create_dir_all(directory)?;
        let mut begun = tempfile::NamedTempFile::new_in(directory)?;
        begun.write_all(&text)?;
        begun.persist(&file)?;
        Ok(())
    };
    // Where nothing can be kept, `--rerun-failed` says so.
    let _ = write();
}

fn file(project: &Path) -> Option<PathBuf> {
    let project = std::fs::canonicalize(project).ok()?;
    let name = digest([&*Source::new(project.to_string_lossy(), "")]);
    Some(cache::directory()?.join("tests").join(format!("{name}.json")))
}
