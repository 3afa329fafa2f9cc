//! COPY: the rows of a file, streamed to the server.

use std::io::Write;
use std::sync::mpsc;

use super::wait::{Hurry, lost, receive};
use super::{Job, Session};
use crate::database::error::Error;
use crate::plan::intake::Intake;
use crate::project::diagnostic::Diagnostic;

/// How many bytes are sent at once.
const CHUNK_BYTES: usize = 64 << 10;
/// After how many chunks the client's thread says how far it is.
const CHUNKS_BETWEEN_WORDS: u64 = 16;

/// How far a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Copied {
    /// Rows sent.
    pub rows: u64,
    /// Bytes of the file that were read, as it lies on disk.
    pub bytes: u64,
    /// Whether the server has to be asked about some value.
    pub is_doubtful: bool,
}

enum Word {
    Sent(Copied),
    Ended(Result<Result<Copied, Box<Diagnostic>>, Error>),
}

impl Session {
    /// Sends a file's rows by a COPY statement, and says from time to time how far it is. Whatever time it
    /// takes, it is not given up as long as it gets on.
    ///
    /// What is wrong with a row is found on its way; the transaction is of no more use then, as after an
    /// error of the server.
    pub fn copy(
        &mut self,
        sql: &str,
        intake: &Intake,
        tell: &mut dyn FnMut(Copied),
    ) -> Result<Result<Copied, Box<Diagnostic>>, Error> {
        self.clock.check()?;
        let (due, sql, intake) = (self.due(), sql.to_owned(), intake.clone());
        let (words, hearing) = mpsc::channel();
        let job: Job = Box::new(move |client| {
            let sent = super::send(client, due).and_then(|()| send(client, &sql, &intake, &words));
            let _ = words.send(Word::Ended(sent.map_err(Error::from)));
        });
        self.jobs.as_ref().ok_or_else(lost)?.send(job).map_err(|_| lost())?;
        let limit = self.limits.statement;
        let limit = (!limit.is_zero()).then(|| limit + self.limits.grace);
        loop {
            match receive(&hearing, limit, &self.clock, Hurry::Soon) {
                Ok(Word::Sent(copied)) => tell(copied),
                Ok(Word::Ended(result)) => return self.ended(result),
                Err(error) => return Err(self.give_up(error)),
            }
        }
    }
}

fn send(
    client: &mut postgres::Client,
    sql: &str,
    intake: &Intake,
    words: &mpsc::Sender<Word>,
) -> Result<Result<Copied, Box<Diagnostic>>, postgres::Error> {
    let mut rows = match intake.file.rows(&intake.pick) {
        Ok(rows) => rows,
        Err(problem) => return Ok(Err(Box::new(problem))),
    };
    let mut writer = client.copy_in(sql)?;
    let (mut copied, mut chunks) = (Copied::default(), 0);
    let mut chunk = Vec::with_capacity(CHUNK_BYTES * 2);
    loop {
        let is_last = match rows.next() {
            Ok(Some(record)) => {
                match intake.look(&record) {
                    Ok(is_doubtful) => copied.is_doubtful |= is_doubtful,
                    Err(problem) => return Ok(Err(Box::new(problem))),
                }
                copied.rows += 1;
                chunk.extend_from_slice(record.bytes);
                false
            }
            Ok(None) => true,
            Err(problem) => return Ok(Err(Box::new(problem))),
        };
        if is_last || chunk.len() >= CHUNK_BYTES {
            // What the server says against a row comes back at the end.
            if writer.write_all(&chunk).is_err() {
                break;
            }
            chunk.clear();
            chunks += 1;
            copied.bytes = rows.bytes_read();
            if chunks % CHUNKS_BETWEEN_WORDS == 0 {
                let _ = words.send(Word::Sent(copied));
            }
        }
        if is_last {
            break;
        }
    }
    writer.finish()?;
    Ok(Ok(copied))
}
