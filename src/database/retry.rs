//! How often and how long to try again: the only file that knows `backoff`.
//!
//! Only the crate's arithmetic is used. Its own loops ignore the total for some errors, cap no
//! attempts, and sleep deaf to everything.

use std::time::{Duration, Instant};

use backoff::ExponentialBackoff;
use backoff::backoff::Backoff;

/// When to try again, and when to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// The most tries, the first one included.
    pub attempts_max: u32,
    /// The pause after the first try; each further one is twice as long.
    pub delay_first: Duration,
    /// The longest pause.
    pub delay_max: Duration,
    /// The most time from the first try to the start of the last.
    pub total_max: Duration,
}

/// The tries of one piece of work.
pub struct Attempts {
    policy: Policy,
    delays: ExponentialBackoff,
    started: Instant,
    made: u32,
}

impl Attempts {
    /// Begins the first try.
    pub fn begin(policy: Policy) -> Attempts {
        let delays = ExponentialBackoff {
            current_interval: policy.delay_first,
            initial_interval: policy.delay_first,
            // Replicas that fail together must not come back together.
            randomization_factor: 0.25,
            multiplier: 2.0,
            max_interval: policy.delay_max,
            max_elapsed_time: None,
            ..ExponentialBackoff::default()
        };
        Attempts { policy, delays, started: Instant::now(), made: 1 }
    }

    /// The number of tries begun, counted from 1.
    pub fn made(&self) -> u32 {
        self.made
    }

    /// The time since the first try began.
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// The pause before the next try, or `None` when there will be none.
    pub fn next_delay(&mut self) -> Option<Duration> {
        if self.made >= self.policy.attempts_max {
            return None;
        }
        let left = self.policy.total_max.checked_sub(self.started.elapsed())?;
        if left.is_zero() {
            return None;
        }
        self.made += 1;
        self.delays.next_backoff().map(|delay| delay.min(left))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_within_their_jitter_and_end_with_the_attempts() {
        let policy = Policy {
            attempts_max: 4,
            delay_first: Duration::from_secs(1),
            delay_max: Duration::from_secs(3),
            total_max: Duration::from_secs(60),
        };
        let mut attempts = Attempts::begin(policy);
        for expected in [1.0, 2.0, 3.0] {
            let delay = attempts.next_delay().unwrap().as_secs_f64();
            assert!((expected * 0.74..expected * 1.26).contains(&delay), "{delay} is not about {expected}");
        }
        assert_eq!(attempts.next_delay(), None);
        assert_eq!(attempts.made(), 4);
    }

    #[test]
    fn nothing_begins_behind_the_total() {
        let policy = Policy {
            attempts_max: u32::MAX,
            delay_first: Duration::from_secs(1),
            delay_max: Duration::from_secs(3),
            total_max: Duration::ZERO,
        };
        assert_eq!(Attempts::begin(policy).next_delay(), None);
    }
}
