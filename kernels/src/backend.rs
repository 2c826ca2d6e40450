//! Block work on one device: exact scans, code scans, nearest centroids and blocks of distances, over data that stay
//! where the device reads them.
//!
//! [`Backend`] is what a device offers; [`Cpu`] is the one that is always there, and the oracle of all others. A caller
//! uploads a corpus once and then sends queries:
//!
//! ```
//! use elanus_kernels::backend::{Backend, Corpus, Cpu, Find, Queries};
//! use elanus_kernels::{Metric, Rows, TopK};
//!
//! let values = [0.0, 0.0, 3.0, 4.0, 1.0, 1.0, 0.5, 0.0];
//! let backend = Cpu::new();
//! let base = backend.upload(Corpus::Rows(Rows::new(&values, 2)?.into()))?;
//! let queries = Queries::Rows(Rows::new(&[0.0f32, 0.0], 2)?.into());
//! let mut nearest = [TopK::new(2)];
//! backend.scan(queries, base.as_ref(), &Find::all(Metric::L2), &mut nearest)?;
//! let [nearest] = nearest;
//! assert_eq!(nearest.into_sorted().iter().map(|n| n.id).collect::<Vec<_>>(), [0, 3]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Answers of a device are those of [`Cpu`] up to rounding: over bytes and bits they are equal, over floating point
//! each key is within [`tolerance`] of the key that [`Kernel::pair`](crate::Kernel::pair) computes, and where two rows
//! are nearer to each other than that, either may be returned for the last place. Equal keys are ordered by id.
pub mod checks;
mod cpu;
mod error;
#[cfg(test)]
mod tests;

use std::any::Any;
use std::fmt::{self, Debug};
use std::sync::Arc;
use std::time::Duration;

pub use self::{cpu::Cpu, error::BackendError};
use crate::codes::{dot, pq4, rabitq, sq};
pub use crate::topk::{pack, unpack};
use crate::{AnyRows, BitmapView, ElementType, KeyRange, Metric, TopK};

/// Block work on one device. Calls may come from many threads at once; each returns when its answer is there.
pub trait Backend: Send + Sync + Debug {
    /// What the device is and can do.
    fn caps(&self) -> &Caps;

    /// Copies a corpus to where the device reads it. The handle counts against the device's budget until it is dropped.
    ///
    /// # Errors
    /// When the device cannot hold or search such a corpus, or is lost.
    fn upload(&self, base: Corpus<'_>) -> Result<Arc<dyn Resident>, BackendError>;

    /// Offers the nearest rows of `base` to each query's selection: row `i` is called `i`. Selections may hold
    /// neighbors already, and are offered nothing when an error is returned.
    ///
    /// # Errors
    /// When the queries do not fit the base, one of them is not finite, or the device fails. After
    /// [`BackendError::is_device`] the caller may search on the CPU; after [`BackendError::Evicted`] it may upload again.
    ///
    /// # Panics
    /// When there is not a selection for each query, or a filter has not a bit for each row.
    fn scan(
        &self,
        queries: Queries<'_>,
        base: &dyn Resident,
        find: &Find<'_>,
        out: &mut [TopK],
    ) -> Result<(), BackendError>;

    /// For each row the nearest of the centroids, of equally near ones the first: its place to `nearest`, its key to
    /// `keys`.
    ///
    /// # Errors
    /// As [`Backend::scan`]; also when there is no centroid.
    ///
    /// # Panics
    /// When `nearest` or `keys` has not one entry for each row.
    fn assign(
        &self,
        rows: AnyRows<'_>,
        centroids: &dyn Resident,
        metric: Metric,
        nearest: &mut [u32],
        keys: &mut [f32],
    ) -> Result<(), BackendError>;

    /// The key of each row as a query with each row of `base`: query `q` and row `r` at `keys[q * base.len() + r]`.
    ///
    /// # Errors
    /// As [`Backend::scan`].
    ///
    /// # Panics
    /// When `keys` has not one place for each pair.
    fn distances(
        &self,
        queries: AnyRows<'_>,
        base: &dyn Resident,
        metric: Metric,
        keys: &mut [f32],
    ) -> Result<(), BackendError>;

    /// Measures the device, in some tens of milliseconds of `clock`, which never goes back.
    ///
    /// # Errors
    /// When the device fails.
    fn measure(&self, clock: &dyn Fn() -> Duration) -> Result<Speed, BackendError>;
}

/// Data in a device's reach. Dropping the handle gives the memory back.
pub trait Resident: Send + Sync + Debug {
    /// How many rows there are.
    fn len(&self) -> usize;

    /// Whether there are no rows.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What was uploaded.
    fn kind(&self) -> CorpusKind;

    /// Bytes that it takes on the device.
    fn device_bytes(&self) -> u64;

    /// Whether it was thrown out to make room for another.
    fn is_evicted(&self) -> bool {
        false
    }

    /// For the backend that made it.
    fn as_any(&self) -> &dyn Any;
}

/// The family of a device.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum DeviceKind {
    /// The processor that the program runs on.
    Cpu,
    /// An NVIDIA card through its own driver.
    Cuda,
    /// Any card that Vulkan, Metal or DirectX 12 reaches.
    Wgpu,
}

impl DeviceKind {
    /// The name, such as `"cuda"`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Cuda => "cuda",
            Self::Wgpu => "wgpu",
        }
    }
}

impl fmt::Display for DeviceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a device is and can do.
#[derive(Clone, PartialEq, Debug)]
pub struct Caps {
    /// Its family.
    pub kind: DeviceKind,
    /// Its number within the family.
    pub ordinal: usize,
    /// What its maker calls it.
    pub name: String,
    /// The driver and its version.
    pub driver: String,
    /// Bytes of its memory; 0 where that cannot be found out.
    pub memory_bytes: u64,
    /// Bytes that bases may take of it.
    pub budget_bytes: u64,
    /// Neighbors that one pass over a corpus finds; more take several passes.
    pub pass_k: usize,
    /// Further facts, for people: a name and a value each.
    pub limits: Vec<(&'static str, String)>,
    /// The kinds of bases and the metrics over them that it has programs for.
    pub cells: Vec<(CorpusKind, Metric)>,
}

impl Caps {
    /// Whether there is a program for such bases and the metric.
    pub fn supports(&self, kind: CorpusKind, metric: Metric) -> bool {
        self.cells.contains(&(kind, metric))
    }

    /// How the device is asked for, such as `"cuda:0"`.
    pub fn place(&self) -> String {
        format!("{}:{}", self.kind, self.ordinal)
    }
}

/// How fast a device is.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Speed {
    /// Bytes a nanosecond that a scan reads from the device's memory.
    pub read_bytes_per_ns: f64,
    /// Bytes a nanosecond on the way to the device.
    pub upload_bytes_per_ns: f64,
    /// Nanoseconds that the least search takes, there and back.
    pub round_trip_ns: f64,
}

/// The kind of a corpus.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum CorpusKind {
    /// Vectors of an element type.
    Rows(ElementType),
    /// Scalar codes in blocks, of so many bits.
    Sq(u32),
    /// Four-bit product codes in packed blocks.
    Pq4,
    /// RaBitQ's signs in blocks.
    RaBitQ,
}

impl fmt::Display for CorpusKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rows(element) => write!(f, "{element} vectors"),
            Self::Sq(bits) => write!(f, "scalar codes of {bits} bits"),
            Self::Pq4 => f.write_str("4-bit product codes"),
            Self::RaBitQ => f.write_str("RaBitQ codes"),
        }
    }
}

/// What is searched, as it lies in memory or in a mapped file.
#[derive(Clone, Copy, Debug)]
pub enum Corpus<'a> {
    /// Vectors.
    Rows(AnyRows<'a>),
    /// Scalar codes in blocks of sixteen, of which the first `rows` rows count.
    Sq {
        /// The quantizer.
        codec: &'a sq::SqCodec,
        /// The blocks, as [`sq::SqCodec::encode_block`] wrote them.
        blocks: dot::Records<'a>,
        /// How many rows there are.
        rows: usize,
    },
    /// Four-bit product codes.
    Pq4(pq4::Packed<'a>),
    /// RaBitQ's signs and factors in blocks of 64.
    RaBitQ {
        /// The shape of the codes.
        codec: rabitq::Codec,
        /// The blocks, as [`rabitq::Codec::pack_block`] wrote them.
        blocks: &'a [u8],
        /// How many rows there are.
        rows: usize,
    },
}

impl Corpus<'_> {
    /// Its kind.
    pub const fn kind(&self) -> CorpusKind {
        match self {
            Self::Rows(rows) => CorpusKind::Rows(rows.element()),
            Self::Sq { codec, .. } => CorpusKind::Sq(codec.params().bits),
            Self::Pq4(_) => CorpusKind::Pq4,
            Self::RaBitQ { .. } => CorpusKind::RaBitQ,
        }
    }

    /// How many rows there are.
    pub const fn len(&self) -> usize {
        match self {
            Self::Rows(rows) => rows.len(),
            Self::Sq { rows, .. } | Self::RaBitQ { rows, .. } => *rows,
            Self::Pq4(packed) => packed.rows(),
        }
    }

    /// Whether there are no rows.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Queries, in the form that the base is compared with.
#[derive(Clone, Copy, Debug)]
pub enum Queries<'a> {
    /// Vectors of the base's element type.
    Rows(AnyRows<'a>),
    /// Queries that [`sq::SqCodec::prepare_blocks`] made.
    Sq(&'a [sq::SqQuery]),
    /// Tables of quantized distances.
    Pq4(&'a [&'a pq4::Pq4Tables]),
    /// Rotated queries, each with the term of the base's centre.
    RaBitQ(&'a [(rabitq::Query, rabitq::Term)]),
}

impl Queries<'_> {
    /// How many there are.
    pub const fn len(&self) -> usize {
        match self {
            Self::Rows(rows) => rows.len(),
            Self::Sq(queries) => queries.len(),
            Self::Pq4(tables) => tables.len(),
            Self::RaBitQ(queries) => queries.len(),
        }
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// What is wanted of a corpus, the same for all queries.
#[derive(Clone, Copy, Debug)]
pub struct Find<'a> {
    /// The metric; over codes it is that of the codes.
    pub metric: Metric,
    /// The rows that may be returned, one bit for each row of the base; `None` admits all.
    pub keep: Option<BitmapView<'a>>,
    /// The keys that may be returned.
    pub range: KeyRange,
}

impl Find<'_> {
    /// All rows, whatever their key.
    pub const fn all(metric: Metric) -> Self {
        Self { metric, keep: None, range: KeyRange::ALL }
    }
}

/// By how much the key of a device may differ from that of [`Kernel::pair`](crate::Kernel::pair), over vectors of `dim`
/// units with these squared lengths: 0 over bytes and bits.
///
/// Sums of products of `n` components in f32, in whatever order, are off by at most `n` units in the last place of the
/// sum of their magnitudes, which is at most the product of the lengths; the mean error is its root. The bound here
/// takes `4 * sqrt(n) + 8` units of the half sum of the squares, at least four deviations.
pub fn tolerance(element: ElementType, metric: Metric, dim: usize, query_square: f32, row_square: f32) -> f32 {
    match element {
        ElementType::F32 | ElementType::F16 | ElementType::Bf16 => {
            let units = (4.0 * (dim as f32).sqrt() + 8.0) * f32::EPSILON;
            if metric == Metric::Cosine { units } else { units * (query_square + row_square).min(f32::MAX) }
        }
        ElementType::I8 | ElementType::U8 | ElementType::U4 if metric == Metric::Cosine => 4.0 * f32::EPSILON,
        ElementType::I8 | ElementType::U8 | ElementType::U4 | ElementType::Binary => 0.0,
    }
}
