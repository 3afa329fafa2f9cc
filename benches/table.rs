//! The table, as Markdown for the README.

use std::fmt;
use std::thread::available_parallelism;

use crate::measure::Measured;
use crate::server::Server;

/// Rows under a line that says where they were measured.
pub struct Table {
    caption: String,
    rows: Vec<Row>,
}

/// One figure.
#[derive(Default)]
pub struct Row {
    what: String,
    figure: String,
    spread: String,
    ratio: String,
    target: String,
}

impl Table {
    /// A table without rows.
    pub fn new(server: &Server, rounds: usize) -> Table {
        let cores = available_parallelism().map_or(1, usize::from);
        let (system, processor) = (std::env::consts::OS, std::env::consts::ARCH);
        let version = server.version();
        let caption = format!(
            "Wall times of whole processes, medians of {rounds} runs in turn; \
             PostgreSQL {version} on the same machine, through its socket; {system}, {processor}, {cores} cores."
        );
        Table { caption, rows: Vec::new() }
    }

    /// Adds a row.
    pub fn push(&mut self, row: Row) {
        self.rows.push(row);
    }
}

impl fmt::Display for Table {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "{}\n", self.caption)?;
        writeln!(formatter, "| | measured | eight of ten runs | to `psql` | target |")?;
        writeln!(formatter, "|---|---:|---:|---:|---|")?;
        for Row { what, figure, spread, ratio, target } in &self.rows {
            writeln!(formatter, "| {what} | {figure} | {spread} | {ratio} | {target} |")?;
        }
        Ok(())
    }
}

impl Row {
    /// Any figure.
    pub fn new(what: impl Into<String>, figure: impl Into<String>) -> Row {
        Row { what: what.into(), figure: figure.into(), ..Row::default() }
    }

    /// The median of times and how far they are apart, or why they were not measured.
    pub fn times(what: &str, measured: &Measured) -> Row {
        match measured {
            Ok(times) => {
                let [low, median, high] = [0.1, 0.5, 0.9].map(|part| times.milliseconds(part));
                let spread = format!("{low:.1} – {high:.1} ms");
                Row { spread, ..Row::new(what, format!("{median:.1} ms")) }
            }
            Err(why) => Row::new(what, format!("not measured: {why}")),
        }
    }

    /// How many times as long as `psql` it takes, if that is known.
    pub fn ratio(mut self, ratio: Option<f64>) -> Row {
        self.ratio = ratio.map_or(String::new(), |ratio| format!("{ratio:.2} ×"));
        self
    }

    /// What is aimed at, and whether it is met, if that is known.
    pub fn target(mut self, target: &str, is_met: Option<bool>) -> Row {
        let mark = match is_met {
            Some(true) => " ✓",
            Some(false) => " ✗ missed",
            None => "",
        };
        self.target = format!("{target}{mark}");
        self
    }
}
