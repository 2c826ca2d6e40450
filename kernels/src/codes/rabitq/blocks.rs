//! Scans over blocks of 64 rows, in sequence: one query or several at a time.
//!
//! A component's weight is the odd integer `w` of [`Query`]. For the signs `s` (1 or -1) of a row the sum wanted is
//! `sum s_i w_i = 2 S - sum |w_i|`, where `S` is the sum of the `|w_i|` whose sign is the row's. `S` is looked up for
//! a few components at a time, in tables of bytes:
//!
//! - **16 entries**, for sets with a byte shuffle of 16 (AVX2 `vpshufb`, NEON `tbl`; also plain Rust): two tables for
//!   each byte of a row, its low and its high four components. Table `2 k` and `2 k + 1` belong to byte `k`.
//! - **64 entries**, for AVX-512 VBMI, whose `vpermb` looks 64 bytes up in 64 and ignores the index's top two bits:
//!   four tables for each *unit* of three bytes of a row. The first three are indexed by the low six bits of the
//!   three bytes, as they are; the fourth by their top two bits, those of the first byte lowest. So 24 components
//!   take four lookups where tables of 16 take six, and no bit of the block is arranged for it. A unit may lack its
//!   last bytes; their weights are 0.
//!
//! `S` over a unit must fit into a byte, and over a row into 16 bits. Where a query's weights do not allow it, or
//! have more than four bits, the query is cut into parts of fewer planes, `w = sum 2^shift w_part`, each scanned by
//! itself; parts of three planes always fit a byte (`24 * 7 < 256`), and those of one plane 16 bits. A normal query
//! of 4 bits is one part: `S` over a unit has mean 114 and deviation 18.
pub(super) use super::layout::BLOCK;
#[cfg(target_arch = "aarch64")]
use super::neon;
#[cfg(target_arch = "x86_64")]
use super::{avx2, avx512vbmi};
use super::{
    estimate::Estimator,
    layout::{Codec, FACTORS},
    query::{Query, Term},
    scalar,
};
use crate::{
    isa::{Version, versions},
    prefetch,
};

/// Blocks that several queries go through before the next queries do; at 768 components they fit into half of 1 MiB.
const TILE: usize = 64;

/// Parts of a query at most: one for each plane.
const PARTS_MAX: usize = 8;

/// Rows whose estimates [`BlockQuery::for_each_block`] hands over at most: two streams of 2 KiB stay in the cache.
const CHUNK: usize = 8 * BLOCK;

/// How far ahead of the scan blocks are asked for, every line of them, factors included. Measured on Zen 5 over blocks
/// far larger than the caches: 93 and 90 hundredths of the bandwidth of plain reading at 768 and 1536 components, 92
/// and 82 for 4 KiB, as much for 8 KiB, 58 where the hardware alone asks. In the cache it costs a hundredth, and 8 KiB
/// three.
const AHEAD_BYTES: usize = 6144;

/// Blocks in sequence, and a query of one part, which `tables` belong to.
#[derive(Clone, Copy)]
pub(super) struct Direct {
    pub(super) tables: *const u8,
    /// Bytes of signs of a row.
    pub(super) bytes: usize,
    pub(super) blocks: *const u8,
    pub(super) count: usize,
    pub(super) part: Part,
    pub(super) scale: f32,
    pub(super) term: Term,
}

impl Direct {
    /// Block `i`.
    ///
    /// # Safety
    /// There are as many.
    #[inline(always)]
    pub(super) unsafe fn block(&self, i: usize) -> *const u8 {
        // SAFETY: the caller's duty.
        unsafe { self.blocks.add(i * BLOCK * (self.bytes + FACTORS)) }
    }

    /// [`finish`] for block `i`, into its place in `keys` and, unless it is null, in `errors`.
    ///
    /// # Safety
    /// There are as many blocks, and room for them.
    #[inline(always)]
    pub(super) unsafe fn finish(&self, i: usize, sums: &[u16; BLOCK], keys: *mut f32, errors: *mut f32) {
        // SAFETY: the caller's duty; factors follow the signs.
        unsafe {
            let factors = self.block(i).add(BLOCK * self.bytes);
            let job = Finish {
                parts: std::slice::from_ref(&self.part),
                sums: std::slice::from_ref(sums),
                factors: std::slice::from_raw_parts(factors, BLOCK * FACTORS),
                scale: self.scale,
                term: self.term,
            };
            let mut unwanted = [0.0; BLOCK];
            let errors = if errors.is_null() { &mut unwanted } else { &mut *errors.cast::<[f32; BLOCK]>().add(i) };
            finish(&job, [&mut *keys.cast::<[f32; BLOCK]>().add(i), errors]);
        }
    }
}

/// Asks for what lies [`AHEAD_BYTES`] after a line of signs.
#[inline(always)]
pub(super) fn fetch_ahead(line: *const u8) {
    prefetch::row(line.wrapping_add(AHEAD_BYTES), 64);
}

/// As [`fetch_ahead`], for the factors of a block.
#[inline(always)]
pub(super) fn fetch_factors_ahead(factors: *const u8) {
    for line in 0..BLOCK * FACTORS / 64 {
        fetch_ahead(factors.wrapping_add(64 * line));
    }
}

/// `(job, keys, errors)`: the estimates for all rows; `errors` may be null.
pub(super) type DirectRun = unsafe fn(&Direct, *mut f32, *mut f32);

/// `(tables, bytes, block, sums)`: the `S` of each row of one block, of `bytes` bytes a row.
pub(super) type OneRun = unsafe fn(*const u8, usize, *const u8, &mut [u16; BLOCK]);

/// `(tables, bytes, block, sums)`: the `S` of each row of one block for each of four queries.
pub(super) type FourRun = unsafe fn([*const u8; 4], usize, *const u8, &mut [[u16; BLOCK]; 4]);

/// What remains of a scan when the sums are known: [`finish`] for one block.
pub(super) struct Finish<'a> {
    /// The parts of the query, and the sums of each.
    pub(super) parts: &'a [Part],
    pub(super) sums: &'a [[u16; BLOCK]],
    /// The factors of the block, [`BLOCK`] of each kind.
    pub(super) factors: &'a [u8],
    pub(super) scale: f32,
    pub(super) term: Term,
}

/// Keys and errors of a block.
pub(super) type Outputs<'a> = [&'a mut [f32; BLOCK]; 2];

/// [`finish`], compiled for an instruction set.
pub(super) type FinishRun = unsafe fn(&Finish<'_>, Outputs<'_>);

/// The functions of an instruction set.
#[derive(Clone, Copy, Debug)]
pub(super) struct BlockKernel {
    pub(super) direct: DirectRun,
    pub(super) one: OneRun,
    pub(super) four: FourRun,
    pub(super) finish: FinishRun,
    /// Whether the tables have 64 entries, not 16.
    pub(super) wide: bool,
}

pub(super) const VERSIONS: &[Version<BlockKernel>] = versions![
    x86 AVX512VBMI => avx512vbmi::BLOCKS,
    x86 AVX2 => avx2::BLOCKS,
    arm NEON => neon::BLOCKS,
    any SCALAR => scalar::BLOCKS,
];

/// Keys and errors of a block, in the order of operations of [`Estimator::rows`].
///
/// # Panics
/// When there are not [`BLOCK`] factors of each kind.
#[inline(always)]
pub(super) fn finish(job: &Finish<'_>, [keys, errors]: Outputs<'_>) {
    let mut products = [0; BLOCK];
    for (part, sums) in job.parts.iter().zip(job.sums) {
        for row in 0..BLOCK {
            products[row] += (2 * i32::from(sums[row]) - part.total) << part.shift;
        }
    }
    // As arrays of four bytes, and not as slices, they become vector loads.
    let factors = job.factors[..3 * 4 * BLOCK].as_chunks::<4>().0;
    for row in 0..BLOCK {
        let [f_add, f_rescale, f_error] = [0, 1, 2].map(|kind| f32::from_le_bytes(factors[kind * BLOCK + row]));
        keys[row] = (f_add + job.term.add) + f_rescale * (job.scale * products[row] as f32);
        errors[row] = f_error * job.term.bound;
    }
}

/// A cache line of table entries.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
struct Line([u8; 64]);

/// Planes of a query that are scanned together.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    /// The first line of its tables.
    tables: usize,
    pub(super) shift: u32,
    /// The sum of its `|w|`.
    pub(super) total: i32,
}

/// A query with its tables for one instruction set.
#[derive(Clone, Debug)]
pub struct BlockQuery {
    kernel: BlockKernel,
    codec: Codec,
    tables: Vec<Line>,
    pub(super) parts: Vec<Part>,
    scale: f32,
}

impl BlockQuery {
    /// The tables of `query` for the instruction set of `estimator`.
    pub fn new(estimator: &Estimator, query: &Query) -> Self {
        let (kernel, codec) = (estimator.block_kernel(), *query.codec());
        let mut new = Self { kernel, codec, tables: Vec::new(), parts: Vec::new(), scale: 0.0 };
        new.prepare(query);
        new
    }

    /// Takes in another query. Nothing is allocated if it needs no more parts than those before it.
    ///
    /// # Panics
    /// When it is for codes of another shape.
    pub fn prepare(&mut self, query: &Query) {
        assert_eq!(*query.codec(), self.codec, "a query for codes of another shape");
        self.scale = query.scale;
        self.tables.clear();
        self.parts.clear();
        let mut shift = 0;
        while shift < u32::from(query.bits()) {
            let planes = (1..=4.min(u32::from(query.bits()) - shift)).rev();
            let mut fitting = planes.filter(|planes| *planes == 1 || fits(&query.levels, shift, *planes));
            let planes = fitting.next().unwrap_or(1);
            self.add_part(&query.levels, shift, planes);
            shift += planes;
        }
    }

    fn add_part(&mut self, levels: &[u8], shift: u32, planes: u32) {
        let weight = |i: usize| levels.get(i).map_or(0, |level| weight(*level, shift, planes));
        let total = (0..levels.len()).map(|i| i32::from(weight(i).unsigned_abs())).sum();
        self.parts.push(Part { tables: self.tables.len(), shift, total });
        let bytes = self.codec.plane_bytes();
        if self.kernel.wide {
            for unit in 0..bytes.div_ceil(3) {
                let at = 24 * unit;
                for byte in 0..3 {
                    self.tables.push(wide(std::array::from_fn(|j| weight(at + 8 * byte + j))));
                }
                self.tables.push(wide(std::array::from_fn(|j| weight(at + 8 * (j / 2) + 6 + j % 2))));
            }
        } else {
            // Two bytes of a row, hence four tables, fill a line; a row has an even number of bytes.
            for pair in 0..bytes / 2 {
                let mut line = [0; 64];
                for (table, to) in line.chunks_exact_mut(16).enumerate() {
                    let words = narrow(std::array::from_fn(|j| weight(16 * pair + 4 * table + j)));
                    to[..8].copy_from_slice(&words[0].to_le_bytes());
                    to[8..].copy_from_slice(&words[1].to_le_bytes());
                }
                self.tables.push(Line(line));
            }
        }
    }

    /// The first table of a part.
    fn table(&self, part: &Part) -> *const u8 {
        self.tables[part.tables..].as_ptr().cast()
    }

    /// Estimates for the first `keys.len()` rows of `blocks`, as [`Estimator::rows`] gives them. All rows have the
    /// centre of `term`.
    ///
    /// Where there are many rows, outputs of a cache's size are written to memory and read again by whoever looks at
    /// them: [`BlockQuery::for_each_block`] does without.
    ///
    /// # Panics
    /// When `blocks` is not just the blocks of as many rows, or there is not an error for each key.
    pub fn scan(&self, blocks: &[u8], term: Term, keys: &mut [f32], errors: &mut [f32]) {
        check(&self.codec, blocks, keys.len(), errors.len());
        self.estimates(blocks, term, keys, Some(errors));
    }

    /// The keys of [`BlockQuery::scan`] without the errors.
    ///
    /// # Panics
    /// When `blocks` is not just the blocks of as many rows.
    pub fn keys(&self, blocks: &[u8], term: Term, keys: &mut [f32]) {
        check(&self.codec, blocks, keys.len(), keys.len());
        self.estimates(blocks, term, keys, None);
    }

    /// Hands the estimates of the first `rows` rows of `blocks` to `take`, in order, a few hundred at a time: `(row of
    /// the first, keys, errors)`.
    ///
    /// # Panics
    /// When `blocks` is not just the blocks of as many rows.
    pub fn for_each_block(&self, blocks: &[u8], rows: usize, term: Term, mut take: impl FnMut(usize, &[f32], &[f32])) {
        check(&self.codec, blocks, rows, rows);
        let (mut keys, mut errors) = ([0.0; CHUNK], [0.0; CHUNK]);
        for (i, blocks) in blocks.chunks(CHUNK / BLOCK * self.codec.block_bytes()).enumerate() {
            let count = CHUNK.min(rows - CHUNK * i);
            let (keys, errors) = (&mut keys[..count], &mut errors[..count]);
            self.estimates(blocks, term, keys, Some(errors));
            take(CHUNK * i, keys, errors);
        }
    }

    /// Estimates of several queries, each with a term of its own: query `q` and row `r` at `keys[q * rows + r]`.
    ///
    /// # Panics
    /// When the queries are for codes of different shapes or of different instruction sets, there is not a term for
    /// each, `blocks` is not just the blocks of `rows` rows, or there is not a key and an error for each combination.
    pub fn scan_many(
        queries: &[&Self],
        blocks: &[u8],
        rows: usize,
        terms: &[Term],
        keys: &mut [f32],
        errors: &mut [f32],
    ) {
        let Some(first) = queries.first() else { return };
        assert_eq!(terms.len(), queries.len(), "one term for each query");
        assert_eq!(Some(keys.len()), rows.checked_mul(queries.len()), "one key for each query and row");
        assert_eq!(keys.len(), errors.len(), "one error for each key");
        check(&first.codec, blocks, rows, rows);
        for query in queries {
            assert_eq!(query.codec, first.codec, "queries for codes of different shapes");
            assert!(std::ptr::fn_addr_eq(query.kernel.one, first.kernel.one), "queries for different instruction sets");
        }
        for (tile, blocks) in blocks.chunks(TILE * first.codec.block_bytes()).enumerate() {
            let row = TILE * BLOCK * tile;
            let count = (TILE * BLOCK).min(rows - row);
            let at = |q: usize| q * rows + row..q * rows + row + count;
            let mut q = 0;
            while q < queries.len() {
                let four = queries[q..].first_chunk::<4>().filter(|four| four.iter().all(|q| q.parts.len() == 1));
                if let Some(four) = four {
                    let from = at(q).start;
                    let outputs = [&mut keys[from..], &mut errors[from..]];
                    Self::four(*four, blocks, (rows, count), &terms[q..], outputs);
                    q += 4;
                } else {
                    queries[q].estimates(blocks, terms[q], &mut keys[at(q)], Some(&mut errors[at(q)]));
                    q += 1;
                }
            }
        }
    }

    /// Four queries of one part each: the first `count` rows of `blocks`, of `rows` in all.
    fn four(four: [&Self; 4], blocks: &[u8], (rows, count): (usize, usize), terms: &[Term], outputs: [&mut [f32]; 2]) {
        let (kernel, codec) = (&four[0].kernel, &four[0].codec);
        let [keys, errors] = outputs;
        for (b, block) in blocks.chunks_exact(codec.block_bytes()).enumerate() {
            let mut sums = [[0; BLOCK]; 4];
            // SAFETY: as in `Self::estimates`, for each of the four, which have the same kernel and shape.
            unsafe {
                let tables = four.map(|query| query.table(&query.parts[0]));
                (kernel.four)(tables, codec.plane_bytes(), block.as_ptr(), &mut sums);
            }
            for (q, (query, sums)) in four.iter().zip(&sums).enumerate() {
                let at = q * rows + BLOCK * b..q * rows + (BLOCK * (b + 1)).min(count);
                let (keys, errors) = (&mut keys[at.clone()], &mut errors[at]);
                query.write(std::slice::from_ref(sums), block, terms[q], keys, errors);
            }
        }
    }

    /// The first `keys.len()` rows of `blocks`, which were checked.
    fn estimates(&self, blocks: &[u8], term: Term, keys: &mut [f32], mut errors: Option<&mut [f32]>) {
        let [part] = self.parts[..] else { return self.estimates_of_parts(blocks, term, keys, errors) };
        let (whole, rest) = keys.as_chunks_mut::<BLOCK>();
        let job = Direct {
            tables: self.table(&part),
            bytes: self.codec.plane_bytes(),
            blocks: blocks.as_ptr(),
            count: whole.len(),
            part,
            scale: self.scale,
            term,
        };
        let to = errors.as_mut().map_or(std::ptr::null_mut(), |errors| errors.as_mut_ptr());
        // SAFETY: the instruction set is available (`Version::available`); the part has the tables of its kernel for
        // this number of bytes; there are as many blocks, and room for the estimates of their rows.
        unsafe { (self.kernel.direct)(&job, whole.as_mut_ptr().cast(), to) }
        if !rest.is_empty() {
            let (mut all_keys, mut all_errors) = ([0.0; BLOCK], [0.0; BLOCK]);
            let last = &blocks[job.count * self.codec.block_bytes()..];
            // SAFETY: as above, for one block more.
            unsafe {
                let job = Direct { blocks: last.as_ptr(), count: 1, ..job };
                (self.kernel.direct)(&job, all_keys.as_mut_ptr(), all_errors.as_mut_ptr());
            }
            rest.copy_from_slice(&all_keys[..rest.len()]);
            if let Some(errors) = errors {
                errors[BLOCK * job.count..].copy_from_slice(&all_errors[..rest.len()]);
            }
        }
    }

    fn estimates_of_parts(&self, blocks: &[u8], term: Term, keys: &mut [f32], mut errors: Option<&mut [f32]>) {
        let stride = self.codec.block_bytes();
        for (b, (block, keys)) in blocks.chunks_exact(stride).zip(keys.chunks_mut(BLOCK)).enumerate() {
            let mut sums = [[0; BLOCK]; PARTS_MAX];
            for (part, sums) in self.parts.iter().zip(&mut sums) {
                // SAFETY: the instruction set is available (`Version::available`); the part has the tables of its
                // kernel for this number of bytes, and the block that number for each row.
                unsafe { (self.kernel.one)(self.table(part), self.codec.plane_bytes(), block.as_ptr(), sums) }
            }
            let mut unwanted = [0.0; BLOCK];
            let errors = match &mut errors {
                Some(errors) => &mut errors[BLOCK * b..][..keys.len()],
                None => &mut unwanted[..keys.len()],
            };
            self.write(&sums, block, term, keys, errors);
        }
    }

    /// Keys and errors of a block from the sums of the parts.
    #[inline(always)]
    fn write(&self, sums: &[[u16; BLOCK]], block: &[u8], term: Term, keys: &mut [f32], errors: &mut [f32]) {
        let factors = &block[BLOCK * self.codec.plane_bytes()..];
        let job = Finish { parts: &self.parts, sums, factors, scale: self.scale, term };
        if let (Ok(keys), Ok(errors)) = (keys.try_into(), errors.try_into()) {
            // SAFETY: the instruction set is available (`Version::available`).
            unsafe { (self.kernel.finish)(&job, [keys, errors]) }
        } else {
            let (mut all_keys, mut all_errors) = ([0.0; BLOCK], [0.0; BLOCK]);
            // SAFETY: as above.
            unsafe { (self.kernel.finish)(&job, [&mut all_keys, &mut all_errors]) }
            keys.copy_from_slice(&all_keys[..keys.len()]);
            errors.copy_from_slice(&all_errors[..errors.len()]);
        }
    }
}

fn check(codec: &Codec, blocks: &[u8], rows: usize, errors: usize) {
    let want = rows.div_ceil(BLOCK).checked_mul(codec.block_bytes());
    assert_eq!(Some(blocks.len()), want, "bytes of the blocks of {rows} rows");
    assert_eq!(rows, errors, "one error for each key");
}

/// The odd weight that `planes` planes from `shift` on give a level.
#[inline(always)]
const fn weight(level: u8, shift: u32, planes: u32) -> i16 {
    let most = (1 << planes) - 1;
    2 * ((level >> shift) as i16 & most) - most
}

/// Whether sums of `|w|` fit: a unit's into 8 bits, a row's into 16.
fn fits(levels: &[u8], shift: u32, planes: u32) -> bool {
    let mut total = 0;
    levels.chunks(24).all(|unit| {
        let sum: u32 = unit.iter().map(|level| u32::from(weight(*level, shift, planes).unsigned_abs())).sum();
        total += sum;
        sum <= 255 && total <= 65_535
    })
}

/// The table of four weights, entry 0 in the lowest byte.
#[inline(always)]
fn narrow(weights: [i16; 4]) -> [u64; 2] {
    const ONES: u64 = 0x0101_0101_0101_0101;
    // The entries whose bit is set, for each of the four bits of an index.
    const SET: [[u64; 2]; 4] =
        [[0x0100_0100_0100_0100; 2], [0x0101_0000_0101_0000; 2], [0x0101_0101_0000_0000; 2], [0, ONES]];
    let mut table = [0; 2];
    for (w, set) in weights.into_iter().zip(SET) {
        for (entries, set) in table.iter_mut().zip(set) {
            // No byte carries into the next: four times 15 at most.
            *entries += u64::from(w.unsigned_abs()) * if w > 0 { set } else { set ^ ONES };
        }
    }
    table
}

/// The table of six weights.
#[inline(always)]
fn wide(weights: [i16; 6]) -> Line {
    let [a, b, c, d, fifth, sixth] = weights;
    let low = narrow([a, b, c, d]);
    let mut line = [0; 64];
    for (high, to) in line.chunks_exact_mut(16).enumerate() {
        let matching = |w: i16, bit: usize| if (w > 0) == (high >> bit & 1 == 1) { w.unsigned_abs() } else { 0 };
        let more = u64::from(matching(fifth, 0) + matching(sixth, 1)) * 0x0101_0101_0101_0101;
        to[..8].copy_from_slice(&(low[0] + more).to_le_bytes());
        to[8..].copy_from_slice(&(low[1] + more).to_le_bytes());
    }
    Line(line)
}
