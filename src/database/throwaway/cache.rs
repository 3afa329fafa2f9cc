//! Data directories that initdb has made, kept between runs: to unpack one takes a tenth of its time.
//!
//! Each is one file, an archive, that `tar` writes and reads under the server's account. So a copy
//! belongs to that account whoever owns the cache, root writes nothing into a directory of somebody
//! else, and the guard ends `tar` as it ends initdb.
//!
//! The cache makes a start quick, and nothing else: where there is none, where it is not ours alone,
//! or where it fails, there is initdb.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, SystemTime};

use nix::unistd::geteuid;
use sha2::{Digest, Sha256};

use super::account::Account;
use super::binaries::Binaries;
use super::data;
use super::guard::Guard;
use super::home::Home;

/// Changes whenever an archive made by an earlier release would not do.
const FORMAT: &str = "1";
const KEPT_UNUSED: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// Below the directory that the caller names, which may hold more than this.
const DIRECTORY: &str = "servers";
const SUFFIX: &str = ".tar";
/// Archives that are being written; those that nobody holds are swept.
const UNFINISHED_PREFIX: &str = ".";

/// The server starts only where there is a `PG_VERSION`. It comes last, so that an archive that has
/// lost its end is found out.
const PACK: &str = r#"cd "$1" || exit
shift
for name in *; do [ "$name" = PG_VERSION ] || set -- "$@" "$name"; done
exec tar -cf - "$@" PG_VERSION"#;
const UNPACK: &str = r#"umask 077 && mkdir "$1" && cd "$1" && exec tar -xpf -"#;

/// The place in the cache of the data directory that a server needs, whether it is there or not.
pub struct Entry {
    path: PathBuf,
}

impl Entry {
    /// Sweeps the cache, and finds the place in it. Fails if the cache cannot be used.
    pub fn find(cache: &Path, binaries: &Binaries, account: &Account) -> io::Result<Entry> {
        let directory = cache.join(DIRECTORY);
        for path in [cache, &directory] {
            make_directory(path)?;
            check_is_ours_alone(&fs::metadata(path)?)?;
        }
        sweep(&directory);
        let name = format!("{}-{}{SUFFIX}", binaries.version.major, key(binaries, account)?);
        Ok(Entry { path: directory.join(name) })
    }

    /// Where the archive is, or would be.
    #[cfg(test)]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes the data directory from the archive. Fails if there is none, or if it is damaged; then
    /// there may be a part of a data directory.
    pub fn unpack(&self, account: &Account, home: &Home, guard: &Guard) -> io::Result<()> {
        let archive = File::open(&self.path)?;
        check_is_ours_alone(&archive.metadata()?)?;
        // It is used all the same where its time cannot be set, as in a directory that is read-only.
        let _ = archive.set_modified(SystemTime::now());
        run(UNPACK, account, home, guard, archive.into(), Stdio::null())
    }

    /// Makes the archive from a data directory that no server has run on. Where several do that at
    /// once, the last one's stays: they are alike.
    pub fn pack(&self, account: &Account, home: &Home, guard: &Guard) -> io::Result<()> {
        let directory = self.path.parent().unwrap_or(&self.path);
        let archive = tempfile::Builder::new().prefix(UNFINISHED_PREFIX).tempfile_in(directory)?;
        // A sweep between the two lines takes the file: then it gets no name, and the next run tries again.
        archive.as_file().try_lock()?;
        run(PACK, account, home, guard, Stdio::null(), archive.as_file().try_clone()?.into())?;
        // A server may well start on a part of the data; so a power failure must not leave one.
        archive.as_file().sync_data()?;
        archive.persist(&self.path)?;
        Ok(())
    }

    /// Removes the archive, if there is one.
    pub fn remove(&self) {
        // One that cannot be removed is tried, and passed over, at every start.
        let _ = fs::remove_file(&self.path);
    }
}

fn run(
    script: &str,
    account: &Account,
    home: &Home,
    guard: &Guard,
    input: Stdio,
    output: Stdio,
) -> io::Result<()> {
    let mut command = account.command(Path::new("/bin/sh"));
    command.args(["-c", script, "seedbed-tar"]).arg(home.data()).process_group(guard.group());
    let status = command.stdin(input).stdout(output).stderr(Stdio::null()).status()?;
    if status.success() { Ok(()) } else { Err(io::Error::other("`tar` failed")) }
}

/// What decides the content of a data directory, as a part of a file's name.
fn key(binaries: &Binaries, account: &Account) -> io::Result<String> {
    let mut hash = Sha256::new();
    let mut add = |part: &[u8]| {
        hash.update(part.len().to_le_bytes());
        hash.update(part);
    };
    add(FORMAT.as_bytes());
    add(binaries.said.as_bytes());
    for program in ["initdb", "postgres"] {
        let program = binaries.directory.join(program);
        // A server that was built anew may say the same of itself.
        let file = fs::metadata(&program)?;
        add(program.as_os_str().as_encoded_bytes());
        add(format!("{} {} {}", file.len(), file.mtime(), file.mtime_nsec()).as_bytes());
    }
    for argument in data::arguments(binaries) {
        add(argument.as_bytes());
    }
    // initdb asks for these too: each of the machine's locales becomes a collation, with the version of
    // the C library. Where there is no such program, initdb has not got one either.
    for argument in ["-a", "--version"] {
        let said = account.command(Path::new("locale")).arg(argument).stdin(Stdio::null()).output();
        add(&said.map(|it| it.stdout).unwrap_or_default());
    }
    Ok(hash.finalize()[..8].iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Makes a directory that only we may enter, and those above it, where they are missing.
fn make_directory(path: &Path) -> io::Result<()> {
    // Root with the HOME of somebody else must leave nothing there that keeps that person out.
    let above = path.ancestors().find_map(|it| fs::metadata(it).ok());
    if geteuid().is_root() && above.is_some_and(|it| it.uid() != 0) {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Somebody who may write what we unpack could run a program of theirs as the server.
fn check_is_ours_alone(file: &fs::Metadata) -> io::Result<()> {
    let is_ours = file.uid() == geteuid().as_raw() && file.mode() & 0o022 == 0;
    if is_ours { Ok(()) } else { Err(io::ErrorKind::PermissionDenied.into()) }
}

/// Removes what killed runners did not finish, and what nobody has used for long.
fn sweep(directory: &Path) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let is_abandoned = if name.starts_with(UNFINISHED_PREFIX) {
            // For writing: a network's file system locks no others.
            let file = File::options().write(true).open(entry.path());
            file.is_ok_and(|it| it.try_lock().is_ok())
        } else {
            let used = entry.metadata().and_then(|it| it.modified()).ok();
            name.ends_with(SUFFIX) && used.and_then(|it| it.elapsed().ok()).is_some_and(|it| it > KEPT_UNUSED)
        };
        if is_abandoned {
            let _ = fs::remove_file(entry.path());
        }
    }
}
