//! The backend that is always there: the crate's own kernels on the calling thread. It is the oracle of the others.
use std::{any::Any, sync::Arc, time::Duration};

use super::{
    Backend, BackendError, Caps, Corpus, CorpusKind, DeviceKind, Find, Queries, Resident, Speed,
    checks::{self, Shape},
};
use crate::{
    AnyRows, BitmapView, Element, Kernel, METRICS, Metric, Number, Rows, TopK,
    codes::{dot::Records, pq4, rabitq, sq},
    element::{Bf16, Binary, ELEMENTS, F16, U4},
    gemm::{Gemm, Scratch},
    scan::{self, Keep, Scan},
    with_element,
};

/// Rows of codes whose keys are computed at a time: whole blocks of every kind.
const CODES: usize = 1024;

/// Bytes that [`Cpu::measure`] scans: beyond the nearest caches.
const MEASURED_BYTES: usize = 8 << 20;

/// The calling thread and its kernels.
#[derive(Clone, Debug)]
pub struct Cpu {
    caps: Caps,
}

impl Default for Cpu {
    fn default() -> Self {
        Self::new()
    }
}

impl Cpu {
    /// The backend; it takes no memory until something is uploaded.
    pub fn new() -> Self {
        let rows = ELEMENTS.iter().flat_map(|element| METRICS.iter().map(move |metric| (*element, *metric)));
        let rows = rows.filter(|(element, metric)| element.supports(*metric));
        let rows = rows.map(|(element, metric)| (CorpusKind::Rows(element), metric));
        let kinds = [CorpusKind::Sq(4), CorpusKind::Sq(6), CorpusKind::Sq(8), CorpusKind::Pq4, CorpusKind::RaBitQ];
        let dense = [Metric::L2, Metric::Ip, Metric::Cosine];
        let codes = kinds.into_iter().flat_map(|kind| dense.into_iter().map(move |metric| (kind, metric)));
        let caps = Caps {
            kind: DeviceKind::Cpu,
            ordinal: 0,
            name: "this machine".to_owned(),
            driver: "none".to_owned(),
            memory_bytes: 0,
            budget_bytes: u64::MAX,
            pass_k: usize::MAX,
            limits: Vec::new(),
            cells: rows.chain(codes).collect(),
        };
        Self { caps }
    }

    fn check<'a>(&self, base: &'a dyn Resident, metric: Metric) -> Result<&'a Held, BackendError> {
        let held = base.as_any().downcast_ref::<Held>().ok_or(BackendError::Foreign)?;
        checks::supported(&self.caps, held.kind(), metric)?;
        Ok(held)
    }
}

/// Values of the element types.
#[derive(Debug)]
enum Values {
    F32(Vec<f32>),
    F16(Vec<F16>),
    Bf16(Vec<Bf16>),
    I8(Vec<i8>),
    U8(Vec<u8>),
    U4(Vec<U4>),
    Binary(Vec<Binary>),
}

/// What was uploaded: a copy of it.
#[derive(Debug)]
enum Data {
    Rows { values: Values, dim: usize },
    Sq { codec: Box<sq::SqCodec>, blocks: Vec<u8>, stride: usize, count: usize },
    Pq4 { layout: pq4::Layout, m: usize, bytes: Vec<u8> },
    RaBitQ { codec: rabitq::Codec, blocks: Vec<u8> },
}

#[derive(Debug)]
struct Held {
    data: Data,
    kind: CorpusKind,
    len: usize,
}

impl Held {
    fn new(base: Corpus<'_>) -> Self {
        let (kind, len) = (base.kind(), base.len());
        let data = match base {
            Corpus::Rows(rows) => {
                let values = match rows {
                    AnyRows::F32(rows) => Values::F32(rows.data().to_vec()),
                    AnyRows::F16(rows) => Values::F16(rows.data().to_vec()),
                    AnyRows::Bf16(rows) => Values::Bf16(rows.data().to_vec()),
                    AnyRows::I8(rows) => Values::I8(rows.data().to_vec()),
                    AnyRows::U8(rows) => Values::U8(rows.data().to_vec()),
                    AnyRows::U4(rows) => Values::U4(rows.data().to_vec()),
                    AnyRows::Binary(rows) => Values::Binary(rows.data().to_vec()),
                };
                Data::Rows { values, dim: rows.dim() }
            }
            Corpus::Sq { codec, blocks, .. } => Data::Sq {
                codec: Box::new(codec.clone()),
                blocks: blocks.data().to_vec(),
                stride: blocks.stride(),
                count: blocks.len(),
            },
            Corpus::Pq4(packed) => Data::Pq4 { layout: packed.layout(), m: packed.m(), bytes: packed.bytes().to_vec() },
            Corpus::RaBitQ { codec, blocks, .. } => Data::RaBitQ { codec, blocks: blocks.to_vec() },
        };
        Self { data, kind, len }
    }

    fn shape(&self) -> Shape {
        let dim = if let Data::Rows { dim, .. } = &self.data { *dim } else { 0 };
        Shape::new(self, dim)
    }

    /// The rows, where that is what was uploaded.
    fn rows(&self) -> Result<AnyRows<'_>, BackendError> {
        let Data::Rows { values, dim } = &self.data else {
            return Err(BackendError::Kind { corpus: self.kind, queries: "vectors" });
        };
        let whole = "was rows before";
        Ok(match values {
            Values::F32(values) => Rows::new(values, *dim).expect(whole).into(),
            Values::F16(values) => Rows::new(values, *dim).expect(whole).into(),
            Values::Bf16(values) => Rows::new(values, *dim).expect(whole).into(),
            Values::I8(values) => Rows::new(values, *dim).expect(whole).into(),
            Values::U8(values) => Rows::new(values, *dim).expect(whole).into(),
            Values::U4(values) => Rows::new(values, *dim).expect(whole).into(),
            Values::Binary(values) => Rows::new(values, *dim).expect(whole).into(),
        })
    }

    /// The keys of rows `first..first + keys.len()` of codes, `first` being a multiple of [`CODES`].
    fn keys(&self, queries: Queries<'_>, query: usize, first: usize, keys: &mut [f32]) -> Result<(), BackendError> {
        match (&self.data, queries) {
            (Data::Sq { codec, blocks, stride, count }, Queries::Sq(queries)) => {
                let mut all = [0.0; CODES];
                let (at, rows) = (first / 16, keys.len().div_ceil(16));
                let part = Records::new(blocks, *stride, *count).slice(at, rows);
                codec.blocks(&queries[query], part, &mut all[..rows * 16]);
                keys.copy_from_slice(&all[..keys.len()]);
            }
            (Data::Pq4 { layout, m, bytes }, Queries::Pq4(tables)) => {
                let packed = pq4::Packed::new(*layout, *m, self.len, bytes).expect("was packed before");
                pq4::Pq4::new(*layout)?.keys(tables[query], packed, first, keys);
            }
            (Data::RaBitQ { codec, blocks }, Queries::RaBitQ(queries)) => {
                let (prepared, term) = &queries[query];
                let block = rabitq::BlockQuery::new(&rabitq::Estimator::new()?, prepared);
                let part = &blocks[first / rabitq::BLOCK * codec.block_bytes()..];
                let bytes = keys.len().div_ceil(rabitq::BLOCK) * codec.block_bytes();
                block.keys(&part[..bytes], *term, keys);
            }
            _ => return Err(BackendError::Kind { corpus: self.kind, queries: checks::name(queries) }),
        }
        Ok(())
    }
}

impl Resident for Held {
    fn len(&self) -> usize {
        self.len
    }

    fn kind(&self) -> CorpusKind {
        self.kind
    }

    fn device_bytes(&self) -> u64 {
        let bytes = match &self.data {
            Data::Rows { .. } => self.rows().map_or(0, |rows| rows.len() * rows.dim() * rows.element().size_bytes()),
            Data::Sq { blocks, .. } | Data::RaBitQ { blocks, .. } => blocks.len(),
            Data::Pq4 { bytes, .. } => bytes.len(),
        };
        bytes as u64
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl Backend for Cpu {
    fn caps(&self) -> &Caps {
        &self.caps
    }

    fn upload(&self, base: Corpus<'_>) -> Result<Arc<dyn Resident>, BackendError> {
        Ok(Arc::new(Held::new(base)))
    }

    fn scan(
        &self,
        queries: Queries<'_>,
        base: &dyn Resident,
        find: &Find<'_>,
        out: &mut [TopK],
    ) -> Result<(), BackendError> {
        let held = self.check(base, find.metric)?;
        checks::scan(&held.shape(), queries, find, out)?;
        if let Queries::Rows(queries) = queries {
            let rows = held.rows()?;
            return with_element!(AnyRows, rows, rows => match queries.typed() {
                Some(queries) => scan_rows(queries, rows, find, out),
                None => Err(BackendError::Kind { corpus: held.kind, queries: checks::name(Queries::Rows(queries)) }),
            });
        }
        let (mut keys, mut words) = ([0.0; CODES], Vec::new());
        let keep = find.keep.map(|bits| Keep::new(bits, 0));
        for first in (0..held.len).step_by(CODES) {
            let count = CODES.min(held.len - first);
            if let Some(keep) = &keep {
                keep.write(first..first + count, &mut words);
            }
            let view = keep.map(|_| BitmapView::new(&words, count));
            for (query, out) in out.iter_mut().enumerate() {
                held.keys(queries, query, first, &mut keys[..count])?;
                out.push_block_within(first as u32, &keys[..count], view, find.range);
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
        let held = self.check(centroids, metric)?;
        checks::assign(&held.shape(), rows, nearest, keys)?;
        let centroids = held.rows()?;
        match (rows, centroids) {
            (AnyRows::F32(rows), AnyRows::F32(centroids)) => assign_numbers(rows, centroids, metric, nearest, keys),
            (AnyRows::F16(rows), AnyRows::F16(centroids)) => assign_numbers(rows, centroids, metric, nearest, keys),
            (AnyRows::Bf16(rows), AnyRows::Bf16(centroids)) => assign_numbers(rows, centroids, metric, nearest, keys),
            (AnyRows::I8(rows), AnyRows::I8(centroids)) => assign_numbers(rows, centroids, metric, nearest, keys),
            _ => with_element!(AnyRows, centroids, centroids => {
                let rows = rows.typed().ok_or(BackendError::Kind { corpus: held.kind, queries: "other vectors" })?;
                scan::assign(&Kernel::new(metric)?, rows, centroids, nearest, keys);
                Ok(())
            }),
        }
    }

    fn distances(
        &self,
        queries: AnyRows<'_>,
        base: &dyn Resident,
        metric: Metric,
        keys: &mut [f32],
    ) -> Result<(), BackendError> {
        let held = self.check(base, metric)?;
        checks::distances(&held.shape(), queries, keys)?;
        let rows = held.rows()?;
        with_element!(AnyRows, rows, rows => {
            let queries = queries.typed().ok_or(BackendError::Kind { corpus: held.kind, queries: "other vectors" })?;
            Kernel::new(metric)?.tile(queries, rows, keys);
            Ok(())
        })
    }

    fn measure(&self, clock: &dyn Fn() -> Duration) -> Result<Speed, BackendError> {
        let dim = 1024;
        let values = vec![1.0_f32; MEASURED_BYTES / 4];
        let rows = Rows::new(&values, dim).expect("a multiple");
        let (kernel, query) = (Kernel::new(Metric::Ip)?, vec![1.0_f32; dim]);
        let mut keys = vec![0.0; rows.len()];
        let mut fastest = f64::INFINITY;
        let mut small = f64::INFINITY;
        for _ in 0..8 {
            let start = clock();
            kernel.rows(&query, rows, &mut keys);
            fastest = fastest.min(clock().saturating_sub(start).as_secs_f64() * 1e9);
            let start = clock();
            kernel.rows(&query, rows.slice(0..1), &mut keys[..1]);
            small = small.min(clock().saturating_sub(start).as_secs_f64() * 1e9);
        }
        let read = MEASURED_BYTES as f64 / fastest.max(1.0);
        Ok(Speed { read_bytes_per_ns: read, upload_bytes_per_ns: read, round_trip_ns: small })
    }
}

fn scan_rows<E: Element>(
    queries: Rows<'_, E>,
    rows: Rows<'_, E>,
    find: &Find<'_>,
    out: &mut [TopK],
) -> Result<(), BackendError> {
    let scan = Scan::new(Kernel::new(find.metric)?, rows, 0).within(find.range);
    let scan = find.keep.map_or(scan, |bits| scan.keep(Keep::new(bits, 0)));
    scan.many(queries, 0..rows.len(), out);
    Ok(())
}

fn assign_numbers<E: Number>(
    rows: Rows<'_, E>,
    centroids: Rows<'_, E>,
    metric: Metric,
    nearest: &mut [u32],
    keys: &mut [f32],
) -> Result<(), BackendError> {
    Gemm::new(metric)?.assign(rows, centroids, &mut Scratch::default(), nearest, keys);
    Ok(())
}
