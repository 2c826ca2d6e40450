//! Building a file.

use std::fs::{self, File};
use std::io::BufWriter;
use std::time::Instant;

use elanus_datasets::formats::read_f32;
use elanus_index::{Aisaq, BuildCx, Cancel, Diskann, no_progress};
use elanus_kernels::{AnyRows, Rows};
use rayon::ThreadPoolBuilder;
use serde_json::json;

use crate::{Failure, What};

/// Writes the file and prints how long it took.
pub(crate) fn build(what: &What, threads: usize) -> Result<(), Failure> {
    let base = read_f32(&what.data.join("base.fbin"))?;
    let spec = what.spec(base.dim())?;
    let rows = AnyRows::F32(Rows::new(base.data(), base.dim())?);
    let pool = ThreadPoolBuilder::new().num_threads(threads.max(1)).build()?;
    let cancel = Cancel::new();
    let cx = BuildCx { pool: Some(&pool), seed: 1, cancel: &cancel, progress: &no_progress, device: None };
    let start = Instant::now();
    let mut out = BufWriter::new(File::create(&what.file)?);
    match spec.factory().name() {
        "DISKANN" => Diskann.write(&spec, rows, None, &cx, &mut out)?,
        "AISAQ" => Aisaq.write(&spec, rows, None, &cx, &mut out)?,
        other => return Err(format!("{other} is no index of files: DISKANN and AISAQ are").into()),
    }
    out.into_inner()?.sync_all()?;
    let seconds = start.elapsed().as_secs_f64();
    println!("{}", json!({ "build_seconds": seconds, "file_bytes": fs::metadata(&what.file)?.len() }));
    Ok(())
}
