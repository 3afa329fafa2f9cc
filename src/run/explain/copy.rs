//! What the server says of a row it was copying: its line, and maybe its column.

/// The line and the column of a context like `COPY t, line 3, column name: "x"`, whose words are in the
/// server's language. Lines are counted from 1.
pub fn line(context: &str) -> Option<(u64, Option<&str>)> {
    let copy = context.lines().find(|line| line.starts_with("COPY "))?;
    let mut parts = copy.splitn(4, ", ").skip(1);
    let line = parts.next()?;
    let digits = line.find(|c: char| c.is_ascii_digit())?;
    let digits = &line[digits..];
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    // Behind a colon stands the line itself, which may hold anything.
    let column = parts.next().filter(|_| !line.contains(':')).and_then(|part| {
        let words = part.split(": ").next()?;
        words.rsplit(' ').next().filter(|word| !word.is_empty())
    });
    Some((digits[..end].parse().ok()?, column))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_is_found_whatever_the_language() {
        let check = |context: &str, expected| assert_eq!(line(context), expected, "{context}");
        check("COPY seedbed_1_1, line 3, column c2: \"x\"", Some((3, Some("c2"))));
        check("COPY seedbed_1_1, line 12: \"a,b, line 7\"", Some((12, None)));
        check("COPY t, Zeile 40, Spalte name: \"a: b\"", Some((40, Some("name"))));
        check("COPY t, line 5, column c1, null input", Some((5, Some("c1"))));
        check("unnamed portal parameter $1", None);
    }
}
