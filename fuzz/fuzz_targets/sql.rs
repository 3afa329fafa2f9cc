//! Any text as SQL: tokens without gaps, statements in order, parameters that are found again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use seedbed::project::directive::Directives;
use seedbed::project::source::Source;
use seedbed::project::sql::{lexer, parameters, statements};

fuzz_target!(|text: &str| {
    if let Ok(tokens) = lexer::tokens(text) {
        let mut end = 0;
        for token in &tokens {
            assert!(token.start == end && token.end > end && text.is_char_boundary(token.end));
            end = token.end;
        }
        assert_eq!(end, text.len());
    }
    if let Ok(ranges) = statements::statements(text) {
        let mut end = 0;
        for range in ranges {
            assert!(range.start >= end && range.end > range.start);
            end = range.end;
            statements::peculiarity(&text[range]);
        }
    }
    if let Ok(found) = parameters::parameters(text) {
        for position in 0..=found.sql.chars().count() + 1 {
            found.original(position);
        }
    }
    let _ = Directives::parse(&Source::new("V1__a.sql", text));
});
