//! Everything that can break, broken on purpose: whatever happens and wherever, each effect is there
//! exactly once in the end, and whoever watches is told what to do next.
//!
//! `SEEDBED_FAULTS=all` tries every fault at every message, and more rounds of what depends on chance.

mod proxy;
mod sweep;
mod trial;
mod wire;

/// Whether to try everything, and not only what a few seconds allow.
fn all() -> bool {
    std::env::var("SEEDBED_FAULTS").is_ok_and(|value| value == "all")
}
