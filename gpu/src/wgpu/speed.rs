//! How fast a device is, by searching zeros.
use std::time::Duration;

use elanus_kernels::backend::{Backend, BackendError, Corpus, Speed};
use elanus_kernels::{Metric, Rows};
use elanus_shaders::wgsl::Element;

use super::Wgpu;
use super::batch::Batch;
use super::held::{Held, Layout};
use super::steps::Steps;
use crate::passes::{Batch as _, Pass};

/// Bytes that are scanned, on a card and by a driver that computes on the CPU.
const BYTES: usize = 64 << 20;
const SOFTWARE_BYTES: usize = 4 << 20;

/// Components of a row.
const DIM: usize = 1024;

/// Scans that are sent together, so that the way there and back counts less.
const SCANS: usize = 8;

/// How often each time is taken; the least counts.
const TRIES: usize = 3;

pub(super) fn measure(backend: &Wgpu, clock: &dyn Fn() -> Duration) -> Result<Speed, BackendError> {
    let most = if backend.software { SOFTWARE_BYTES } else { BYTES };
    let room = usize::try_from(backend.pool.budget() / 2).unwrap_or(usize::MAX);
    let rows = (most.min(room) / (DIM * 4)).max(1);
    let values = vec![0.0_f32; rows * DIM];
    let corpus = Rows::new(&values, DIM).map_err(|error| BackendError::Failed { reason: error.to_string() })?;
    let taken = |start: Duration| (clock().saturating_sub(start).as_secs_f64() * 1e9).max(1.0);
    // The first upload makes what later ones find there.
    drop(backend.upload(Corpus::Rows(corpus.slice(0..1).into()))?);
    let start = clock();
    let held = backend.upload(Corpus::Rows(corpus.into()))?;
    let upload = taken(start);
    let held = held.as_any().downcast_ref::<Held>().ok_or(BackendError::Foreign)?;
    let scan = |rows: usize, scans: usize| {
        let mut least = f64::INFINITY;
        // Once more than is counted: the first makes the pipelines.
        for tried in 0..=TRIES {
            let start = clock();
            run(backend, held, corpus, rows, scans)?;
            least = if tried == 0 { least } else { least.min(taken(start)) };
        }
        Ok::<f64, BackendError>(least)
    };
    let (small, once, often) = (scan(1, 1)?, scan(rows, 1)?, scan(rows, 1 + SCANS)?);
    let bytes = (rows * DIM * 4) as f64;
    // What the further scans took; where the clock saw nothing of that, what one did.
    let more = if often > once { (often - once) / SCANS as f64 } else { once };
    Ok(Speed { read_bytes_per_ns: bytes / more, upload_bytes_per_ns: bytes / upload, round_trip_ns: small })
}

/// So many passes over the first rows, each of which offers a single candidate at most.
fn run(backend: &Wgpu, held: &Held, corpus: Rows<'_, f32>, rows: usize, scans: usize) -> Result<(), BackendError> {
    let memory = held.slot.get().ok_or(BackendError::Evicted)?;
    let query = corpus.slice(0..1).into();
    let layout = Layout::new(query, Element::F32, backend.shared.part_bytes)?;
    let asked = (Element::F32, query, layout);
    backend.with_scratch(|scratch| {
        let steps = Steps::new(&backend.shared, scratch, &memory.memory.parts, Metric::L2, asked)?;
        let mut batch = Batch::new(steps, false)?;
        // All keys are 0: nothing but the first row is below the bound.
        let upper = elanus_kernels::backend::pack(0.0, 1);
        batch.begin(&[0], &[upper])?;
        for _ in 0..scans {
            batch.pass(&Pass { first: 0, stride: 1, count: rows as u32, sample: false }, 1)?;
        }
        batch.finish().map(drop)
    })
}
