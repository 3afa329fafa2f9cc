//! The command line: arguments and words, and one library call per command.

mod cache;
mod censor;
mod check;
mod dsn;
mod environment;
mod interrupt;
mod new;
mod options;
mod out;
mod plan;
mod protect;
mod repair;
mod repeats;
mod schema;
mod status;
mod target;
mod terminal;
mod test;
mod up;
mod update;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::project::diagnostic::Diagnostic;
use crate::report::exit::Exit;
use crate::run::Stop;
use crate::step::seed::Purpose;
use options::Options;

/// Migrations prepare the bed, fixtures fill it, scenarios prove what grew.
///
/// A project is a directory with `migrations/*.sql`, `fixtures/*.yaml` and `scenarios/*.yaml`.
/// Every command may be run again: what is there already is left alone, and said to be there.
#[derive(Debug, Parser)]
#[command(name = "seedbed", version, max_term_width = 100, after_help = AFTER_HELP, disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    options: Options,
}

const AFTER_HELP: &str = "\
Where the database is:
  --url, else CONNECTION_STRING, else DATABASE_URL, else PGHOST, PGDATABASE and the other PG*
  variables; each may stand in a .env file in the project or above it. --throwaway needs none.

Examples:
  seedbed up --throwaway         try the project on a database that is gone afterwards
  seedbed up --wait 2min         in a deployment: wait for the server, migrate, run the scenarios
  seedbed test                   test each scenario on a database of its own, side by side
  seedbed check                  find every mistake that can be found without a database
  seedbed new fixture employees  begin a fixture from the columns of the table

Exit status:
  0 everything held                    3 the database is out of reach, or refused us
  1 a step did not hold, or its SQL    4 a migration failed, or the history does not fit
  2 usage, or the project is invalid   5 another runner held the lock for too long
                                       6 a commit whose outcome could not be learned
                                       7 the database is protected, or another one
  130, 143 interrupted; the running step was rolled back";

#[derive(Debug, Subcommand)]
enum Command {
    /// Migrate, then run the scenarios
    ///
    /// Waits for the database, applies pending migrations, each in a transaction of its own, and
    /// runs the scenarios in the order of their files, each step in a transaction of its own. The
    /// first step of a scenario that does not hold is rolled back and ends that scenario.
    Up {
        /// Scenarios to run, by file name or title [default: all]
        scenarios: Vec<String>,
        #[command(flatten)]
        update: update::Update,
    },
    /// Apply pending migrations
    ///
    /// Each file of `migrations/` is applied once, in one transaction with its row in refinery's
    /// history table. Files are named `V1__what_it_does.sql`.
    Migrate,
    /// Apply fixtures
    ///
    /// Rows that are missing are inserted in one transaction; references between fixtures are
    /// resolved whatever their order. Migrations are not applied: `up` or `migrate` does that.
    Seed {
        /// Fixtures to apply, by name [default: all]
        fixtures: Vec<String>,
        /// Only show which rows would be inserted, updated and deleted
        #[arg(long)]
        plan: bool,
    },
    /// Remove the rows that fixtures name
    ///
    /// Exactly these rows, found by their keys, in one transaction; those that others refer to stay,
    /// and so does all. What nobody named is never deleted along with them.
    Unseed {
        /// Fixtures whose rows are removed, by name
        #[arg(required = true)]
        fixtures: Vec<String>,
        /// Only show which rows would be deleted
        #[arg(long)]
        plan: bool,
    },
    /// Run scenarios
    ///
    /// Like `up`, without migrating.
    Run {
        /// Scenarios to run, by file name or title [default: all]
        scenarios: Vec<String>,
        #[command(flatten)]
        update: update::Update,
    },
    /// Test each scenario on a database of its own
    ///
    /// The migrations are applied once, to a template; each scenario runs on a copy of it, which is
    /// dropped afterwards, several side by side. Without a database to be found (see below), a
    /// temporary server is started; with one, its server is used, and the role needs CREATEDB. The
    /// database that is named is never written to.
    Test(test::Arguments),
    /// Show what `up` would do
    ///
    /// Lists the pending migrations, with what is dangerous about them on a database in use, and the
    /// steps behind them. Where none is pending, it shows the rows that `seed` and `add` would insert,
    /// update and delete. Writes nothing. `up --dry-run` does all of it and rolls it back.
    Plan {
        /// Scenarios to show, by file name or title [default: all]
        scenarios: Vec<String>,
    },
    /// Show which migrations are applied, pending, or do not fit, and what ran last
    ///
    /// Writes nothing. Exits with 4 when the history does not fit the files.
    Status {
        /// Exit with 1 when migrations are pending
        #[arg(long)]
        exit_code: bool,
    },
    /// Accept changed migration files
    ///
    /// Without versions, shows each row of the history whose file has changed since, with the old and
    /// the new checksum. With versions, writes these rows anew. No migration is run.
    Repair {
        /// Versions to write anew
        versions: Vec<i64>,
    },
    /// Record migrations as applied without running them
    ///
    /// For a database that has the tables already and was never migrated by a tool. Every file up to
    /// the version is recorded; those above it are pending.
    Baseline {
        /// The version that the database is at
        version: i32,
    },
    /// Show or record what the database is, and whether it is protected
    ///
    /// The name is kept in the database itself. Steps that delete are refused where it is protected, or
    /// is another one than --environment says, unless --confirm names it.
    Environment(protect::Record),
    /// Find mistakes without running anything
    ///
    /// Reads every file and lists everything that can be known to be wrong without a database, all
    /// at once, each at its file, line and column.
    Check,
    /// Print the JSON Schema of scenarios and fixtures, for editors
    ///
    /// Save it, and name it in the first line of a file, so that an editor with a YAML language server
    /// completes keys and underlines mistakes: `# yaml-language-server: $schema=../scenario.schema.json`
    Schema {
        /// Whose [default: of both]
        file: Option<schema::Which>,
    },
    /// Begin a new file
    #[command(subcommand)]
    New(new::New),
}

/// Runs the command line of this process, and says how it ended.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(error.exit_code() as u8);
        }
    };
    cli.options.color.apply();
    let exit = match &cli.command {
        Command::Up { scenarios, update } => up::up(&cli.options, scenarios, up::Migrations::First, update),
        Command::Run { scenarios, update } => up::up(&cli.options, scenarios, up::Migrations::Not, update),
        Command::Migrate => up::migrate(&cli.options),
        Command::Seed { fixtures, plan } => {
            up::seed(&cli.options, fixtures, Purpose::ApplyWithParents, *plan)
        }
        Command::Unseed { fixtures, plan } => up::seed(&cli.options, fixtures, Purpose::Remove, *plan),
        Command::Test(arguments) => test::test(&cli.options, arguments),
        Command::Plan { scenarios } => plan::plan(&cli.options, scenarios),
        Command::Status { exit_code } => status::status(&cli.options, *exit_code),
        Command::Repair { versions } => repair::repair(&cli.options, versions),
        Command::Baseline { version } => repair::baseline(&cli.options, *version),
        Command::Environment(record) => protect::environment(&cli.options, record),
        Command::Check => check::check(&cli.options),
        Command::Schema { file } => Ok(schema::schema(*file)),
        Command::New(new) => new::new(&cli.options, new),
    };
    let exit = exit.unwrap_or_else(|refusal| {
        terminal::refuse(&cli.options, &refusal);
        refusal.exit
    });
    ExitCode::from(reported(exit).code())
}

/// The exit status once the report is out: one that did not arrive is a failure as well, whatever the
/// database has by now.
fn reported(exit: Exit) -> Exit {
    let Some(reason) = out::failure() else { return exit };
    terminal::print_diagnostics(&[Diagnostic::error(format!("the report could not be written: {reason}"))
        .note("the database has what was done: only the words about it are lost")
        .help("make room for it, and run again: what is there is left alone")]);
    if exit == Exit::Held { Exit::DidNotHold } else { exit }
}

/// Why a command did not begin its work.
struct Refusal {
    exit: Exit,
    diagnostics: Vec<Diagnostic>,
}

impl From<Stop> for Refusal {
    fn from(stop: Stop) -> Refusal {
        Refusal { exit: stop.exit, diagnostics: stop.diagnostics }
    }
}

impl Refusal {
    /// Puts warnings that were not shown yet before it.
    fn behind(mut self, warnings: Vec<Diagnostic>) -> Refusal {
        self.diagnostics.splice(0..0, warnings);
        self
    }

    fn new(exit: Exit, diagnostic: Diagnostic) -> Refusal {
        Refusal { exit, diagnostics: vec![diagnostic] }
    }
}
