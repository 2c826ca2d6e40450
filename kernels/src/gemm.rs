//! Batches of queries against many rows as a product of matrices, with the selection built in: exact search, k-means
//! and index builds.
//!
//! ```
//! use elanus_kernels::{Metric, Rows, TopK, gemm::{Gemm, Scratch}};
//!
//! let base: Vec<f32> = (0..2000).map(|i| (i % 97) as f32).collect();
//! let (base, gemm) = (Rows::new(&base, 4)?, Gemm::<f32>::new(Metric::L2)?);
//! let queries = gemm.pack(base.slice(0..20));
//! let mut nearest: Vec<TopK> = (0..queries.len()).map(|_| TopK::new(3)).collect();
//! gemm.search(&queries, base, 0, None, &mut Scratch::default(), &mut nearest);
//! assert!(nearest.into_iter().enumerate().all(|(i, found)| found.into_sorted()[0].id == i as u32));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
mod batch;
mod bounds;
mod pack;
mod panels;
mod search;
#[cfg(test)]
mod tests;
mod tile;

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "aarch64")]
mod neon;
mod scalar;

use std::{iter, sync::OnceLock};

use self::{
    batch::{Batch, Positions},
    bounds::Frame,
    pack::Code,
    panels::{Panels, Plan, Room, Side},
    search::{Memory, Pass},
    tile::Format,
};
use crate::{
    bitmap::BitmapView,
    dispatch::{self, Kernel, KernelError},
    element::{ElementType, Number},
    isa::{self, ISAS, IsaInfo, Version, versions},
    metric::Metric,
    rows::Rows,
    topk::TopK,
};

/// The formats, fastest and coarsest first.
const FORMATS: [Format; 3] = [Format::I8, Format::Bf16, Format::F32];

const fn codes(format: Format) -> &'static [Version<Code>] {
    match format {
        Format::I8 => {
            versions![
                x86 AVX512VNNI => avx512::bytes::CODE,
                x86 AVXVNNI => avx2::bytes::CODE,
                arm NEONDOT => neon::bytes::CODE,
            ]
        }
        Format::Bf16 => versions![x86 AVX512BF16 => avx512::bf16::CODE],
        Format::F32 => versions![
            x86 AVX512 => avx512::float::CODE,
            x86 AVX2 => avx2::float::CODE,
            arm NEON => neon::float::CODE,
            any SCALAR => scalar::float::CODE,
        ],
    }
}

/// Queries from which packing the rows pays; fewer are compared one by one.
const QUERIES_MIN: usize = 12;

/// Rows in a block that is compared without panels.
const PLAIN_ROWS: usize = 64;

/// Dimensions up to which the products, squares and keys of bytes are exact in `f32`: 250 * 255^2 < 2^24.
const EXACT_DIM: usize = 250;

/// Rows that are assigned together.
const ASSIGN_ROWS: usize = 4096;

/// Exact search, assignment and key matrices for batches, over one metric and element type.
///
/// The product is computed on packed panels in a coarse format first: bytes where the CPU multiplies them fast, else
/// bf16, else `f32`. A proven bound of what rounding took away decides which pairs can still be among the nearest, and
/// those are compared by the [`Kernel`]: the neighbors and their keys are those of the kernel, to the bit. Where the
/// bounds of a format leave too many pairs, the next finer one is taken for the following rows, and at last the kernel
/// itself.
#[derive(Clone, Copy, Debug)]
pub struct Gemm<E: Number> {
    kernel: Kernel<E>,
    isa: &'static IsaInfo,
    codes: [Option<Code>; 3],
}

/// Queries of a [`Gemm`], packed once and shared by the threads that search parts of the base.
#[derive(Clone, Debug)]
pub struct PackedQueries<E> {
    metric: Metric,
    values: Vec<E>,
    dim: usize,
    centre: Vec<f32>,
    frame: Frame,
    /// How to pack for each format, if at all.
    codes: [Option<Code>; 3],
    /// What was packed: the first format at once, the others when they are needed.
    sides: [OnceLock<Panels>; 3],
}

/// Memory for the calls of one thread, kept between them.
#[derive(Clone, Default, Debug)]
pub struct Scratch {
    memory: Memory,
    keys: Vec<f32>,
}

impl<E: Number> Gemm<E> {
    /// For `metric`, on the best instruction sets that [`dispatch::choice`] allows.
    ///
    /// # Errors
    /// When the set that was asked for cannot be used, or the metric is not L2, IP or COSINE over `E`.
    pub fn new(metric: Metric) -> Result<Self, KernelError> {
        Self::on(dispatch::choice()?, metric)
    }

    /// For `metric`, on the instruction set `isa` or those below it.
    ///
    /// # Errors
    /// When this machine does not have that set, or the metric is not L2, IP or COSINE over `E`.
    pub fn on(isa: &'static IsaInfo, metric: Metric) -> Result<Self, KernelError> {
        let isa = dispatch::usable(isa)?;
        if !matches!(metric, Metric::L2 | Metric::Ip | Metric::Cosine) {
            return Err(KernelError::Unsupported { metric, element: E::TYPE });
        }
        let kernel = Kernel::on(isa, metric)?;
        // A set that has to be asked for may round more than the bounds allow for: then every key is the kernel's.
        let coarse = ISAS.iter().any(|isa| isa.by_request() && isa.name() == kernel.isa());
        let codes = FORMATS.map(|format| isa::pick(codes(format), isa).filter(|_| !coarse).map(|(_, code)| code));
        Ok(Self { kernel, isa, codes })
    }

    /// One for each instruction set that has code of its own and that this CPU can run, best first; none where the
    /// metric is not L2, IP or COSINE over `E`.
    pub fn all(metric: Metric) -> impl Iterator<Item = Self> {
        let own = |isa: &&IsaInfo| Self::sets().any(|set| std::ptr::eq(set, *isa));
        ISAS.iter().copied().filter(own).filter_map(move |isa| Self::on(isa, metric).ok())
    }

    /// The instruction sets that have code of their own, whether this CPU can run them or not.
    pub fn sets() -> impl Iterator<Item = &'static IsaInfo> {
        FORMATS.into_iter().flat_map(|format| codes(format).iter().map(|version| version.isa))
    }

    /// The name of the instruction set that was asked for; the formats run on it or on those below it.
    pub const fn isa(&self) -> &'static str {
        self.isa.name()
    }

    /// The kernel that gives the keys.
    pub const fn kernel(&self) -> &Kernel<E> {
        &self.kernel
    }

    /// Packs queries. A [`Gemm`] of the same metric on another instruction set takes them, too, in the formats that
    /// both have.
    pub fn pack(&self, queries: Rows<'_, E>) -> PackedQueries<E> {
        let mut packed = PackedQueries {
            metric: self.kernel.metric(),
            values: Vec::new(),
            dim: queries.dim(),
            centre: Vec::new(),
            frame: Frame::new(self.kernel.metric(), &[]),
            codes: [None; 3],
            sides: [const { OnceLock::new() }; 3],
        };
        self.repack(queries, &mut packed, &mut Scratch::default());
        packed
    }

    /// Packs queries in the memory of others.
    pub fn repack(&self, queries: Rows<'_, E>, packed: &mut PackedQueries<E>, scratch: &mut Scratch) {
        let room = &mut scratch.memory.room;
        packed.metric = self.kernel.metric();
        packed.values.clear();
        packed.values.extend_from_slice(queries.data());
        packed.dim = queries.dim();
        let useful = queries.len() >= QUERIES_MIN && queries.dim() <= bounds::DIM_MAX;
        packed.centre.clear();
        if useful {
            batch::centre(self.kernel.metric(), queries, &mut packed.centre, room);
        }
        packed.frame = Frame::new(self.kernel.metric(), &packed.centre);
        packed.codes = self.codes.map(|code| code.filter(|_| useful));
        let mut spare = packed.sides.each_mut().map(OnceLock::take);
        if let Some(first) = packed.codes.iter().position(Option::is_some) {
            packed.fill(first, spare[first].take().unwrap_or_default(), room);
        }
    }

    /// Offers each query's nearest rows of `base` to its selection in `out`. Row `i` has the id `first_id + i`, and is
    /// left out when bit `i` of `keep` is clear. The result is as if [`Kernel::rows`] had computed every key and
    /// [`TopK::push_block`] had been offered them.
    ///
    /// Threads may search different parts of the base with selections of their own, to be merged afterwards.
    ///
    /// # Panics
    /// When the dimensions or metrics differ, `out` has not one selection for each query, `keep` is shorter than the
    /// base, or an id would not fit 32 bits.
    pub fn search(
        &self,
        queries: &PackedQueries<E>,
        base: Rows<'_, E>,
        first_id: u32,
        keep: Option<BitmapView<'_>>,
        scratch: &mut Scratch,
        out: &mut [TopK],
    ) {
        self.sweep(0, queries, base, first_id, keep, scratch, out);
    }

    /// [`Gemm::search`], beginning with a format that need not be the coarsest; returns the one that it ended with.
    #[expect(clippy::too_many_arguments, reason = "those of the search, and one more")]
    fn sweep(
        &self,
        mut format: usize,
        queries: &PackedQueries<E>,
        base: Rows<'_, E>,
        first_id: u32,
        keep: Option<BitmapView<'_>>,
        scratch: &mut Scratch,
        out: &mut [TopK],
    ) -> usize {
        queries.check(self.kernel.metric(), base);
        assert_eq!(out.len(), queries.len(), "one selection for each query");
        assert!(keep.is_none_or(|keep| keep.len() >= base.len()), "fewer filter bits than rows");
        let left = (1u64 << 32) - u64::from(first_id);
        assert!(base.len() as u64 <= left, "{} ids from {first_id} pass 32 bits", base.len());
        let Some(k) = out.iter().map(TopK::k).max().filter(|k| *k > 0) else { return format };

        let k = k.min(base.len());
        let codes = self.codes_of(queries);
        let batch = Batch { kernel: &self.kernel, queries: queries.rows(), base };
        let mut rest = Positions::new(base.len(), keep);
        let Scratch { memory, keys } = scratch;
        let mut seen = 0;
        loop {
            while format < FORMATS.len() && codes[format].is_none() {
                format += 1;
            }
            let code = codes.get(format).copied().flatten();
            let rows = code.map_or(PLAIN_ROWS, |code| search::block_rows(code, base.dim()));
            rest.next(rows, &mut memory.positions);
            let count = memory.positions.len();
            if count == 0 {
                return format;
            }
            let Some(code) = code else {
                batch.plain(0..queries.len(), first_id, &memory.positions, keys, out);
                continue;
            };
            let pass = queries.pass(format, code, &mut memory.room);
            pass.pack(&batch, true, memory);
            let compared = pass.block(&batch, first_id, memory, out);
            for query in &pass.queries.apart {
                let query = *query as usize;
                batch.plain(query..query + 1, first_id, &memory.positions, keys, out);
            }
            seen += count;
            if search::too_many(code, compared, queries.len(), count, k, seen) {
                format += 1;
            }
        }
    }

    /// The nearest centroid of each row: its number in `ids` and its key in `keys`, as [`Kernel::rows`] would give it;
    /// of equally near ones the first. A row with no comparable centroid (every key is NaN) gets number 0 and NaN.
    ///
    /// Threads may assign different rows.
    ///
    /// # Panics
    /// When the dimensions differ, there is no centroid or more than 2^32, or `ids` or `keys` has not one place for
    /// each row.
    pub fn assign(
        &self,
        rows: Rows<'_, E>,
        centroids: Rows<'_, E>,
        scratch: &mut Scratch,
        ids: &mut [u32],
        keys: &mut [f32],
    ) {
        assert!(!centroids.is_empty(), "no centroid to assign to");
        assert_eq!((ids.len(), keys.len()), (rows.len(), rows.len()), "one number and one key for each row");
        let mut packed = self.pack(rows.slice(0..0));
        let mut format = 0;
        let mut first = 0;
        while first < rows.len() {
            let count = ASSIGN_ROWS.min(rows.len() - first);
            self.repack(rows.slice(first..first + count), &mut packed, scratch);
            let mut out: Vec<TopK> = iter::repeat_with(|| TopK::new(1)).take(count).collect();
            format = self.sweep(format, &packed, centroids, 0, None, scratch, &mut out);
            for (i, nearest) in out.into_iter().enumerate() {
                let found = nearest.into_sorted();
                (ids[first + i], keys[first + i]) = found.first().map_or((0, f32::NAN), |one| (one.id, one.key));
            }
            first += count;
        }
    }

    /// Keys of every query with every row, nearly: query `q` and row `r` at `keys[q * base.len() + r]`.
    ///
    /// With `M` the largest norm of the queries and rows, or 1 for COSINE, and `u` = 2^-24, a key is within `16 (dim +
    /// 256) u M^2 + 2^-124 dim` of the kernel's; the last term is for products that are too small for `f32`. By L2 and
    /// IP the keys over `u8`, and over `i8` up to 250 dimensions, are the kernel's. So are those of vectors that are
    /// not finite or too long: with a square above 1e30, which for L2 is that of the difference from the mean of the
    /// queries. For COSINE, those of vectors with squares below 1e-30 are, too.
    ///
    /// # Panics
    /// When the dimensions or metrics differ, there are more than 2^32 rows, or `keys` has not one place for each
    /// combination.
    pub fn scores(&self, queries: &PackedQueries<E>, base: Rows<'_, E>, scratch: &mut Scratch, keys: &mut [f32]) {
        queries.check(self.kernel.metric(), base);
        assert!(base.len() as u64 <= 1 << 32, "{} rows pass 32 bits", base.len());
        assert_eq!(Some(keys.len()), queries.len().checked_mul(base.len()), "one key for each query and row");
        let codes = self.codes_of(queries);
        // Seen from their centre, short vectors of unsigned bytes are long ones; their sums are rounded from here on.
        let moved = E::TYPE == ElementType::U8 && self.kernel.metric() != Metric::Cosine;
        if codes[2].is_none() || (moved && base.dim() > EXACT_DIM) {
            return self.kernel.tile(queries.rows(), base, keys);
        }
        // The first format that can hold the elements as they are.
        let mut format = match E::TYPE {
            ElementType::I8 | ElementType::U8 => 0,
            ElementType::Bf16 => 1,
            ElementType::F32 | ElementType::F16 | ElementType::U4 | ElementType::Binary => 2,
        };
        let batch = Batch { kernel: &self.kernel, queries: queries.rows(), base };
        let mut first = 0;
        while first < base.len() {
            let Some(code) = codes[format] else {
                format += 1;
                continue;
            };
            let pass = queries.pass(format, code, &mut scratch.memory.room);
            let end = base.len().min(first + search::block_rows(code, base.dim()));
            scratch.memory.positions.clear();
            scratch.memory.positions.extend((first..end).map(|at| at as u32));
            pass.pack(&batch, false, &mut scratch.memory);
            if format < 2 && (pass.queries.lossy || scratch.memory.rows.lossy) {
                format += 1;
                continue;
            }
            pass.scores(&mut scratch.memory, first, base.len(), keys);
            batch.exceptions(&pass.queries.apart, &scratch.memory.rows.apart, first..end, keys);
            first = end;
        }
    }

    /// What the queries were packed for, as far as this may use it.
    fn codes_of<'a>(&self, queries: &'a PackedQueries<E>) -> [Option<&'a Code>; 3] {
        std::array::from_fn(|format| queries.codes[format].as_ref().filter(|_| self.codes[format].is_some()))
    }
}

impl<E: Number> PackedQueries<E> {
    /// How many queries there are.
    pub const fn len(&self) -> usize {
        self.values.len() / self.dim
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    fn rows(&self) -> Rows<'_, E> {
        Rows::new(&self.values, self.dim).expect("copied from rows")
    }

    fn check(&self, metric: Metric, base: Rows<'_, E>) {
        assert_eq!(self.dim, base.dim(), "queries and rows of different dimension");
        assert_eq!(self.metric, metric, "queries packed for another metric");
    }

    /// The queries in a format, packed now if this is the first time.
    fn pass<'a>(&'a self, format: usize, code: &'a Code, room: &mut Room) -> Pass<'a> {
        self.fill(format, Panels::default(), room);
        let queries = self.sides[format].get().expect("just packed");
        Pass { code, frame: &self.frame, centre: &self.centre, queries }
    }

    fn fill(&self, format: usize, mut panels: Panels, room: &mut Room) {
        let Some(code) = &self.codes[format] else { return };
        self.sides[format].get_or_init(|| {
            let plan = Plan { code, side: Side::Queries, frame: &self.frame, centre: &self.centre, bounds: true };
            panels.pack(plan, &self.rows(), 0..self.len(), room);
            panels
        });
    }
}
