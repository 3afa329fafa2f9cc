//! Used: steps of another file that a scenario takes over, with values of its own.
//!
//! ```yaml
//! - use: _joining.yaml
//!   with: {who: Ann, team: Sales}     # the file's `vars` say what can be given
//! ```

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use super::cases;
use super::diagnostic::{Diagnostic, did_you_mean};
use super::reading::Reading;
use super::source::Source;
use super::values::{self, Named, REF};
use super::yaml::{self, Content, Entry, Node};

/// The word that begins such a step.
pub const USE: &str = "use";
/// The keys of a file that is used.
const KEYS: &[&str] = &["scenario", "tags", "vars", "steps"];
/// How deep files may use others.
const DEPTH_MAX: usize = 16;

/// The files that may be used, by their paths.
pub type Parts = BTreeMap<String, Arc<Source>>;

/// What the steps of one file have in common, as often as it is used.
#[derive(Debug)]
pub struct Scope {
    /// The file.
    pub source: Arc<Source>,
    /// What makes the ids in it other than those elsewhere; nothing in the scenario itself.
    pub prefix: String,
    /// What is put before the titles.
    pub title: String,
    /// The values that have a name in it.
    pub own: Arc<Named>,
}

/// A step as it is written.
#[derive(Debug)]
pub struct Item {
    /// The step.
    pub node: Node,
    /// Where it is written.
    pub scope: Rc<Scope>,
    /// Whether it always runs.
    pub is_final: bool,
}

/// Puts the steps of files in place of those that use them.
#[derive(Debug)]
pub struct Expansion<'a> {
    /// The files.
    pub parts: &'a Parts,
    /// The steps so far.
    pub items: Vec<Item>,
    /// How often files were used.
    pub uses: usize,
}

/// Whether a file is there to be used alone: its name begins with `_`.
pub fn is_part(source: &Source) -> bool {
    source.stem().starts_with('_')
}

impl Expansion<'_> {
    /// Takes in the steps of a file, and of those it uses. `path` is how it was come to.
    pub fn take(
        &mut self,
        problems: &mut Vec<Diagnostic>,
        nodes: Vec<Node>,
        scope: &Rc<Scope>,
        is_final: bool,
        path: &[&str],
    ) {
        for node in nodes {
            match &node.content {
                Content::Map(entries) if entries.first().is_some_and(|first| first.key == USE) => {
                    let Content::Map(entries) = node.content else { continue };
                    self.used(problems, entries, scope, is_final, path);
                }
                _ => self.items.push(Item { node, scope: scope.clone(), is_final }),
            }
        }
    }

    fn used(
        &mut self,
        problems: &mut Vec<Diagnostic>,
        entries: Vec<Entry>,
        scope: &Rc<Scope>,
        is_final: bool,
        path: &[&str],
    ) {
        let reading = &mut Reading::new(&scope.source, problems);
        let (mut name, mut given) = (None, Vec::new());
        for entry in entries {
            match entry.key.as_str() {
                USE => name = reading.text(entry.value, "the file of this `use` step"),
                "with" => given = reading.map(entry.value, "`with`").unwrap_or_default(),
                _ => reading.unknown_key(&entry, "a `use` step", &["with"]),
            }
        }
        let Some(name) = name else { return };
        let file = beside(&scope.source.path, &name.text);
        let Some((file, source)) = self.parts.get_key_value(&file) else {
            let folder = Path::new(&scope.source.path).parent().unwrap_or(Path::new(""));
            let known =
                self.parts.keys().filter_map(|path| Path::new(path).strip_prefix(folder).ok()?.to_str());
            let help = did_you_mean(&name.text, known)
                .unwrap_or_else(|| "name a file below `scenarios/` by its path from this one".to_owned());
            reading.problem_help(name.span, format!("there is no file `{file}`"), help);
            return;
        };
        if path.contains(&file.as_str()) || path.len() > DEPTH_MAX {
            let help = "take out one of the steps that lead back to it";
            reading.problem_help(name.span, format!("`{}` uses itself", name.text), help);
            return;
        }
        let given = given.into_iter().map(|entry| qualified(reading, entry, scope)).collect::<Vec<_>>();
        let suffix = match given.is_empty() {
            true => String::new(),
            false => format!(" ({})", cases::title(&given)),
        };
        let Some((title, own, nodes)) = read(problems, source) else { return };
        let mut own = own;
        let reading = &mut Reading::new(&scope.source, problems);
        for entry in given {
            match own.get_mut(&entry.key) {
                Some(value) => *value = entry.value,
                None => {
                    let help = did_you_mean(&entry.key, own.keys().map(String::as_str))
                        .unwrap_or_else(|| format!("declare it there: `vars: {{{}: …}}`", entry.key));
                    let message = format!("`{}` has no variable `{}`", name.text, entry.key);
                    reading.problem_help(entry.key_span, message, help);
                }
            }
        }
        self.uses += 1;
        let inner = Rc::new(Scope {
            source: source.clone(),
            prefix: format!("{}/", self.uses),
            title: format!("{}{title}{suffix}: ", scope.title),
            own: Arc::new(own),
        });
        let path: Vec<&str> = path.iter().copied().chain([file.as_str()]).collect();
        self.take(problems, nodes, &inner, is_final, &path);
    }
}

/// The title, the variables and the steps of a file that is used.
fn read(problems: &mut Vec<Diagnostic>, source: &Arc<Source>) -> Option<(String, Named, Vec<Node>)> {
    let known = problems.len();
    let result = read_part(problems, source);
    super::scenario::forget_repeated(problems, known); // It may be used more than once.
    result
}

fn read_part(problems: &mut Vec<Diagnostic>, source: &Arc<Source>) -> Option<(String, Named, Vec<Node>)> {
    let node = yaml::parse(source).map_err(|problem| problems.push(problem)).ok()?;
    let reading = &mut Reading::new(source, problems);
    let (mut title, mut own, mut steps) =
        (source.stem().trim_start_matches('_').to_owned(), Named::new(), None);
    for entry in reading.map(node, "a scenario")? {
        match entry.key.as_str() {
            "scenario" => {
                title = reading.text(entry.value, "the scenario's title").map_or(title, |it| it.text)
            }
            "vars" => own = values::variables(reading, entry.value, &BTreeMap::new()),
            "steps" => steps = reading.list(entry.value, "`steps`"),
            "tags" => {}
            "finally" => {
                let help = "put these steps into the scenario that uses the file";
                reading.problem_help(entry.key_span, "a file that is used has no `finally`", help);
            }
            _ => reading.unknown_key(&entry, "a file that is used", KEYS),
        }
    }
    Some((title, own, steps?))
}

/// A path from the directory of a file, without detours.
fn beside(file: &str, name: &str) -> String {
    let mut path = PathBuf::new();
    let folder = Path::new(file).parent().unwrap_or(Path::new(""));
    for part in folder.join(name).components() {
        match part {
            Component::ParentDir => drop(path.pop()),
            Component::CurDir => {}
            other => path.push(other),
        }
    }
    path.to_string_lossy().replace('\\', "/")
}

/// A value that is given, as the file that is given it understands it: names of rows are those of the step
/// that gives it.
fn qualified(reading: &mut Reading, entry: Entry, scope: &Scope) -> Entry {
    values::check_given(reading, &entry);
    let Content::Map(entries) = &entry.value.content else { return entry };
    let [Entry { key, value: Node { content: Content::Scalar(name, kind), span }, key_span }] =
        entries.as_slice()
    else {
        return entry;
    };
    if key != REF {
        return entry;
    }
    let value = match scope.own.get(name) {
        Some(value) => value.clone(),
        None if name.starts_with('/') => entry.value.clone(),
        None => {
            let name = Content::Scalar(format!("/{}{name}", scope.prefix), *kind);
            let named =
                Entry { key: key.clone(), key_span: *key_span, value: Node { content: name, span: *span } };
            Node { content: Content::Map(vec![named]), span: entry.value.span }
        }
    };
    Entry { value, ..entry }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_found_from_the_one_that_uses_it() {
        let check = |file, name, expected| assert_eq!(beside(file, name), expected);
        check("scenarios/a.yaml", "_b.yaml", "scenarios/_b.yaml");
        check("scenarios/x/a.yaml", "../parts/_b.yaml", "scenarios/parts/_b.yaml");
        check("p/scenarios/a.yaml", "./_b.yaml", "p/scenarios/_b.yaml");
    }
}
