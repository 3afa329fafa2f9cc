//! Where a second document begins.

/// The byte of the `---` behind which a second document stands. Three hyphens at the start of a line
/// are never anything else, whatever stands around them.
pub fn second(text: &str) -> Option<usize> {
    let mut start = 0;
    let mut has_begun = false;
    for line in text.split_inclusive(['\n', '\r']) {
        let is_marker = line.strip_prefix("---").is_some_and(|rest| rest.trim_start().len() != rest.len())
            || line == "---";
        if is_marker && has_begun {
            return Some(start);
        }
        let is_content = !line.trim().is_empty() && !line.starts_with(['#', '%']);
        has_begun |= is_marker || is_content;
        start += line.len();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_marker_begins_no_second_document() {
        let check = |text: &str, expected: Option<usize>| assert_eq!(second(text), expected, "{text:?}");
        check("---\na: 1\n", None);
        check("# why\n%YAML 1.1\n---\na: 1\n", None);
        check("a: 1\n---\nb: 2\n", Some(5));
        check("---\n---", Some(4));
        check("a: 1\r\n--- b", Some(6));
        check("a: ---\n", None);
    }
}
