//! Shown: texts of authors and servers, as a report may have them.

use super::suite::Censor;
use crate::project::diagnostic::{Diagnostic, printable};

/// A text without secrets, and with the characters made visible that nobody sees. Newlines stay; a tab is as
/// wide as in a drawn problem, and would be lost in XML.
///
/// Beside those that steer a terminal these are the ones that XML does not have, and those that end a line
/// for some readers of YAML.
pub fn block(text: &str, censor: Censor) -> String {
    let is_odd = |c: char| matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}');
    let text = printable(&censor(text)).replace('\t', "    ");
    if !text.contains(is_odd) {
        return text;
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if is_odd(c) { shown.extend(c.escape_unicode()) } else { shown.push(c) }
    }
    shown
}

/// The same on one line.
pub fn line(text: &str, censor: Censor) -> String {
    block(text, censor).replace('\n', " ")
}

/// Problems as a person reads them, drawn without colours.
pub fn drawn<'a>(diagnostics: impl IntoIterator<Item = &'a Diagnostic>, censor: Censor) -> String {
    let drawn: Vec<String> = diagnostics.into_iter().map(|it| block(&it.render(false), censor)).collect();
    drawn.join("\n")
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;

    fn censor(text: &str) -> Cow<'_, str> {
        Cow::Owned(text.replace("s3\u{1}cret", "***"))
    }

    #[test]
    fn secrets_are_gone_before_anything_is_escaped() {
        let check = |text: &str, expected: &str| assert_eq!(block(text, &censor), expected);
        check("it is s3\u{1}cret\u{1}", "it is ***\\u{1}");
        check("a\u{feff}\u{ffff}\u{2028}b\tc\nd", "a\\u{feff}\\u{ffff}\\u{2028}b    c\nd");
        assert_eq!(line("two\nlines", &censor), "two lines");
    }
}
