//! What is being waited for, told once and not once for each try.

use std::time::{Duration, Instant};

use crate::report::event::Event;

/// How long the same thing is not told again.
const QUIET: Duration = Duration::from_secs(10);

/// What was told last.
#[derive(Default)]
pub struct Repeats {
    last: Option<(String, Instant)>,
}

impl Repeats {
    /// Whether what is going on is told by a line of its own, where no line moves.
    pub fn is_worth_a_line(&mut self, event: &Event, is_verbose: bool) -> bool {
        let is_news = self.is_news(event, Instant::now());
        match event {
            Event::Copying(_) => false, // There are too many of them.
            Event::Waiting { .. } | Event::LockHeld { .. } => is_news || is_verbose,
            Event::Retrying { .. } | Event::Settling { .. } => true,
            _ => is_verbose,
        }
    }

    /// Whether an event says something that was not just told.
    fn is_news(&mut self, event: &Event, now: Instant) -> bool {
        let gist = match event {
            Event::Waiting { target, reason, .. } => format!("{target} {reason}"),
            Event::LockHeld { holder, .. } => holder.map(|holder| holder.end()).unwrap_or_default(),
            _ => {
                self.last = None;
                return true;
            }
        };
        let is_old = self.last.as_ref().is_some_and(|(told, at)| *told == gist && now - *at < QUIET);
        if !is_old {
            self.last = Some((gist, now));
        }
        !is_old
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_reason_is_told_every_ten_seconds_and_another_at_once() {
        let start = Instant::now();
        let mut repeats = Repeats::default();
        let mut check = |second: u64, reason: &str, expected: bool| {
            let (target, reason) = ("u@h:1/d".to_owned(), reason.to_owned());
            let event = Event::Waiting { target, reason, attempt: 1, left: Duration::ZERO };
            let is_news = repeats.is_news(&event, start + Duration::from_secs(second));
            assert_eq!(is_news, expected, "at {second} s");
        };
        check(0, "refused", true);
        check(1, "refused", false);
        check(2, "starting", true);
        check(3, "refused", true);
        check(12, "refused", false);
        check(13, "refused", true);
        check(14, "refused", false);
        assert!(repeats.is_news(&Event::MigrationBegun("V1"), start));
    }
}
