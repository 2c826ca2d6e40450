//! One run: load, build, measure, report.

use std::error::Error;
use std::io::{IsTerminal, Write};
use std::time::Instant;

use elanus_index::{BuildCx, Cancel, Index, ParamSet, Spec, Stage};
use indicatif::{ProgressBar, ProgressStyle};

use crate::args::{Args, Sweep};
use crate::data::Data;
use crate::measure::{Point, Subject};
use crate::report::Report;
use crate::{export, memory, plot, report, serve};

/// What went wrong, for the user.
pub(crate) type Failure = Box<dyn Error>;

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let data = Data::load(args)?;
    if let Some(folder) = &args.export {
        export::export(folder, &data.set)?;
        writeln!(std::io::stdout().lock(), "{}", data.metric().name())?;
        return Ok(());
    }
    let factory = elanus_index::find(&args.index).ok_or("unknown index type")?;
    let spec = Spec::new(factory, args.element, data.set.dim, data.metric(), args.build.clone())?;
    let before = memory::resident_bytes();
    let start = Instant::now();
    let index = build(&spec, &data, args)?;
    let build_seconds = start.elapsed().as_secs_f64();
    let after = memory::resident_bytes();
    let subject = Subject { data: &data, index: &*index, k: args.k };
    let mut report = Report::new(args, &data, &*index, build_seconds, before.zip(after));
    if args.serve_stdin {
        return serve::serve(&subject, &report);
    }
    report::print_head(&report)?;
    for (text, params) in settings(args, &*index)? {
        for threads in &args.threads {
            let point: Point = subject.point(&text, &params, *threads, args.rounds)?;
            report::print_point(&point)?;
            report.points.push(point);
        }
    }
    if let Some(path) = &args.json {
        std::fs::write(path, serde_json::to_string_pretty(&report)? + "\n")?;
    }
    if let Some(path) = &args.plot {
        plot::draw(path, &report)?;
    }
    Ok(())
}

fn build(spec: &Spec, data: &Data, args: &Args) -> Result<Box<dyn Index>, Failure> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(args.build_threads).build()?;
    let bar = if std::io::stderr().is_terminal() { ProgressBar::new(0) } else { ProgressBar::hidden() };
    bar.set_style(ProgressStyle::with_template("build {wide_bar} {pos}/{len} rows, {eta} left")?);
    let progress = |done, total| {
        bar.set_length(total);
        bar.set_position(done);
    };
    let cx = BuildCx { pool: Some(&pool), seed: args.seed, cancel: &Cancel::new(), progress: &progress, device: None };
    let index = spec.factory().build(spec, data.base(), None, &cx)?;
    bar.finish_and_clear();
    Ok(index)
}

/// The settings to measure: each with its text and its parsed search parameters.
fn settings(args: &Args, index: &dyn Index) -> Result<Vec<(String, ParamSet)>, Failure> {
    let Some(Sweep { name, values }) = &args.sweep else {
        return Ok(vec![("default".to_owned(), search_params(index, &[])?)]);
    };
    let parse = |value: &String| -> Result<(String, ParamSet), Failure> {
        let params = search_params(index, &[(name.clone(), value.clone())])?;
        Ok((format!("{name}={value}"), params))
    };
    values.iter().map(parse).collect()
}

pub(crate) fn search_params(index: &dyn Index, given: &[(String, String)]) -> Result<ParamSet, Failure> {
    Ok(elanus_index::parse(index.factory().params(), Stage::Search, given)?)
}

#[cfg(test)]
mod tests;
