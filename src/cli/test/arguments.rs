//! The arguments of `test`.

use clap::{Args, ValueEnum};

use super::reports::Wanted;
use crate::cli::Refusal;
use crate::cli::options::Options;
use crate::project::diagnostic::Diagnostic;
use crate::report::exit::Exit;

/// The arguments of `test`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Scenarios to test, by file name or title [default: all]
    pub scenarios: Vec<String>,

    /// Only those that this means, like "tag:bootstrap and not kind:delete"
    ///
    /// Keys are path, title, tag and kind; a word without one is a part of path or title, or a tag.
    /// `*` makes a pattern, quotes hold a value together, and, or, not and parentheses combine.
    #[arg(long, short = 'f', value_name = "WORDS", help_heading = "Selection")]
    pub filter: Option<String>,

    /// Only those that did not hold the last time, or were not run then
    #[arg(long, help_heading = "Selection")]
    pub rerun_failed: bool,

    /// Only the part that one of several machines takes, like 2/3
    #[arg(long, value_name = "M/N", value_parser = shard, help_heading = "Selection")]
    pub shard: Option<(usize, usize)>,

    /// Show what would be tested, and test nothing
    #[arg(long, help_heading = "Selection")]
    pub list: bool,

    /// The most tests at the same time [default: as many as there are processors]
    #[arg(long, short = 'j', value_name = "N", value_parser = at_least_one, help_heading = "Tests")]
    pub jobs: Option<usize>,

    /// Begin no more tests behind one that does not hold
    #[arg(long, help_heading = "Tests")]
    pub fail_fast: bool,

    /// Test in another order, which the seed decides [default: one that is made up, and shown]
    #[arg(long, value_name = "SEED", num_args = 0..=1, require_equals = false, help_heading = "Tests")]
    pub shuffle: Option<Option<u64>>,

    /// How often to test each scenario
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..), help_heading = "Tests")]
    pub repeat: u32,

    /// Write a report: junit=FILE, tap=FILE, json=FILE, html=FILE, or github; may be given more than once
    #[arg(long, value_name = "FORM=FILE", value_parser = Wanted::read, help_heading = "Tests")]
    pub report: Vec<Wanted>,

    /// Run each scenario twice on the same database: the second time, it may write nothing
    #[arg(long, help_heading = "Tests")]
    pub twice: bool,

    /// What each test has for itself
    #[arg(long, value_name = "WHAT", default_value = "template", help_heading = "Tests")]
    pub isolate: Isolate,

    /// Keep the database of a test that does not hold, and show how to open it
    #[arg(long, help_heading = "Tests")]
    pub keep_failed: bool,
}

/// What a test has for itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Isolate {
    /// A copy of a database that was migrated once
    Template,
    /// Nothing: one after the other on the database that is named, as it is
    None,
}

impl Arguments {
    /// Refuses what does not go together.
    ///
    /// # Errors
    ///
    /// Two of them do not, or one does not go with the options.
    pub fn check(&self, options: &Options) -> Result<(), Refusal> {
        if self.isolate == Isolate::Template {
            return Ok(());
        }
        let refuse = |message: &str, help: &str| {
            Err(Refusal::new(Exit::Invalid, Diagnostic::error(message).help(help)))
        };
        if options.throwaway {
            return refuse(
                "`--isolate none` tests a database as it is, and a temporary server has none yet",
                "leave one of the two out",
            );
        }
        if self.keep_failed {
            return refuse(
                "`--isolate none` drops no database, so there is none to keep",
                "leave `--keep-failed` out",
            );
        }
        if self.jobs.is_some_and(|jobs| jobs > 1) {
            return refuse("tests on one database run one after the other", "leave `--jobs` out");
        }
        Ok(())
    }
}

fn at_least_one(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|number| *number > 0).ok_or_else(|| "it is a number from 1 on".to_owned())
}

fn shard(text: &str) -> Result<(usize, usize), String> {
    let numbers =
        text.split_once('/').and_then(|(number, of)| Some((number.parse().ok()?, of.parse().ok()?)));
    match numbers {
        Some((number, of)) if (1..=of).contains(&number) => Ok((number, of)),
        Some(_) => Err("the first number goes from 1 to the second".to_owned()),
        None => Err("it is written M/N: part 2 of 3 is 2/3".to_owned()),
    }
}
