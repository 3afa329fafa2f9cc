//! Where the machine keeps its PostgreSQL server. Packages rarely put it on the `PATH`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::error::ThrowawayError;

/// Where packages put `initdb` and `postgres`.
const PLACES: &[&str] = &[
    "/usr/lib/postgresql/*/bin",                          // Debian, Ubuntu
    "/usr/pgsql-*/bin",                                   // Red Hat, from PostgreSQL's own packages
    "/usr/libexec/postgresql*",                           // Alpine
    "/usr/lib/postgresql*/bin",                           // SUSE
    "/usr/lib64/postgresql-*/bin",                        // Gentoo
    "/usr/bin",                                           // Fedora, Arch
    "/usr/local/bin",                                     // FreeBSD
    "/usr/local/pgsql/bin",                               // built from source
    "/opt/homebrew/opt/postgresql@*/bin",                 // Homebrew on Apple silicon
    "/usr/local/opt/postgresql@*/bin",                    // Homebrew on Intel
    "/home/linuxbrew/.linuxbrew/opt/postgresql@*/bin",    // Homebrew on Linux
    "/Applications/Postgres.app/Contents/Versions/*/bin", // Postgres.app
    "/opt/local/lib/postgresql*/bin",                     // MacPorts
];

/// A server's programs.
#[derive(Debug)]
pub struct Binaries {
    /// The directory that holds `initdb` and `postgres`.
    pub directory: PathBuf,
    /// What `postgres` says it is.
    pub version: Version,
    /// All of its words, with the package's.
    pub said: String,
}

impl Binaries {
    /// Those in the named directory; without one, the newest on this machine. Fails if there are
    /// none that run.
    pub fn find(named: Option<&Path>) -> Result<Binaries, ThrowawayError> {
        if let Some(directory) = named.filter(|it| !it.as_os_str().is_empty()) {
            return Binaries::at(directory.to_owned())
                .ok_or_else(|| ThrowawayError::NotBinaries { directory: directory.to_owned() });
        }
        // Of several with the same version the first place wins, and the PATH comes first.
        candidates()
            .into_iter()
            .filter_map(Binaries::at)
            .rev()
            .max_by_key(|binaries| (binaries.version.major, binaries.version.minor))
            .ok_or(ThrowawayError::NoBinaries)
    }

    fn at(directory: PathBuf) -> Option<Binaries> {
        let directory = std::path::absolute(directory).ok()?;
        if !directory.join("initdb").is_file() {
            return None;
        }
        let said = output_of(&directory.join("postgres"), "--version")?;
        Some(Binaries { version: Version::parse(&said)?, directory, said })
    }
}

/// The version of a server.
#[derive(Debug, PartialEq, Eq)]
pub struct Version {
    pub major: u32,
    pub minor: u32,
    /// As the server writes it.
    pub text: String,
}

impl Version {
    /// Reads the answer to `postgres --version`; `None` if there is no number in it.
    fn parse(said: &str) -> Option<Version> {
        let text = said.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit()))?;
        let mut numbers = text.split(|c: char| !c.is_ascii_digit());
        let major = numbers.next()?.parse().ok()?;
        // `18beta1` and `18devel` have no minor version.
        let minor = numbers.next().and_then(|it| it.parse().ok()).unwrap_or(0);
        Some(Version { major, minor, text: text.to_owned() })
    }
}

/// The directories to look at: of two that lead to the same `postgres`, only the first.
fn candidates() -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut directories: Vec<PathBuf> = std::env::split_paths(&path).collect();
    if let Some(directory) = output_of(Path::new("pg_config"), "--bindir") {
        directories.push(directory.trim_end().into());
    }
    for place in PLACES {
        directories.extend(glob::glob(place).into_iter().flatten().flatten());
    }
    let mut seen = Vec::new();
    directories.retain(|directory| match fs::canonicalize(directory.join("postgres")) {
        Ok(postgres) if !seen.contains(&postgres) => {
            seen.push(postgres);
            true
        }
        _ => false,
    });
    directories
}

fn output_of(program: &Path, argument: &str) -> Option<String> {
    let output = Command::new(program).arg(argument).stdin(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_what_packages_print() {
        let check = |said: &str, expected: Option<(u32, u32, &str)>| {
            let version = Version::parse(said);
            let version = version.as_ref().map(|it| (it.major, it.minor, it.text.as_str()));
            assert_eq!(version, expected, "{said}");
        };
        check("postgres (PostgreSQL) 15.13 (Debian 15.13-0+deb12u1)\n", Some((15, 13, "15.13")));
        check("postgres (PostgreSQL) 18beta1\n", Some((18, 0, "18beta1")));
        check("postgres (PostgreSQL) 18devel\n", Some((18, 0, "18devel")));
        check("postgres (PostgreSQL) 9.6.24", Some((9, 6, "9.6.24")));
        check("postgres (PostgreSQL)", None);
        check("", None);
        check("postgres 99999999999", None);
    }

    #[test]
    fn a_directory_without_a_server_is_refused_by_its_name() {
        let directory = tempfile::tempdir().unwrap();
        let error = Binaries::find(Some(directory.path())).unwrap_err();
        let expected =
            format!("found no `initdb` and `postgres` that run in `{}`", directory.path().display());
        assert_eq!(error.to_string(), expected);
    }
}
