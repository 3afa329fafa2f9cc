//! TO DO: what will be sent to the server, decided before anything is sent.
//!
//! A step of any kind becomes one [`Batch`]: one statement in one transaction, and a pure judgement
//! of what comes back. What a query of the author's returns is known only to the server, so a batch
//! may be one step further away: the query is described first, and its columns make the statement.

pub mod capture;
pub mod catalog;
pub mod cell;
pub mod description;
pub mod fact;
pub mod fit;
pub mod float;
pub mod intake;
pub mod names;
pub mod quote;
pub mod resolve;
pub mod sent;
pub mod snapshot;
pub mod staged;
pub mod wrote;

use std::fmt;
use std::sync::Arc;

use crate::project::diagnostic::Diagnostic;
use crate::project::edit::Edit;
use crate::project::source::Place;
use crate::project::values::Captured;
use capture::Capture;

use crate::step::Outcome;
use description::Description;
use fact::Fact;
use intake::Unit;
use wrote::Written;

/// One transaction: a statement, and what its answer means.
pub struct Batch {
    /// Whether the transaction may write.
    pub access: Access,
    /// What is sent.
    pub shape: Shape,
    /// What makes that needless, if anything can.
    pub shortcut: Option<Shortcut>,
    /// What it deletes, if it may delete anything.
    pub deletion: Option<Deletion>,
    /// Judges a second answer to the same statement, when the first has written something.
    pub settled: Option<JudgeSettled>,
    /// How its row is captured, if a later step takes something from it.
    pub capture: Option<Capture>,
    /// Judges what the transaction has written, where the author says what it may.
    pub permits: Option<JudgeWritten>,
    /// What to look at, whatever comes of it.
    pub warnings: Vec<Diagnostic>,
    /// SQLSTATEs of the statement that are an end the kind knows, not a fault.
    pub refusals: &'static [(&'static str, Outcome)],
}

/// A condition under which a batch has nothing to do. It is asked along with BEGIN, so it costs no
/// round trip, and saves planning and running a statement that would find the same.
pub struct Shortcut {
    /// An SQL condition.
    pub condition: String,
    /// How the step ends where it holds.
    pub outcome: Outcome,
    /// A few words beside it.
    pub detail: &'static str,
}

/// How far a batch is from being sent.
pub enum Shape {
    /// It is ready.
    Ready(Question),
    /// It is several statements with rows of files between them, and one answer.
    Series {
        /// What is done, in order.
        units: Vec<Unit>,
        /// What all of their answers mean together.
        judge: Judge,
    },
    /// A query of the author's decides by its columns what is sent.
    Described {
        /// The query as it is. It is never run so, only described.
        query: Statement,
        /// What is asked before that, if its answer may be enough.
        guess: Option<Guess>,
        /// Makes what is asked first from what the server says of the query, if that may be enough.
        quick: CompileQuick,
        /// Makes the question from it.
        compile: Compile,
    },
    /// Statements of the author's, each sent by itself, whose rows nobody looks at.
    Script {
        /// The statements, in order.
        statements: Vec<Scripted>,
        /// How the step ends when none of them fails.
        outcome: Outcome,
    },
    /// Facts that are found out one after the other; at least one.
    Facts(Vec<Fact>),
}

/// A statement of the author's, with its parameters by number.
pub struct Scripted {
    /// As it is, without values.
    pub query: Statement,
    /// Gives its parameters their values, when the server has said what they are used as; nothing where it
    /// has none.
    pub bind: Option<Bind>,
}

/// Makes a statement with values of what the server says of one without.
pub type Bind = Box<dyn Fn(&Description) -> Result<Statement, Vec<Diagnostic>> + Send + Sync>;

/// A statement, and what its answer means.
pub struct Question {
    /// What is sent.
    pub statement: Statement,
    /// What the answer means.
    pub judge: Judge,
}

/// A cheap statement whose answer may say that a step holds. If it does not, nothing is known.
pub struct Quick {
    /// What is sent.
    pub statement: Statement,
    /// How the step ended, if that is certain.
    pub judge: JudgeIfCertain,
}

/// The author's query itself, of which nothing is known yet. Where it runs and the step holds, nothing
/// has to be described; where it does not, nothing has happened.
pub struct Guess {
    /// What is sent. Its columns may be of any type.
    pub statement: Statement,
    /// Says how the step ended, if that is certain.
    pub judge: JudgeGuess,
}

/// What a guess has found.
#[derive(Debug, Default)]
pub struct Found {
    /// The query's columns; unknown when no row came back. What its parameters are used as is unknown:
    /// they are told as texts.
    pub description: Option<Description>,
    /// The rows as texts, if all of their values are of types that are read here.
    pub rows: Option<Answer>,
}

/// Says how a step ended, if what a guess has found leaves no doubt.
pub type JudgeGuess = Box<dyn Fn(&Found) -> Option<Judgement> + Send + Sync>;

/// Says how a step ended, if an answer leaves no doubt.
pub type JudgeIfCertain = Box<dyn Fn(&Answer) -> Option<Judgement> + Send + Sync>;

/// Makes a quick statement of a query's description, if there is one.
pub type CompileQuick = Box<dyn Fn(&Description) -> Option<Quick> + Send + Sync>;

/// Makes a question of a query's description, or says what is wrong with it.
pub type Compile = Box<dyn Fn(&Description) -> Result<Question, Vec<Diagnostic>> + Send + Sync>;

/// Judges an answer: how the step ended, or the problems that left it without an end.
pub type Judge = Box<dyn Fn(&Answer) -> Result<Judgement, Vec<Diagnostic>> + Send + Sync>;

/// How far a batch that deletes goes.
pub struct Deletion {
    /// Tables, quoted, that nobody else may write to meanwhile: what is not named in them is deleted.
    pub alone: Vec<String>,
    /// From an answer to what the step itself changes, by table. Where this is known, nothing may follow
    /// in other tables or rows, by a cascade or trigger.
    pub reach: Option<JudgeReach>,
}

/// What a step itself has changed, according to an answer.
pub type JudgeReach = Box<dyn Fn(&Answer) -> Vec<Reach> + Send + Sync>;

/// How many rows of a table a step itself has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reach {
    /// The table's object id.
    pub table: u32,
    /// Rows it updated.
    pub updated: usize,
    /// Rows it deleted.
    pub deleted: usize,
}

/// Judges whether what was written stays as it was written.
pub type JudgeSettled = Box<dyn Fn(&Answer) -> Result<(), Vec<Diagnostic>> + Send + Sync>;

/// Judges all that a transaction has written: what is wrong with it, if anything is.
pub type JudgeWritten = Box<dyn Fn(&Written) -> Option<Diagnostic> + Send + Sync>;

impl Batch {
    /// A batch of this shape, and nothing beside it.
    pub fn of(access: Access, shape: Shape) -> Batch {
        Batch {
            access,
            shape,
            shortcut: None,
            deletion: None,
            settled: None,
            capture: None,
            permits: None,
            warnings: Vec::new(),
            refusals: &[],
        }
    }

    /// A batch whose statement is ready.
    pub fn ready(
        access: Access,
        statement: Statement,
        refusals: &'static [(&'static str, Outcome)],
        judge: Judge,
    ) -> Batch {
        Batch { refusals, ..Batch::of(access, Shape::Ready(Question { statement, judge })) }
    }

    /// What is sent first: the statement, or the query that is described; nothing where that is not known.
    pub fn first(&self) -> Option<&Statement> {
        match &self.shape {
            Shape::Ready(question) => Some(&question.statement),
            Shape::Series { units, .. } => Some(&units[0].statement),
            Shape::Described { query, .. } => Some(query),
            Shape::Script { statements, .. } => Some(&statements[0].query),
            Shape::Facts(facts) => facts.iter().find_map(|fact| match fact {
                Fact::Asked(asked) => Some(&asked.statement),
                Fact::Tried(tried) => tried.batch.first(),
                Fact::Kept(_) => None,
            }),
        }
    }
}

impl fmt::Debug for Batch {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Batch")
            .field("statement", &self.first().map(|first| &first.sql))
            .finish_non_exhaustive()
    }
}

/// Whether a transaction may write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// `begin read only`
    Read,
    /// `begin read write`
    Write,
}

/// SQL with its parameters. Every column it returns is text.
#[derive(Default)]
pub struct Statement {
    /// The text, with `$1`…
    pub sql: String,
    /// The values, in order.
    pub parameters: Vec<Parameter>,
    /// Finds the place of a character position in a part of `sql` that the author wrote.
    pub locate: Option<Locate>,
    /// Where it stands, if all of it is the author's.
    pub place: Option<Place>,
    /// The rows inside list parameters, to find the one that the server refused.
    pub staged: staged::Staged,
}

/// From a character position in the SQL, as the server counts, to the author's place, and to better
/// words for the error when the SQL there is not the author's own.
pub type Locate = Box<dyn Fn(usize) -> Option<(Place, Option<String>)> + Send + Sync>;

/// A value bound to a statement: always as text, which the server reads by the type it needs.
#[derive(Clone)]
pub struct Parameter {
    /// The value.
    pub value: Value,
    /// Where the author wrote it.
    pub place: Option<Place>,
    /// What it is for, like `employees.name`.
    pub what: String,
}

/// The value of a parameter.
#[derive(Clone)]
pub enum Value {
    /// One text, or NULL, of the type that its use tells.
    Text(Option<String>),
    /// One text, or NULL, whose use tells no type.
    Untyped(Option<String>),
    /// A `text[]`.
    List(Vec<Option<String>>),
}

impl Statement {
    /// Binds a text and returns its `$n`.
    pub fn bind(&mut self, value: Option<String>, place: Option<Place>, what: impl Into<String>) -> String {
        self.parameters.push(Parameter { value: Value::Text(value), place, what: what.into() });
        format!("${}", self.parameters.len())
    }

    /// The same with another text as its first parameter.
    pub fn with_first(&self, text: &str) -> Statement {
        let mut statement = Statement { sql: self.sql.clone(), ..Statement::default() };
        statement.parameters = self.parameters.clone();
        if let Some(first) = statement.parameters.first_mut() {
            first.value = Value::Text(Some(text.to_owned()));
        }
        statement
    }

    /// Binds a list of texts and returns its `$n`.
    pub fn bind_list(&mut self, values: Vec<Option<String>>) -> String {
        self.parameters.push(Parameter { value: Value::List(values), place: None, what: String::new() });
        format!("${}", self.parameters.len())
    }
}

/// What came back: rows of texts, and of NULLs.
pub type Answer = Vec<Vec<Option<String>>>;

/// How a step ended.
#[derive(Debug)]
pub struct Judgement {
    /// The end.
    pub outcome: Outcome,
    /// A few words beside it, like `2 rows`.
    pub detail: Option<String>,
    /// What to tell when this end is not accepted.
    pub problem: Option<Diagnostic>,
    /// The row it is about, if that is asked for and known.
    pub captured: Option<Captured>,
    /// How its step can be written anew, so that it ends as it is expected to.
    pub rewrite: Option<Rewrite>,
    /// Whether it has written something, which is kept if this end is accepted. One that has not keeps
    /// nothing, not even what a trigger made of its attempt.
    pub has_written: bool,
}

impl Judgement {
    /// An end of which nothing more is to be said.
    pub fn of(outcome: Outcome) -> Judgement {
        let has_written = outcome.has_written();
        Judgement { outcome, detail: None, problem: None, captured: None, rewrite: None, has_written }
    }
}

/// How a step can be written anew. It takes time to find out, so it is asked for where it is wanted.
#[derive(Clone)]
pub struct Rewrite(Arc<dyn Fn() -> Result<Rewritten, String> + Send + Sync>);

/// A step that is written anew.
#[derive(Debug)]
pub struct Rewritten {
    /// What is changed in its file.
    pub edits: Vec<Edit>,
    /// How it ends then.
    pub outcome: Outcome,
    /// A few words beside that.
    pub detail: Option<String>,
    /// The row it is about then.
    pub captured: Option<Captured>,
}

impl Rewrite {
    /// Of something that finds it out, or says why it cannot be.
    pub fn new(find: impl Fn() -> Result<Rewritten, String> + Send + Sync + 'static) -> Rewrite {
        Rewrite(Arc::new(find))
    }

    /// Finds it out.
    ///
    /// # Errors
    ///
    /// The reason why the step stays as it is.
    pub fn find(&self) -> Result<Rewritten, String> {
        (self.0)()
    }
}

impl fmt::Debug for Rewrite {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Rewrite").finish_non_exhaustive()
    }
}

/// A cell of an answer as text, NULL as the empty text.
pub fn text(row: &[Option<String>], column: usize) -> &str {
    row.get(column).and_then(Option::as_deref).unwrap_or_default()
}

/// A cell of an answer as a number; 0 when it is none.
pub fn number(row: &[Option<String>], column: usize) -> usize {
    text(row, column).parse().unwrap_or_default()
}
