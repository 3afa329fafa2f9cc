//! One test binary: data-driven, whole outputs compared, against a real PostgreSQL.

mod asserting;
mod bulk;
mod cases;
mod comparing;
mod connection;
mod converging;
mod faults;
mod instructions;
mod keys;
mod output;
mod overlays;
mod planning;
mod pooler;
mod properties;
mod proxy;
mod pruning;
mod readme;
mod refinery_cli;
mod refusals;
mod roster;
mod round_trips;
mod seeding;
mod stances;
mod support;
mod tidy;
mod tls;
