//! What is running on several connections, to be ended from another thread.

use std::sync::{Arc, Mutex, PoisonError};

use crate::database::connection::Running;

/// The connections of a run. Clones are the same.
#[derive(Clone, Default)]
pub struct Watched(Arc<Mutex<Vec<Running>>>);

impl Watched {
    /// Watches over one more.
    pub fn add(&self, running: Running) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(running);
    }

    /// Forgets one that is over.
    pub fn remove(&self, running: &Running) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|other| !other.is(running));
    }

    /// Asks the server to end what they are running.
    pub fn cancel(&self) {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        all.iter().for_each(Running::cancel);
    }
}
