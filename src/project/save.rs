//! The one place that changes a file of the project: as a whole or not at all.

use std::io::Write;
use std::path::Path;

use super::diagnostic::Diagnostic;
use super::edit::{self, Edit};
use super::load::{YAML_BYTES_MAX, read_text, understood};
use super::source::{Source, Span};
use super::yaml;

/// Makes edits in a file that was read.
///
/// # Errors
///
/// It has changed since, or cannot be written. Then it is as it was.
pub fn save(source: &Source, edits: &[Edit]) -> Result<(), Diagnostic> {
    let cannot = |error: &dyn std::fmt::Display| {
        Diagnostic::error(format!("cannot write `{}`: {error}", source.path))
            .note("its expectations are as they were")
            .help("make the file and its directory writable, and run again")
    };
    // A link stays one: what it leads to is replaced.
    let path = Path::new(&source.path).canonicalize().map_err(|error| cannot(&error))?;
    let text = read_text(&path, YAML_BYTES_MAX)?;
    if understood(&text) != source.text {
        return Err(Diagnostic::error(format!("`{}` has changed since it was read", source.path))
            .note("nothing was written into it")
            .help("run again"));
    }
    // What was left out of the text stands before it.
    let left_out = text.len() - source.text.len();
    let moved = |edit: &Edit| {
        let range = edit.span.range();
        Edit { span: Span::new(range.start + left_out, range.end + left_out), by: edit.by.clone() }
    };
    let edits: Vec<Edit> = edits.iter().map(moved).collect();
    let edited = edit::apply(&text, &edits).ok_or_else(|| cannot(&"its expectations overlap"))?;
    yaml::parse(&Source::new(source.path.clone(), understood(&edited)))
        .map_err(|problem| cannot(&problem.message))?;
    replace(&path, edited.as_bytes()).map_err(|error| cannot(&error))
}

/// Puts a file in the place of another, with the same permissions.
fn replace(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new().prefix(".seedbed-").tempfile_in(directory)?;
    file.write_all(bytes)?;
    let metadata = path.metadata()?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::{MetadataExt, fchown};
        // Who may not give files away keeps it.
        let _ = fchown(&file, Some(metadata.uid()), Some(metadata.gid()));
    }
    file.as_file().set_permissions(metadata.permissions())?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_file_is_replaced_with_its_permissions_and_marks_unless_it_has_changed() {
        let directory = tempfile::tempdir().unwrap();
        let (path, link) = (directory.path().join("a.yaml"), directory.path().join("link.yaml"));
        fs::write(&path, "\u{feff}a: 1\r\nb: 2\rc: 3").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        std::os::unix::fs::symlink("a.yaml", &link).unwrap();
        let text = understood(&fs::read_to_string(&path).unwrap());
        let source = Source::new(link.to_string_lossy(), text);
        save(&source, &[Edit::new(3..4, "10"), Edit::new(9..10, "20")]).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "\u{feff}a: 10\r\nb: 20\rc: 3");
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o640);
        assert!(link.is_symlink());
        let refused = save(&source, &[Edit::new(3..4, "11")]).unwrap_err();
        assert!(refused.message.ends_with("has changed since it was read"), "{}", refused.message);
        assert_eq!(fs::read_to_string(&path).unwrap(), "\u{feff}a: 10\r\nb: 20\rc: 3");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 2);
    }
}
