//! Builds a DISKANN or AISAQ file over made-up vectors, and searches it with as little memory as is given.
//!
//! ```text
//! disk_index build FILE DISKANN ROWS DIM [NAME=VALUE ...]
//! disk_index search FILE BUDGET_MIB [NAME=VALUE ...]
//! ```
//! The second prints recall, searches a second of one thread, and how much memory the process took. It needs no more
//! of it than the budget and a few MiB, so that it runs under `ulimit -v` far below the size of the file.
#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a program for people, with its own files and clock"
)]

use std::error::Error;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use elanus_index::read_at::ReadAt;
use elanus_index::{
    Aisaq, BuildCx, Cancel, DiskIndex, Diskann, IndexFactory, KeyRange, Scratch, Search, Spec, Stage, find,
};
use elanus_kernels::rng::Rng;
use elanus_kernels::{AnyRows, ElementType, Metric, Rows, TopK, Vector};
use elanus_segment::{Dir, FsDir};

type Outcome<T> = Result<T, Box<dyn Error>>;

const QUERIES: usize = 200;
const K: usize = 10;

/// Vectors of unit length in clusters of a space of few dimensions, with noise in all.
fn draw(rows: usize, dim: usize, rng: &mut Rng, centres: &[f32], map: &[f32]) -> Vec<f32> {
    let latent = map.len() / dim;
    let mut values = Vec::with_capacity(rows * dim);
    for _ in 0..rows {
        let centre = rng.below((centres.len() / latent) as u64) as usize;
        let point: Vec<f32> = centres[centre * latent..][..latent].iter().map(|c| c + 0.5 * rng.normal()).collect();
        let mut row: Vec<f32> = (0..dim).map(|_| 0.3 * rng.normal()).collect();
        for (weights, value) in map.chunks(dim).zip(point) {
            row.iter_mut().zip(weights).for_each(|(to, weight)| *to += weight * value);
        }
        let norm = row.iter().map(|value| value * value).sum::<f32>().sqrt();
        values.extend(row.iter().map(|value| value / norm));
    }
    values
}

fn settings(arguments: &[String]) -> Vec<(String, String)> {
    let pair = |argument: &String| argument.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
    arguments.iter().filter_map(pair).collect()
}

fn build(arguments: &[String]) -> Outcome<()> {
    let [file, kind, rows, dim, rest @ ..] = arguments else { return Err("FILE KIND ROWS DIM are needed".into()) };
    let (rows, dim) = (rows.parse::<usize>()?, dim.parse::<usize>()?);
    let factory = find(kind).ok_or("no such index")?;
    let given = settings(rest);
    let spec = Spec::new(factory, ElementType::F32, dim, Metric::L2, given.clone())?;
    let mut rng = Rng::new(1);
    let latent = 48.min(dim);
    let centres: Vec<f32> = (0..2000 * latent).map(|_| rng.normal()).collect();
    let map: Vec<f32> = (0..latent * dim).map(|_| rng.normal() / (dim as f32).sqrt()).collect();
    let base = draw(rows, dim, &mut rng, &centres, &map);
    let queries = draw(QUERIES, dim, &mut rng, &centres, &map);
    let base = AnyRows::F32(Rows::new(&base, dim)?);
    let cancel = Cancel::new();
    let cx = BuildCx { pool: None, seed: 1, cancel: &cancel, progress: &elanus_index::no_progress, device: None };
    let start = Instant::now();
    let mut out = BufWriter::new(File::create(file)?);
    if kind.eq_ignore_ascii_case("AISAQ") {
        Aisaq.write(&spec, base, None, &cx, &mut out)?;
    } else {
        Diskann.write(&spec, base, None, &cx, &mut out)?;
    }
    out.into_inner()?.sync_all()?;
    println!("built in {:.1} s, {} MiB", start.elapsed().as_secs_f64(), fs::metadata(file)?.len() >> 20);
    let mut outs = vec![TopK::new(K); QUERIES];
    let flat = Spec::new(&elanus_index::Flat, ElementType::F32, dim, Metric::L2, Vec::new())?;
    let exact = elanus_index::Flat.build(&flat, base, None, &cx)?;
    let params = elanus_index::parse(&[], Stage::Search, &[])?;
    let search = Search { k: K, params: &params, filter: None, range: KeyRange::ALL, cancel: &cancel };
    exact.search_many(base, AnyRows::F32(Rows::new(&queries, dim)?), &search, &mut Scratch::new(), &mut outs)?;
    let mut beside = BufWriter::new(File::create(format!("{file}.truth"))?);
    writeln!(beside, "{} {dim}", spec.factory().name())?;
    writeln!(beside, "{}", given.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" "))?;
    for (query, out) in queries.chunks(dim).zip(outs) {
        let ids = out.into_sorted().iter().map(|found| found.id.to_string()).collect::<Vec<_>>().join(" ");
        let values = query.iter().map(f32::to_string).collect::<Vec<_>>().join(" ");
        writeln!(beside, "{ids}\n{values}")?;
    }
    Ok(())
}

fn search(arguments: &[String]) -> Outcome<()> {
    let [file, budget, rest @ ..] = arguments else { return Err("FILE BUDGET_MIB are needed".into()) };
    let truth = fs::read_to_string(format!("{file}.truth"))?;
    let mut lines = truth.lines();
    let (kind, dim) = lines.next().and_then(|line| line.split_once(' ')).ok_or("no kind")?;
    let words: Vec<String> = lines.next().unwrap_or("").split(' ').map(str::to_owned).collect();
    let factory = find(kind).ok_or("no such index")?;
    let spec = Spec::new(factory, ElementType::F32, dim.parse()?, Metric::L2, settings(&words))?;
    let (mut queries, mut answers) = (Vec::new(), Vec::new());
    while let (Some(ids), Some(values)) = (lines.next(), lines.next()) {
        answers.push(ids.split(' ').map(str::parse).collect::<Result<Vec<u32>, _>>()?);
        queries.push(values.split(' ').map(str::parse).collect::<Result<Vec<f32>, _>>()?);
    }
    let path = Path::new(file);
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = path.file_name().and_then(|name| name.to_str()).ok_or("no name")?;
    let reader: Arc<dyn ReadAt> = FsDir::new(folder).reader(name)?;
    let start = Instant::now();
    let budget = budget.parse::<u64>()? << 20;
    let index: DiskIndex = if kind == "AISAQ" {
        Aisaq.open_at(reader.clone(), &spec, budget)?
    } else {
        Diskann.open_at(reader.clone(), &spec, budget)?
    };
    let opened = start.elapsed().as_secs_f64();
    println!("{}; {} MiB resident, opened in {opened:.2} s", reader.describe(), index.resident_bytes() >> 20);
    for list in [20, 50, 100, 200] {
        let given = [settings(rest), vec![("search_list".to_owned(), list.to_string())]].concat();
        let params = elanus_index::parse(factory.params(), Stage::Search, &given)?;
        let cancel = Cancel::new();
        let asked = Search { k: K, params: &params, filter: None, range: KeyRange::ALL, cancel: &cancel };
        let (mut best, mut hits, mut hops) = (f64::INFINITY, 0, 0);
        for _ in 0..3 {
            let start = Instant::now();
            (hits, hops) = (0, 0);
            for (query, answer) in queries.iter().zip(&answers) {
                let mut out = TopK::new(K);
                hops += index.search_at(Vector::F32(query), &asked, &mut out)?.hops;
                hits += out.into_sorted().iter().filter(|found| answer.contains(&found.id)).count();
            }
            best = best.min(start.elapsed().as_secs_f64());
        }
        let count = queries.len() as f64;
        let recall = hits as f64 / (count * K as f64);
        println!("list {list}: recall {recall:.4}, {:.0} a second, {:.0} hops", count / best, hops as f64 / count);
    }
    let status = fs::read_to_string("/proc/self/status")?;
    status
        .lines()
        .filter(|line| line.starts_with("VmPeak") || line.starts_with("VmHWM"))
        .for_each(|line| println!("{line}"));
    Ok(())
}

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.split_first() {
        Some((what, rest)) if what == "build" => build(rest),
        Some((what, rest)) if what == "search" => search(rest),
        Some(_) | None => Err("build or search".into()),
    }
}
