//! libpq's password file: a line `host:port:database:user:password` for each way in.

use std::fmt;
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::dsn::{Dsn, Host, Lookup};
use super::secret::Secret;

/// A password file that cannot be used. It holds nothing of what is in the file.
#[derive(Debug)]
pub struct PassfileError {
    path: PathBuf,
    reason: Reason,
}

#[derive(Debug)]
enum Reason {
    Unreadable(io::ErrorKind),
    OpenToOthers,
}

/// The password that the password file has for a connection, if it has one.
///
/// The file is the connection string's `passfile` (or `PGPASSFILE`), else libpq's in the home
/// directory; as for libpq, none need exist. The first line that fits counts, of several hosts the first
/// that has one.
///
/// # Errors
///
/// The file cannot be read, is not UTF-8, or may be read by others, which libpq would only
/// mention before it asks for a password.
pub fn password(dsn: &Dsn, get: Lookup) -> Result<Option<Secret>, PassfileError> {
    let Some(path) = dsn.passfile.clone().or_else(|| usual_path(get)) else {
        return Ok(None);
    };
    match read_private(&path) {
        Ok(text) => Ok(dsn.hosts.iter().find_map(|host| find(&text, host, dsn))),
        Err(Reason::Unreadable(io::ErrorKind::NotFound)) => Ok(None),
        Err(reason) => Err(PassfileError { path, reason }),
    }
}

#[cfg(not(windows))]
fn usual_path(get: Lookup) -> Option<PathBuf> {
    get("HOME").map(|home| Path::new(&home).join(".pgpass"))
}

#[cfg(windows)]
fn usual_path(get: Lookup) -> Option<PathBuf> {
    get("APPDATA").map(|data| Path::new(&data).join("postgresql").join("pgpass.conf"))
}

fn read_private(path: &Path) -> Result<String, Reason> {
    let unreadable = |error: io::Error| Reason::Unreadable(error.kind());
    // Asked by path, because a pipe is not to be waited for; and again once it is open, because
    // the path may lead elsewhere by now.
    if !path.metadata().map_err(unreadable)?.is_file() {
        return Ok(String::new());
    }
    let mut file = File::open(path).map_err(unreadable)?;
    if is_open_to_others(&file.metadata().map_err(unreadable)?) {
        return Err(Reason::OpenToOthers);
    }
    let mut text = String::new();
    file.read_to_string(&mut text).map_err(unreadable)?;
    Ok(text)
}

#[cfg(unix)]
fn is_open_to_others(metadata: &Metadata) -> bool {
    std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o077 != 0
}

#[cfg(not(unix))]
fn is_open_to_others(_: &Metadata) -> bool {
    false
}

fn find(text: &str, host: &Host, dsn: &Dsn) -> Option<Secret> {
    let port = host.port.to_string();
    // libpq looks for its own socket directories under the name of the machine they are on.
    let is_usual_socket = matches!(host.name.as_str(), "/tmp" | "/run/postgresql" | "/var/run/postgresql");
    let host = if is_usual_socket { "localhost" } else { &host.name };
    let wanted = [host, &port, &dsn.database, &dsn.user];
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .map(fields)
        .find(|fields| fields.len() > wanted.len() && wanted.iter().zip(fields).all(fits))
        .and_then(|fields| fields.into_iter().nth(wanted.len()))
        .filter(|password| !password.text.is_empty())
        .map(|password| Secret::new(password.text))
}

fn fits((wanted, field): (&&str, &Field)) -> bool {
    field.is_wildcard || field.text == **wanted
}

/// One field of a line, its escapes removed.
#[derive(Default)]
struct Field {
    text: String,
    /// A lone `*`, which an escape would have made a name.
    is_wildcard: bool,
}

fn fields(line: &str) -> Vec<Field> {
    let mut fields = vec![Field::default()];
    let mut is_escaped = false;
    for character in line.trim_end_matches('\r').chars() {
        match character {
            '\\' if !is_escaped => {
                is_escaped = true;
                continue;
            }
            ':' if !is_escaped => fields.push(Field::default()),
            other => {
                if let Some(field) = fields.last_mut() {
                    field.is_wildcard = field.text.is_empty() && other == '*' && !is_escaped;
                    field.text.push(other);
                }
            }
        }
        is_escaped = false;
    }
    fields
}

impl PassfileError {
    /// The next action.
    pub fn help(&self) -> String {
        match self.reason {
            Reason::OpenToOthers => format!("run `chmod 600 {}`", self.path.display()),
            Reason::Unreadable(_) => {
                "name a file in `passfile` or PGPASSFILE, or give the password itself".to_owned()
            }
        }
    }
}

impl fmt::Display for PassfileError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.reason {
            Reason::OpenToOthers => {
                write!(formatter, "others can read the password file `{}`", self.path.display())
            }
            // A file was found under it, so it is no password in the wrong place.
            Reason::Unreadable(io::ErrorKind::InvalidData) => {
                write!(formatter, "the password file `{}` is not UTF-8", self.path.display())
            }
            Reason::Unreadable(io::ErrorKind::PermissionDenied) => {
                write!(formatter, "the password file `{}` may not be read", self.path.display())
            }
            Reason::Unreadable(kind) => write!(formatter, "the password file cannot be read: {kind}"),
        }
    }
}

impl std::error::Error for PassfileError {}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "\
# host:port:database:user:commented\r
h:5432:db:u:plain
h:5433:db:u:by port\r
h:*:other:*:wild
h\\:1:5432:db:u:colon in host
::1:5432:db:u:not an address
\\:\\:1:5432:db:u:address
localhost:5432:db:u:socket
/run/pg:5432:db:u:directory
h:5432:\\*:u:star
h:5432:esc:u:a\\:b\\\\c:rest
h:5432:short:u
h:5432:empty:u:
b:5432:db:u:second
*:*:*:v:any
";

    #[test]
    fn the_first_line_that_fits_has_the_password() {
        check("postgres://u@h/db", Some("plain"));
        check("postgres://u@h:5433/db", Some("by port"));
        check("postgres://anyone@h:7/other", Some("wild"));
        check("postgres://u@[::1]/db", Some("address"));
        check("host=/var/run/postgresql dbname=db user=u", Some("socket"));
        check("host=/run/pg dbname=db user=u", Some("directory"));
        check("postgres://u@h/*", Some("star"));
        check("postgres://u@h/esc", Some("a:b\\c"));
        check("postgres://u@h/short", None);
        check("postgres://u@h/empty", None);
        check("postgres://u@a,b/db", Some("second"));
        check("postgres://v@x:1/y", Some("any"));
        check("postgres://u@x/db", None);
        check("postgres://host@host/database", None);
    }

    fn check(text: &str, expected: Option<&str>) {
        let (_directory, path) = file(FILE, 0o600);
        let dsn = Dsn::parse(text, &|_| None).map(|dsn| Dsn { passfile: Some(path), ..dsn });
        let observed = password(&dsn.unwrap(), &|_| None).unwrap();
        assert_eq!(observed.as_ref().map(Secret::reveal), expected, "{text}");
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_others_can_read_is_refused_with_the_command_that_closes_it() {
        for mode in [0o640, 0o604, 0o620, 0o666] {
            let (_directory, path) = file("h:5432:db:u:canary\n", mode);
            let dsn = Dsn::parse(&format!("host=h user=u passfile='{}'", path.display()), &|_| None);
            let error = password(&dsn.unwrap(), &|_| None).err().unwrap();
            assert_eq!(error.to_string(), format!("others can read the password file `{}`", path.display()));
            assert_eq!(error.help(), format!("run `chmod 600 {}`", path.display()));
        }
    }

    #[test]
    fn the_usual_file_is_read_and_any_file_may_be_missing() {
        let (directory, path) = file("h:5432:db:u:usual\n", 0o600);
        let home = directory.path().display().to_string();
        let in_home = |name: &str| (name == "HOME").then(|| home.clone());
        let dsn = Dsn::parse("postgres://u@h/db", &in_home).unwrap();
        let observed = password(&dsn, &in_home).unwrap();
        assert_eq!(observed.as_ref().map(Secret::reveal), Some("usual"));
        std::fs::remove_file(path).unwrap();
        assert!(password(&dsn, &in_home).unwrap().is_none());
        assert!(password(&dsn, &|_| None).unwrap().is_none());
        let named = Dsn { passfile: Some(directory.path().join("named")), ..dsn.clone() };
        assert!(password(&named, &in_home).unwrap().is_none());
        let binary = directory.path().join("binary");
        std::fs::write(&binary, b"h:5432:db:u:canary\xff\n").unwrap();
        #[cfg(unix)]
        std::fs::set_permissions(&binary, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        let named = Dsn { passfile: Some(binary.clone()), ..dsn.clone() };
        let error = password(&named, &in_home).err().unwrap().to_string();
        assert_eq!(error, format!("the password file `{}` is not UTF-8", binary.display()));
        let nothing = Dsn { passfile: Some(PathBuf::from("/dev/null")), ..dsn };
        assert!(password(&nothing, &in_home).unwrap().is_none());
    }

    fn file(text: &str, mode: u32) -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(".pgpass");
        std::fs::write(&path, text).unwrap();
        #[cfg(unix)]
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
        #[cfg(not(unix))]
        let _ = mode;
        (directory, path)
    }
}
