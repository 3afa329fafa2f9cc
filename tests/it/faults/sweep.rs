//! The sweep: a run is cut, torn, reset and killed at every message of either way, one at a time.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime};

use super::all;
use super::proxy::{Fault, Harm, Passes};
use super::trial::Bench;
use super::wire::Way;

/// One machine's share of trials at a time.
const THREADS: usize = 3;
/// Where there is no time for every message, one in so many is tried, and every one about a commit.
const ONE_IN: usize = 23;

/// All that can be done to a message.
fn harms() -> Vec<(Harm, Passes)> {
    let mut harms = Vec::new();
    for harm in [Harm::Cut, Harm::Reset, Harm::Kill] {
        harms.extend([(harm, Passes::Nothing), (harm, Passes::All)]);
    }
    harms.push((Harm::Cut, Passes::Half));
    harms.push((Harm::Stall(Duration::from_millis(300)), Passes::Half));
    harms
}

#[test]
fn whatever_breaks_at_whatever_message_each_effect_is_there_once() {
    let messages = Bench::new().messages();
    let offset = SystemTime::UNIX_EPOCH.elapsed().unwrap().subsec_micros() as usize % ONE_IN;
    let mut faults = VecDeque::new();
    let mut counts = [0, 0];
    for (way, _, is_commit) in &messages {
        let at = &mut counts[*way as usize];
        *at += 1;
        for (number, (harm, passes)) in harms().into_iter().enumerate() {
            let is_due = (*at + number * 3) % ONE_IN == offset;
            if all() || *is_commit || is_due {
                faults.push_back(Fault { way: *way, at: *at, harm, passes });
            }
        }
    }
    eprintln!("{} to the server, {} to the client; one in {ONE_IN} from {offset}", counts[0], counts[1]);
    sweep(faults, &messages);
}

fn sweep(faults: VecDeque<Fault>, messages: &[(Way, String, bool)]) {
    let started = Instant::now();
    let total = faults.len();
    let faults = Mutex::new(faults);
    let found = Mutex::new(Vec::new());
    let struck = Mutex::new(0);
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                let mut bench = Bench::new();
                loop {
                    let Some(fault) = faults.lock().unwrap().pop_front() else { return };
                    let is_right = |status: &str| match fault.harm {
                        // Too late to harm anybody: the run may have ended.
                        Harm::Kill => status == "0" || status.starts_with("signal: 9"),
                        _ => status == "0",
                    };
                    let trial = bench.attempt(fault, &[], &is_right);
                    *struck.lock().unwrap() += usize::from(trial.has_struck);
                    if !trial.violations.is_empty() {
                        let mut same_way = messages.iter().filter(|(way, _, _)| *way == fault.way);
                        let message = same_way.nth(fault.at - 1).map_or("", |(_, summary, _)| summary);
                        found.lock().unwrap().push(format!(
                            "{fault:?}, at {message}:\n  {}\n{}",
                            trial.violations.join("\n  "),
                            trial.output.text
                        ));
                    }
                }
            });
        }
    });
    let (found, struck) = (found.into_inner().unwrap(), struck.into_inner().unwrap());
    eprintln!(
        "faults tried: {total}, of which {struck} struck, violations: {}, in {:.0} s",
        found.len(),
        started.elapsed().as_secs_f64()
    );
    assert!(struck * 10 >= total * 9, "only {struck} of {total} faults struck");
    assert!(found.is_empty(), "{} violations:\n\n{}", found.len(), found.join("\n\n"));
}

#[test]
fn a_network_that_hands_on_one_byte_at_a_time_changes_nothing() {
    let mut bench = Bench::new();
    bench.empty();
    let proxy = super::proxy::Proxy::before(&super::trial::socket(), None).in_slices();
    let output = bench.begin(&proxy, &[]).finish();
    drop(proxy);
    assert_eq!(output.status, "0", "{}", output.text);
    assert_eq!(bench.judge(&output), Vec::<String>::new(), "{}", output.text);
}
