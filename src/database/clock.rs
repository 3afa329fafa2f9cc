//! The run's one clock: how much time is left, and whether somebody wants it to end.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::error::Error;

/// A deadline, and a signal that every wait of the run hears. Clones are the same clock.
#[derive(Clone)]
pub struct Clock {
    limit: Duration,
    deadline: Option<Instant>,
    raised: Arc<Raised>,
}

#[derive(Default)]
struct Raised {
    signal: Mutex<Option<(i32, Instant)>>,
    arrived: Condvar,
}

impl Clock {
    /// Starts a run that may take this long; zero for no limit.
    pub fn start(limit: Duration) -> Clock {
        let deadline = if limit.is_zero() { None } else { Instant::now().checked_add(limit) };
        Clock { limit, deadline, raised: Arc::default() }
    }

    /// Asks the run to end because of this signal. Only the first one counts.
    pub fn interrupt(&self, signal: i32) {
        let mut raised = self.raised.signal.lock().unwrap_or_else(PoisonError::into_inner);
        raised.get_or_insert((signal, Instant::now()));
        self.raised.arrived.notify_all();
    }

    /// The signal that asked the run to end, and how long ago it did.
    pub fn interrupted(&self) -> Option<(i32, Duration)> {
        let raised = self.raised.signal.lock().unwrap_or_else(PoisonError::into_inner);
        raised.map(|(signal, at)| (signal, at.elapsed()))
    }

    /// The shorter of a time and of what is left of the run.
    pub fn bound(&self, time: Duration) -> Duration {
        match self.deadline {
            Some(deadline) => time.min(deadline.saturating_duration_since(Instant::now())),
            None => time,
        }
    }

    /// Whether the run may go on.
    ///
    /// # Errors
    ///
    /// A signal has asked it to end, or its time is over.
    pub fn check(&self) -> Result<(), Error> {
        if let Some((signal, _)) = self.interrupted() {
            return Err(Error::Interrupted(signal));
        }
        match self.deadline {
            Some(deadline) if Instant::now() >= deadline => Err(Error::Late(self.limit)),
            _ => Ok(()),
        }
    }

    /// Waits, and ends early with the error of [`Clock::check`] if the run may not go on.
    pub fn sleep(&self, pause: Duration) -> Result<(), Error> {
        let pause = self.bound(pause);
        let raised = self.raised.signal.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.raised.arrived.wait_timeout_while(raised, pause, |signal| signal.is_none());
        drop(waited);
        self.check()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_ends_a_sleep_and_everything_behind_it() {
        let clock = Clock::start(Duration::ZERO);
        assert!(clock.sleep(Duration::from_millis(1)).is_ok());
        let other = clock.clone();
        let sleeper = std::thread::spawn(move || other.sleep(Duration::from_secs(60)));
        clock.interrupt(15);
        clock.interrupt(2);
        assert_eq!(sleeper.join().unwrap(), Err(Error::Interrupted(15)));
        assert_eq!(clock.check(), Err(Error::Interrupted(15)));
    }

    #[test]
    fn the_deadline_bounds_every_wait() {
        let limit = Duration::from_millis(5);
        let clock = Clock::start(limit);
        assert!(clock.bound(Duration::from_secs(60)) <= limit);
        assert_eq!(clock.sleep(Duration::from_secs(60)), Err(Error::Late(limit)));
        assert_eq!(Clock::start(Duration::ZERO).bound(limit), limit);
    }
}
