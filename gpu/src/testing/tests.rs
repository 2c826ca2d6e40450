//! The suite passes for its own oracle, and fails for a backend that errs.
use super::{Extent, run};
use elanus_kernels::backend::{Backend, BackendError, Caps, Corpus, Cpu, Find, Queries, Resident, Speed};
use elanus_kernels::{AnyRows, Metric, TopK};
use std::sync::Arc;
use std::time::Duration;

/// Passes on to the CPU, and loses the best neighbor of each tenth query.
#[derive(Debug)]
struct Careless(Cpu);

impl Backend for Careless {
    fn caps(&self) -> &Caps {
        self.0.caps()
    }

    fn upload(&self, corpus: Corpus<'_>) -> Result<Arc<dyn Resident>, BackendError> {
        self.0.upload(corpus)
    }

    fn scan(
        &self,
        queries: Queries<'_>,
        base: &dyn Resident,
        find: &Find<'_>,
        out: &mut [TopK],
    ) -> Result<(), BackendError> {
        let ids = out.len();
        self.0.scan(queries, base, find, out)?;
        if let Some(last) = out.get_mut(9).filter(|_| ids > 9) {
            let k = last.k();
            let kept = std::mem::replace(last, TopK::new(k)).into_sorted();
            for one in &kept[1..] {
                last.push(one.id, one.key);
            }
        }
        Ok(())
    }

    fn assign(
        &self,
        rows: AnyRows<'_>,
        centroids: &dyn Resident,
        metric: Metric,
        nearest: &mut [u32],
        keys: &mut [f32],
    ) -> Result<(), BackendError> {
        self.0.assign(rows, centroids, metric, nearest, keys)
    }

    fn distances(
        &self,
        queries: AnyRows<'_>,
        base: &dyn Resident,
        metric: Metric,
        keys: &mut [f32],
    ) -> Result<(), BackendError> {
        self.0.distances(queries, base, metric, keys)
    }

    fn measure(&self, clock: &dyn Fn() -> Duration) -> Result<Speed, BackendError> {
        self.0.measure(clock)
    }
}

const SMALL: Extent = Extent { shapes: 12, work: 100_000, seed: 3 };

#[test]
fn the_oracle_passes_its_own_suite() {
    let report = run(&Cpu::new(), &SMALL, &[]);
    assert!(report.skipped.is_empty() && report.count() > 1_000, "{report}");
    let report = run(&Cpu::new(), &SMALL, &["L2 over f32 vectors"]);
    assert_eq!(report.skipped, ["L2 over f32 vectors"]);
}

#[test]
fn a_backend_that_errs_is_caught() {
    let caught = std::panic::catch_unwind(|| run(&Careless(Cpu::new()), &SMALL, &[]));
    let text = caught.unwrap_err().downcast::<String>().map_or_else(|_| String::new(), |text| *text);
    assert!(text.contains("neighbors"), "{text}");
}
