//! The data directory of a throwaway server: what initdb is asked for.

use std::os::unix::process::CommandExt;
use std::process::Stdio;

use super::account::Account;
use super::binaries::Binaries;
use super::error::ThrowawayError;
use super::guard::Guard;
use super::home::Home;

/// Everything that initdb is told, but where.
pub fn arguments(binaries: &Binaries) -> Vec<&'static str> {
    let mut arguments =
        vec!["--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-sync", "--no-instructions"];
    // A quarter of what is usual: the first segment is a large part of what every start copies.
    arguments.push("--wal-segsize=4");
    arguments.extend(locale(binaries.version.major));
    arguments
}

/// Makes one with initdb, which takes longer than all else that a start does.
pub fn make(
    binaries: &Binaries,
    account: &Account,
    home: &Home,
    guard: &Guard,
) -> Result<(), ThrowawayError> {
    let initdb = binaries.directory.join("initdb");
    let output = account
        .command(&initdb)
        .process_group(guard.group())
        .arg("--pgdata")
        .arg(home.data())
        .args(arguments(binaries))
        .stdin(Stdio::null())
        .output()
        .map_err(ThrowawayError::cannot(format!("run `{}`", initdb.display())))?;
    if output.status.success() {
        return Ok(());
    }
    Err(ThrowawayError::Initdb { said: String::from_utf8_lossy(&output.stderr).into_owned() })
}

/// Text sorts by code point, and `upper`, `lower` and regular expressions know all of Unicode.
///
/// A linguistic order would differ between machines and releases, so the same project would pass
/// here and fail there; plain `C` would leave `upper('ä')` alone. Since PostgreSQL 17 the server
/// brings this locale itself. Before that it is the C library's, which macOS calls otherwise.
fn locale(major: u32) -> &'static [&'static str] {
    if major >= 17 {
        &["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    } else if cfg!(target_os = "macos") {
        &["--locale=C", "--lc-ctype=UTF-8"]
    } else {
        &["--locale=C.UTF-8"]
    }
}
