//! Markdown in which nobody else's text is markup: it stands in code spans and fenced blocks, with fences
//! that are longer than any in it.

/// The most characters in a code span.
const SPAN_MAX: usize = 200;
/// The most bytes in a fenced block.
const BLOCK_MAX: usize = 64 * 1024;

/// A text on one line.
pub fn span(text: &str) -> String {
    let mut text = match text.char_indices().nth(SPAN_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    };
    if text.trim().is_empty() {
        return "(nothing)".to_owned();
    }
    if text.starts_with(['`', ' ']) || text.ends_with(['`', ' ']) {
        text = format!(" {text} "); // A blank on either side is not shown.
    }
    let fence = "`".repeat(longest_run(&text) + 1);
    format!("{fence}{text}{fence}")
}

/// The same in a table, whose columns are told apart first.
pub fn cell(text: &str) -> String {
    span(text).replace('|', "\\|")
}

/// A text of several lines; of a very long one, those at its begin.
pub fn block(text: &str) -> String {
    let mut end = BLOCK_MAX.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let (shown, left) = text.split_at(end);
    let more = if left.is_empty() { String::new() } else { format!("… {} more bytes\n", left.len()) };
    let newline = if shown.is_empty() || shown.ends_with('\n') { "" } else { "\n" };
    let fence = "`".repeat((longest_run(text) + 1).max(3));
    format!("{fence}text\n{shown}{newline}{more}{fence}\n")
}

fn longest_run(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_ends_a_span_or_a_block() {
        let check = |text: &str, expected: &str| assert_eq!(span(text), expected);
        check("a", "`a`");
        check("a ``b`` c", "```a ``b`` c```");
        check("`", "`` ` ``");
        check(" a", "`  a `");
        check("", "(nothing)");
        assert_eq!(cell("a|b"), "`a\\|b`");
        assert_eq!(block("a\n````\nb"), "`````text\na\n````\nb\n`````\n");
    }

    #[test]
    fn what_is_long_is_cut_and_says_so() {
        assert!(span(&"é".repeat(1000)).ends_with("é…`"));
        let cut = block(&"é".repeat(BLOCK_MAX));
        assert!(cut.len() < BLOCK_MAX + 100, "{}", cut.len());
        assert!(cut.ends_with(&format!("é\n… {BLOCK_MAX} more bytes\n```\n")));
    }
}
