//! Wall times and memory of whole processes.

use std::ffi::{OsStr, OsString};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};

/// The argument that makes this program the parent of a process to be weighed.
pub const WEIGH: &str = "--weigh";

/// What was measured, or why it was not.
pub type Measured = Result<Times, String>;

/// The wall times of one command, shortest first.
pub struct Times(Vec<Duration>);

impl Times {
    /// The time that this part of all runs kept to, in milliseconds; the median for a half.
    pub fn milliseconds(&self, part: f64) -> f64 {
        let at = (self.0.len() - 1) as f64 * part;
        let [below, above] = [at.floor(), at.ceil()].map(|at| self.0[at as usize].as_secs_f64() * 1e3);
        (below + above) / 2.0
    }
}

/// How many times as long one command takes as another, if both were measured.
pub fn ratio(one: &Measured, other: &Measured) -> Option<f64> {
    Some(one.as_ref().ok()?.milliseconds(0.5) / other.as_ref().ok()?.milliseconds(0.5))
}

/// Runs commands in turn, A B C A B C, so that what slows the machine down for a while slows all.
pub fn in_turn<const N: usize>(
    commands: [Result<Command, String>; N],
    warm_ups: usize,
    rounds: usize,
) -> [Measured; N] {
    let mut runs = commands.map(|command| command.map(|command| (command, Vec::new())));
    for round in 0..warm_ups + rounds {
        for (command, times) in runs.iter_mut().flatten() {
            let time = run(command);
            if round >= warm_ups {
                times.push(time);
            }
        }
    }
    runs.map(|run| {
        let (_, mut times) = run?;
        times.sort();
        Ok(Times(times))
    })
}

/// Runs a command once and takes its time. What it prints is for nobody, what it complains of is shown.
pub fn run(command: &mut Command) -> Duration {
    command.stdin(Stdio::null()).stdout(Stdio::null());
    let started = Instant::now();
    let status = command.status().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let time = started.elapsed();
    assert!(status.success(), "{command:?}: {status}");
    time
}

/// The most memory that a command ever holds, in MiB: the worst of some runs.
///
/// What its parent holds when it begins is counted as its own, so the parent is a small process.
pub fn peak_memory(command: &Command, runs: usize) -> f64 {
    let mut parent = Command::new(std::env::current_exe().unwrap());
    parent.arg(WEIGH).arg(command.get_program()).args(command.get_args()).stderr(Stdio::inherit());
    parent.current_dir(command.get_current_dir().unwrap());
    let peaks = (0..runs).map(|_| {
        let bytes = String::from_utf8(parent.output().unwrap().stdout).unwrap();
        bytes.trim().parse::<f64>().unwrap() / f64::from(1 << 20)
    });
    peaks.fold(0.0, f64::max)
}

/// Runs a command and prints the most bytes it ever held.
pub fn weigh(program: &OsStr, arguments: &[OsString]) {
    run(Command::new(program).args(arguments));
    let unit = if cfg!(target_vendor = "apple") { 1 } else { 1024 };
    println!("{}", getrusage(UsageWho::RUSAGE_CHILDREN).unwrap().max_rss() * unit);
}
