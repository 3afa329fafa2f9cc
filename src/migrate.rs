//! Migrations: the only place that knows `refinery`.
//!
//! refinery plans, verifies and writes its own history; what it leaves open is closed around it:
//! each migration and its history row are one transaction (its default makes them two), a damaged
//! history is an error instead of a panic, and a failing migration is found in its file.

pub mod apply;
pub mod history;
pub mod index;
pub mod lint;
pub mod outcome;
pub mod record;
pub mod repair;
pub mod state;
pub mod stepwise;
pub mod transaction;
