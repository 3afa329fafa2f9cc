//! Overlays: what fixtures say for one environment, laid over what they say for all.
//!
//! Here files find each other. Rows find each other by their key, which the catalog may have to tell, so
//! they are merged when the catalog is known.

use std::collections::BTreeMap;

use super::diagnostic::{Diagnostic, did_you_mean};
use super::fixture::Fixture;
use super::load::Overlay;
use super::reading::Reading;

/// Lays the fixtures of one environment over those for all. Those of other environments are read as well,
/// and what is wrong with them is noted.
pub fn lay(
    fixtures: &mut Vec<Fixture>,
    overlays: BTreeMap<String, Overlay>,
    environment: Option<&str>,
    problems: &mut Vec<Diagnostic>,
) {
    if let Some(name) = environment.filter(|name| !overlays.contains_key(*name)) {
        let help = did_you_mean(name, overlays.keys().map(String::as_str)).unwrap_or_else(|| {
            format!("make the directory `fixtures/{name}`, with a file in it that has the name of one in `fixtures`")
        });
        problems.push(Diagnostic::error(format!("there is no environment `{name}`")).help(help));
    }
    for (name, files) in overlays {
        let mut laid = fixtures.clone();
        let mut own: Vec<Fixture> =
            files.fixtures.into_iter().flat_map(|source| Fixture::parse_overlay(source, problems)).collect();
        Fixture::find_files(&mut own, files.bulk, problems);
        own.into_iter().for_each(|overlay| lay_one(&mut laid, overlay, problems));
        if environment == Some(name.as_str()) {
            *fixtures = laid;
        }
    }
}

fn lay_one(fixtures: &mut Vec<Fixture>, overlay: Fixture, problems: &mut Vec<Diagnostic>) {
    let source = overlay.source.clone();
    let mut reading = Reading::new(&source, problems);
    let is_base =
        |base: &&mut Fixture| (&base.name, &base.table.text) == (&overlay.name, &overlay.table.text);
    let base = fixtures.iter_mut().find(is_base);
    match base {
        Some(base) => match &base.overlay {
            Some(earlier) => {
                let message = format!("two files of this environment are called `{}`", overlay.name);
                let other = earlier.source.path.clone();
                let problem = reading.problem(overlay.table.span, message);
                problem.notes.push(format!("the other one is `{other}`"));
                problem.help = Some("make one file of the two".to_owned());
            }
            None => base.lay(&mut reading, overlay),
        },
        None => {
            if overlay.rows.is_empty() && overlay.bulk.is_none() {
                let names = fixtures.iter().map(|fixture| fixture.name.as_str());
                let help = did_you_mean(&overlay.name, names);
                let message =
                    format!("there is no fixture `{}` of this table to lay this over", overlay.name);
                reading.problem(overlay.table.span, message).help = help;
            }
            overlay.check_whole(&mut reading, overlay.table.span);
            fixtures.push(overlay);
        }
    }
}
