//! Timed rounds on request: one line of settings in, one line of results out, so that two programs can take turns.

use std::io::{self, BufRead, Write};

use serde_json::json;

use crate::args::parse_threads;
use crate::measure::{Subject, batch, summary};
use crate::report::Report;
use crate::run::{Failure, search_params};

/// Says what was built, then answers each line such as `ef=64 threads=1` or, for FLAT, `batch=1000 threads=2` until the
/// input ends.
pub(crate) fn serve(subject: &Subject<'_>, report: &Report) -> Result<(), Failure> {
    say(&serde_json::to_value(report)?)?;
    for line in io::stdin().lock().lines() {
        let line = line?;
        let answer = match answer(subject, &line) {
            Ok(answer) => answer,
            Err(error) => json!({ "error": error.to_string() }),
        };
        say(&answer)?;
    }
    Ok(())
}

fn answer(subject: &Subject<'_>, line: &str) -> Result<serde_json::Value, Failure> {
    let (mut threads, mut batch, mut queries) = (1, None, None);
    let mut given = Vec::new();
    for word in line.split_whitespace() {
        match word.split_once('=') {
            Some(("threads", count)) => threads = parse_threads(count)?,
            Some(("batch", count)) => batch = Some(count.parse()?),
            Some(("queries", count)) => queries = Some(count.parse()?),
            Some((name, value)) => given.push((name.to_owned(), value.to_owned())),
            None => return Err(format!("want name=value, got {word:?}").into()),
        }
    }
    let params = search_params(subject.index, &given)?;
    let round = match batch {
        Some(batch) if subject.index.factory().name() == "FLAT" => {
            batch::round(subject, batch, queries.unwrap_or(usize::MAX), threads)?
        }
        Some(_) => return Err("batches are answered by FLAT only".into()),
        None => subject.round(&params, threads)?,
    };
    Ok(serde_json::to_value(summary(line, threads, &[round]))?)
}

fn say(value: &serde_json::Value) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{value}")?;
    out.flush()
}
