//! One test binary: data-driven, whole outputs compared, against a real PostgreSQL.

mod cases;
mod connection;
mod roster;
mod seeding;
mod support;
mod tidy;
