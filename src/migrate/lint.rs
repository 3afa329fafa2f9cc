//! What is dangerous about a migration on a database in use: the only place that knows `squawk-linter`.
//!
//! Only what locks out others, rewrites a table, breaks the application that is still running, or loses
//! data is told; matters of taste are not. `-- squawk-ignore rule-name` above a statement silences it.

use squawk_linter::{Linter, Rule};
use squawk_syntax::SourceFile;

use crate::project::diagnostic::Diagnostic;
use crate::project::migration::Migration;
use crate::project::source::{Span, word_length};

/// Dangerous whether or not the table has rows of somebody else.
const RULES: &[Rule] = &[
    Rule::AddingFieldWithDefault,
    Rule::AddingForeignKeyConstraint,
    Rule::AddingNotNullableField,
    Rule::AddingRequiredField,
    Rule::AddingSerialPrimaryKeyField,
    Rule::BanDropColumn,
    Rule::BanDropDatabase,
    Rule::BanDropTable,
    Rule::BanTruncateCascade,
    Rule::ChangingColumnType,
    Rule::ConstraintMissingNotValid,
    Rule::DisallowedUniqueConstraint,
    Rule::RenamingColumn,
    Rule::RenamingTable,
    Rule::RequireConcurrentIndexCreation,
    Rule::RequireConcurrentIndexDeletion,
    Rule::RequireConcurrentPartitionDetach,
];

/// Warnings at their places. SQL that the linter cannot read has none: the server will say more.
pub fn lint(migration: &Migration) -> Vec<Diagnostic> {
    let text = &migration.source.text;
    let mut linter = Linter::from(RULES.iter().copied());
    linter.settings.assume_in_transaction = !migration.directives.no_transaction;
    let violations = linter.lint(&SourceFile::parse(text), text);
    let warning = |violation: squawk_linter::Violation| {
        let start = usize::from(violation.text_range.start()).min(text.len());
        let rule = violation.code.to_string();
        Diagnostic::warning(one_line(&violation.message))
            .at(&migration.source, Span::new(start, start + word_length(&text[start..])))
            .note(format!("`-- squawk-ignore {rule}` above the statement silences this"))
            .maybe_help(violation.help.as_deref().map(one_line))
    };
    violations.into_iter().map(warning).collect()
}

/// Without a full stop and a capital, as our own messages are.
fn one_line(words: &str) -> String {
    let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut characters = words.trim_end_matches('.').chars();
    characters.next().into_iter().flat_map(char::to_lowercase).chain(characters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::source::Source;

    fn check(file: &str, text: &str, expected: &[&str]) {
        let migration = Migration::parse(Source::new(file, text)).unwrap();
        let warnings: Vec<String> = lint(&migration)
            .into_iter()
            .map(|warning| format!("{} {}", warning.place.unwrap(), warning.notes[0]))
            .collect();
        assert_eq!(warnings.len(), expected.len(), "{warnings:?}");
        for (warning, expected) in warnings.iter().zip(expected) {
            assert!(warning.starts_with(expected), "{warning}");
        }
    }

    #[test]
    fn what_is_dangerous_is_found_at_its_place_and_can_be_silenced() {
        check(
            "V1__a.sql",
            "-- ä\ncreate index i on t (a);\n",
            &["V1__a.sql:2:1 `-- squawk-ignore require-concurrent-index-creation`"],
        );
        check(
            "V1__a.sql",
            "alter table t drop column a",
            &["V1__a.sql:1:15 `-- squawk-ignore ban-drop-column`"],
        );
        check("V1__a.sql", "-- squawk-ignore ban-drop-column\nalter table t drop column a", &[]);
    }

    #[test]
    fn a_table_that_is_new_is_nobody_s_yet() {
        check("V1__a.sql", "create table t (a int);\ncreate index i on t (a);\n", &[]);
        check("V1__a.sql", include_str!("../../migrations/V1__create_roster.sql"), &[]);
    }
}
