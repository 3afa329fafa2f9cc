//! Everything that can break, broken on purpose: whatever happens and wherever, each effect is there
//! exactly once in the end, and whoever watches is told what to do next.
//!
//! `SEEDBED_FAULTS=all` tries every fault at every message, and more rounds of what depends on chance.

mod commits;
mod connecting;
mod databases;
mod encodings;
mod history;
mod inside;
mod output;
mod own_server;
mod proxy;
mod resumed;
mod runners;
mod secrets;
mod servers;
mod signals;
mod statements;
mod sweep;
pub mod trial;
mod wire;

/// Whether to try everything, and not only what a few seconds allow.
fn all() -> bool {
    std::env::var("SEEDBED_FAULTS").is_ok_and(|value| value == "all")
}

/// Looks again and again until something is there.
fn wait_for<T>(mut look: impl FnMut() -> Option<T>) -> T {
    let started = std::time::Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(started.elapsed().as_secs() < 30, "it never came");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
}
