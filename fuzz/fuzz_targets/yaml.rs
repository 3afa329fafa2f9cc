//! Any text as a fixture and as a scenario: read, or refused at a place that exists; drawn either way.
#![no_main]

use libfuzzer_sys::fuzz_target;
use seedbed::project::fixture::Fixture;
use seedbed::project::scenario::Scenario;
use seedbed::project::source::Source;

fuzz_target!(|text: &str| {
    let mut problems = Vec::new();
    Fixture::parse(Source::new("fixtures/a.yaml", text), &mut problems);
    Scenario::parse(Source::new("scenarios/a.yaml", text), &mut problems);
    for problem in problems {
        let place = problem.place.as_ref().expect("every problem of a file has a place");
        assert!(place.span.start as usize <= text.len());
        problem.render(true);
    }
});
