//! What the programs are handed, laid out as they expect it: see `elanus_shaders::cuda`.
use bytemuck::{Pod, Zeroable};
use elanus_kernels::Metric;

/// A candidate's key is below the query's bound: it is appended to the query's list.
pub(super) const CANDIDATES: u32 = 0;
/// The smallest candidate of a query replaces its bound.
pub(super) const NEAREST: u32 = 1;
/// All keys are written.
pub(super) const STORE: u32 = 2;

/// Of the programs `scan_few_*` and `scan_many_*`.
#[repr(C)]
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct ScanArgs {
    pub(super) rows: u64,
    pub(super) queries: u64,
    pub(super) row_squares: u64,
    pub(super) query_squares: u64,
    pub(super) keep: u64,
    pub(super) lower: u64,
    pub(super) bound: u64,
    pub(super) candidates: u64,
    pub(super) counts: u64,
    pub(super) keys: u64,
    pub(super) key_stride: u64,
    pub(super) query_count: u32,
    pub(super) first: u32,
    pub(super) stride: u32,
    pub(super) count: u32,
    pub(super) units: u32,
    pub(super) row_bytes: u32,
    pub(super) capacity: u32,
    pub(super) metric: u32,
    pub(super) mode: u32,
    pub(super) unused: u32,
}

/// Of the programs `squares_*`.
#[repr(C)]
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct SquaresArgs {
    pub(super) rows: u64,
    pub(super) squares: u64,
    pub(super) count: u64,
    pub(super) units: u32,
    pub(super) row_bytes: u32,
}

/// Of the program `select`.
#[repr(C)]
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct SelectArgs {
    pub(super) candidates: u64,
    pub(super) counts: u64,
    pub(super) bound: u64,
    pub(super) overflowed: u64,
    pub(super) query_count: u32,
    pub(super) capacity: u32,
    pub(super) k: u32,
    pub(super) sample: u32,
}

/// Of the programs `rescore_*`.
#[repr(C)]
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct RescoreArgs {
    pub(super) rows: u64,
    pub(super) queries: u64,
    pub(super) candidates: u64,
    pub(super) counts: u64,
    pub(super) keys: u64,
    pub(super) key_stride: u64,
    pub(super) query_count: u32,
    pub(super) capacity: u32,
    pub(super) units: u32,
    pub(super) row_bytes: u32,
    pub(super) metric: u32,
    pub(super) unused: u32,
}

/// What a query over codes is besides its pieces: numbers that keys are made of, in the order of the program.
pub(super) type Terms = [f32; 8];

/// Of the programs `codes_*`.
#[repr(C)]
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct CodesArgs {
    pub(super) tiles: u64,
    pub(super) queries: u64,
    pub(super) terms: u64,
    pub(super) keep: u64,
    pub(super) lower: u64,
    pub(super) bound: u64,
    pub(super) candidates: u64,
    pub(super) counts: u64,
    pub(super) query_count: u32,
    pub(super) first: u32,
    pub(super) stride: u32,
    pub(super) count: u32,
    pub(super) units: u32,
    pub(super) tile_bytes: u32,
    pub(super) factors: u32,
    pub(super) query_bytes: u32,
    pub(super) capacity: u32,
    pub(super) dim: u32,
    pub(super) planes: u32,
    pub(super) grid_min: f32,
    pub(super) grid_step: f32,
    pub(super) unused: u32,
}

/// What a program may be handed.
pub(super) trait Args: Pod {}

macro_rules! args {
    ($($name:ident = $bytes:literal),*) => {$(
        const _: () = assert!(size_of::<$name>() == $bytes);
        // SAFETY: a C layout of numbers alone, for which zeros are a value.
        unsafe impl Zeroable for $name {}
        // SAFETY: as above; the size is that of the members, so that there is no padding.
        unsafe impl Pod for $name {}
        impl Args for $name {}
    )*};
}

args!(ScanArgs = 128, SquaresArgs = 32, SelectArgs = 48, RescoreArgs = 72, CodesArgs = 120);

const L2: u32 = 0;
const IP: u32 = 1;
const COSINE: u32 = 2;
const HAMMING: u32 = 3;
const JACCARD: u32 = 4;

/// The number that the programs know a metric by, where they do.
pub(super) const fn metric(metric: Metric) -> Option<u32> {
    match metric {
        Metric::L2 => Some(L2),
        Metric::Ip => Some(IP),
        Metric::Cosine => Some(COSINE),
        Metric::Hamming => Some(HAMMING),
        Metric::Jaccard => Some(JACCARD),
        Metric::Tanimoto | Metric::Substructure | Metric::Superstructure | Metric::MhJaccard => None,
    }
}

/// Whether keys of the metric of this number are computed from squared lengths, or from counts of bits.
pub(super) const fn needs_squares(metric: u32) -> bool {
    matches!(metric, L2 | COSINE | JACCARD)
}
