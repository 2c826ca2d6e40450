//! GPU_BRUTE_FORCE: exact search by a device that keeps the rows, and by the CPU where that is faster or the only way.
//!
//! On disk it is a FLAT index under another name. The rows go to the device when they are first searched there; see
//! [`Index::search_on_device`]. What a device cannot do (ranges of keys), does not do faster (little work) or fails to
//! do, the CPU does: with or without a device the answers are the same up to rounding.

mod device;
mod held;
mod queue;
#[cfg(test)]
mod tests;

use std::io::{self, Write};
use std::sync::Arc;

use elanus_kernels::backend::{Backend, BackendError, CorpusKind, Find, Queries};
use elanus_kernels::{AnyRows, Bitmap, BitmapView, ElementType, Metric, TopK, Vector};

pub use device::{BATCH_SIZES, Counts, Device, Host, Options, Plan, Standing};

use crate::container::Container;
use crate::flat::FlatIndex;
use crate::{
    Blob, BuildCx, BuildError, Index, IndexFactory, OpenCx, OpenError, Param, Scratch, Search, SearchError, Spec,
    Stats, check,
};
use device::Opened;
use held::Held;
use queue::{Asked, Outcome, Queue};

/// GPU_BRUTE_FORCE: every search compares the query with every row, on a device if there is one.
#[derive(Clone, Copy, Debug)]
pub struct GpuBruteForce;

impl IndexFactory for GpuBruteForce {
    fn name(&self) -> &'static str {
        "GPU_BRUTE_FORCE"
    }

    fn aliases(&self) -> &'static [&'static str] {
        &[]
    }

    fn params(&self) -> &'static [Param] {
        &[]
    }

    fn supports(&self, element: ElementType, metric: Metric) -> bool {
        let is_float = matches!(element, ElementType::F32 | ElementType::F16);
        is_float && matches!(metric, Metric::L2 | Metric::Ip | Metric::Cosine)
    }

    fn takes_device(&self) -> bool {
        true
    }

    fn is_exact(&self) -> bool {
        true
    }

    fn build(
        &self,
        spec: &Spec,
        rows: AnyRows<'_>,
        present: Option<BitmapView<'_>>,
        cx: &BuildCx<'_>,
    ) -> Result<Box<dyn Index>, BuildError> {
        spec.check_build(self.name(), rows, present, u32::MAX as usize)?;
        Ok(Box::new(GpuFlat::new(FlatIndex::build(spec, rows, present, cx)?, cx.device)))
    }

    fn open(&self, blob: Blob, spec: &Spec, cx: &OpenCx<'_>) -> Result<Box<dyn Index>, OpenError> {
        check::open_spec(spec, self.name())?;
        let flat = FlatIndex::open(&Container::read(&blob)?, spec)?;
        Ok(Box::new(GpuFlat::new(flat, cx.device)))
    }
}

/// A FLAT index whose rows a device may hold.
#[derive(Debug)]
struct GpuFlat {
    flat: FlatIndex,
    device: Option<Arc<Device>>,
    held: Held,
    queue: Queue,
}

impl GpuFlat {
    fn new(flat: FlatIndex, device: Option<&Arc<Device>>) -> Self {
        // By the time of the first search the device is open.
        if let Some(device) = device {
            device.start();
        }
        Self { flat, device: device.cloned(), held: Held::default(), queue: Queue::default() }
    }

    /// The device's answer; `None` where the CPU has to find one.
    fn by_device(
        &self,
        device: &Arc<Device>,
        rows: AnyRows<'_>,
        queries: AnyRows<'_>,
        search: &Search<'_>,
        outs: &mut [TopK],
    ) -> Option<Result<Stats, SearchError>> {
        let Some(opened) = device.opened() else {
            self.held.let_go();
            return None;
        };
        let saved_ns = device.saved_ns(&opened, queries.len(), bytes_of(rows))?;
        let outcome = match search.filter {
            None => {
                let mut scan = |queries: AnyRows<'_>, outs: &mut [TopK]| {
                    let done = self.scan(device, &opened, rows, queries, self.flat.present(), saved_ns, outs);
                    if done == Ok(true) {
                        device.counts().batch(queries.len());
                    }
                    done
                };
                self.queue.run(Asked { queries, cancel: search.cancel, outs }, device.options(), &mut scan)
            }
            Some(filter) => {
                let both = self.flat.present().map(|present| {
                    let mut both = Bitmap::from_words(filter.words().to_vec(), filter.len());
                    both.and_with(present);
                    both
                });
                let keep = both.as_ref().map_or(filter, Bitmap::view);
                match self.scan(device, &opened, rows, queries, Some(keep), saved_ns, outs) {
                    Ok(true) => {
                        device.counts().batch(queries.len());
                        Outcome::Answered
                    }
                    Ok(false) => Outcome::Declined,
                    Err(error) => Outcome::Failed(error),
                }
            }
        };
        match outcome {
            Outcome::Answered if search.cancel.is_cancelled() => Some(Err(SearchError::Cancelled)),
            Outcome::Answered => {
                device.counts().searched();
                let kept = search.filter.map_or(self.flat.nodes(), |bits| bits.count_ones());
                Some(Ok(Stats { hops: 0, distances: (kept * queries.len()) as u64 }))
            }
            Outcome::Cancelled => Some(Err(SearchError::Cancelled)),
            Outcome::Declined => None,
            Outcome::Failed(error) => {
                device.failed(&error);
                None
            }
        }
    }

    /// One scan by the device, with the rows uploaded before if they are not there. `Ok(false)` where it does not pay
    /// to bring them back just now.
    #[expect(clippy::too_many_arguments, reason = "each is one independent thing that the caller lends")]
    fn scan(
        &self,
        device: &Arc<Device>,
        opened: &Opened,
        rows: AnyRows<'_>,
        queries: AnyRows<'_>,
        keep: Option<BitmapView<'_>>,
        saved_ns: f64,
        outs: &mut [TopK],
    ) -> Result<bool, BackendError> {
        let find = Find { keep, ..Find::all(self.flat.spec().metric()) };
        let mut thrown_out = false;
        loop {
            let Some(resident) = self.held.rows(device, opened, rows, saved_ns, thrown_out)? else { return Ok(false) };
            match opened.backend.scan(Queries::Rows(queries), resident.as_ref(), &find, outs) {
                // Another index took the room between the look and the search: once more, and then no more.
                Err(BackendError::Evicted) if !thrown_out => thrown_out = true,
                done => return done.map(|()| true),
            }
        }
    }

    fn can(&self, backend: &dyn Backend) -> bool {
        let spec = self.flat.spec();
        backend.caps().supports(CorpusKind::Rows(spec.element()), spec.metric())
    }
}

/// Bytes of all rows.
fn bytes_of(rows: AnyRows<'_>) -> u64 {
    rows.len() as u64 * rows.dim() as u64 * rows.element().size_bytes() as u64
}

impl Index for GpuFlat {
    fn factory(&self) -> &'static dyn IndexFactory {
        self.flat.factory()
    }

    fn spec(&self) -> &Spec {
        self.flat.spec()
    }

    fn len(&self) -> usize {
        self.flat.len()
    }

    fn footprint_bytes(&self) -> u64 {
        self.flat.footprint_bytes()
    }

    fn describe(&self) -> String {
        let device = self.device.as_ref().map_or_else(|| "cpu".to_owned(), |device| device.standing().to_string());
        format!("GPU_BRUTE_FORCE over {} of {} rows, on {device}", self.flat.nodes(), self.flat.len())
    }

    fn search(
        &self,
        rows: AnyRows<'_>,
        query: Vector<'_>,
        search: &Search<'_>,
        scratch: &mut Scratch,
        out: &mut TopK,
    ) -> Result<Stats, SearchError> {
        self.flat.search(rows, query, search, scratch, out)
    }

    fn search_many(
        &self,
        rows: AnyRows<'_>,
        queries: AnyRows<'_>,
        search: &Search<'_>,
        scratch: &mut Scratch,
        outs: &mut [TopK],
    ) -> Result<Stats, SearchError> {
        self.flat.search_many(rows, queries, search, scratch, outs)
    }

    fn search_on_device(
        &self,
        rows: AnyRows<'_>,
        queries: AnyRows<'_>,
        search: &Search<'_>,
        outs: &mut [TopK],
    ) -> Option<Result<Stats, SearchError>> {
        let device = self.device.as_ref()?;
        if !search.range.is_all() || search.k == 0 || queries.is_empty() || rows.is_empty() {
            return None;
        }
        if let Err(error) = check::search_many(self.flat.spec(), self.flat.len(), rows, queries, search, outs) {
            return Some(Err(error));
        }
        if search.cancel.is_cancelled() {
            return Some(Err(SearchError::Cancelled));
        }
        if device.opened().is_some_and(|opened| !self.can(opened.backend.as_ref())) {
            return None;
        }
        self.by_device(device, rows, queries, search, outs)
    }

    fn is_exact(&self) -> bool {
        true
    }

    fn save(&self, out: &mut dyn Write) -> io::Result<()> {
        self.flat.save(out)
    }
}
