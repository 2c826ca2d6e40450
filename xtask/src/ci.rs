//! `cargo xtask ci`: every check of the project, in the order in which a failure is cheapest.

mod python;
mod steps;
#[cfg(test)]
mod tests;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use self::steps::STEPS;
use crate::exec::{Exec, in_ci};
use crate::{Fallible, tree};

/// One check.
pub(crate) struct Step {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) run: fn(&mut Exec) -> Fallible<Done>,
}

/// How a check that did not fail ended.
#[derive(Debug)]
pub(crate) enum Done {
    /// How many tests passed; a check that is one piece counts one.
    Passed(usize),
    /// Why this machine cannot run it.
    Skipped(String),
}

/// Adds up what `cargo test` reports.
#[derive(Debug, Default)]
pub(crate) struct TestCount {
    pub(crate) passed: usize,
}

impl TestCount {
    /// Reads `test result: ok. 12 passed; 0 failed; ...`.
    pub(crate) fn read(&mut self, line: &str) {
        let count = line.trim_start().strip_prefix("test result: ok. ").and_then(|rest| rest.split_once(" passed"));
        self.passed += count.and_then(|(count, _)| count.parse().ok()).unwrap_or(0);
    }
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Options {
    skip: Vec<String>,
    only: Vec<String>,
    verbose: bool,
    list: bool,
}

impl Options {
    fn parse(args: &[String], steps: &[Step]) -> Fallible<Self> {
        let mut options = Self::default();
        let mut rest = args.iter();
        while let Some(arg) = rest.next() {
            match arg.as_str() {
                "--verbose" => options.verbose = true,
                "--list" => options.list = true,
                "--skip" | "--only" => {
                    let names = rest.next().ok_or_else(|| format!("`{arg}` wants the names of steps"))?;
                    let names = names.split(',').map(str::to_owned).collect::<Vec<_>>();
                    if let Some(unknown) = names.iter().find(|n| !steps.iter().any(|s| s.name == n.as_str())) {
                        let known = steps.iter().map(|s| s.name).collect::<Vec<_>>().join(", ");
                        return Err(format!("no step `{unknown}`; there are {known}"));
                    }
                    if arg == "--skip" { options.skip.extend(names) } else { options.only.extend(names) }
                }
                _ => return Err(format!("unexpected argument `{arg}`")),
            }
        }
        Ok(options)
    }

    /// Why a step is left out by request.
    fn left_out(&self, name: &str) -> Option<&'static str> {
        if self.skip.iter().any(|n| n == name) {
            Some("left out by --skip")
        } else if !self.only.is_empty() && !self.only.iter().any(|n| n == name) {
            Some("left out by --only")
        } else {
            None
        }
    }
}

struct Row {
    name: &'static str,
    done: Done,
    took: Duration,
}

pub(crate) fn run(args: &[String]) -> Fallible<ExitCode> {
    let options = Options::parse(args, STEPS)?;
    if options.list {
        for step in STEPS {
            println!("{:<8} {}", step.name, step.about);
        }
        return Ok(ExitCode::SUCCESS);
    }
    let started = Instant::now();
    let mut rows = Vec::new();
    for (index, step) in STEPS.iter().enumerate() {
        let place = format!("[{:>2}/{}]", index + 1, STEPS.len());
        if let Some(why) = options.left_out(step.name) {
            println!("{place} {:<8} SKIPPED: {why}", step.name);
            rows.push(Row { name: step.name, done: Done::Skipped(why.to_owned()), took: Duration::ZERO });
            continue;
        }
        println!("{place} {:<8} {}", step.name, step.about);
        let step_started = Instant::now();
        let done = take(step, options.verbose);
        let took = step_started.elapsed();
        match done {
            Ok(done) => {
                match &done {
                    Done::Passed(count) => println!("        ok: {count} passed, {:.1} s", took.as_secs_f64()),
                    Done::Skipped(why) => println!("        SKIPPED: {why}"),
                }
                rows.push(Row { name: step.name, done, took });
            }
            Err(why) => {
                println!("        FAILED after {:.1} s: {why}", took.as_secs_f64());
                println!("step `{0}` failed; `cargo xtask ci --only {0}` runs it alone", step.name);
                println!("{} passed, 1 failed", passed(&rows));
                return Ok(ExitCode::FAILURE);
            }
        }
    }
    print_table(&rows, started.elapsed());
    Ok(ExitCode::SUCCESS)
}

fn take(step: &Step, verbose: bool) -> Fallible<Done> {
    let mut exec = Exec::open(&tree::root(), step.name, verbose)?;
    let done = (step.run)(&mut exec)?;
    match done {
        Done::Skipped(why) if in_ci() => Err(format!("an unattended run leaves nothing out: {why}")),
        Done::Skipped(_) | Done::Passed(_) => Ok(done),
    }
}

fn passed(rows: &[Row]) -> usize {
    let counts = rows.iter().map(|row| match &row.done {
        Done::Passed(count) => *count,
        Done::Skipped(_) => 0,
    });
    counts.sum()
}

fn print_table(rows: &[Row], took: Duration) {
    println!();
    println!("{:<8} {:>8} {:>9}", "step", "passed", "seconds");
    for row in rows {
        let count = match &row.done {
            Done::Passed(count) => count.to_string(),
            Done::Skipped(_) => "skipped".to_owned(),
        };
        println!("{:<8} {count:>8} {:>9.1}", row.name, row.took.as_secs_f64());
    }
    let mut reasons: Vec<(&str, Vec<&str>)> = Vec::new();
    for row in rows {
        if let Done::Skipped(why) = &row.done {
            match reasons.iter_mut().find(|(reason, _)| reason == why) {
                Some((_, names)) => names.push(row.name),
                None => reasons.push((why, vec![row.name])),
            }
        }
    }
    for (reason, names) in reasons {
        println!("skipped {}: {reason}", names.join(", "));
    }
    println!("total {:.1} s", took.as_secs_f64());
    println!("{} passed, 0 failed", passed(rows));
}
