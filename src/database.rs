//! DOING: one resource a file. The only place that knows `postgres`.

pub mod catalog;
pub mod clock;
pub mod connection;
pub mod create;
pub mod databases;
pub mod describe;
pub mod dsn;
pub mod environment;
pub mod error;
pub mod facts;
pub mod ledger;
pub mod lock;
pub mod passfile;
pub mod proxy;
pub mod retry;
pub mod secret;
pub mod session;
pub mod throwaway;
pub mod tls;
