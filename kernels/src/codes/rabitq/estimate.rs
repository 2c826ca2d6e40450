//! Scans over records, bound to an instruction set.
#[cfg(target_arch = "aarch64")]
use super::neon;
#[cfg(target_arch = "x86_64")]
use super::{avx2, avx512vbmi, avx512vnni, avx512vpopcntdq};
use super::{
    blocks::{self, BlockKernel},
    layout::{self, Records, TRAILER},
    query::{Query, Term},
    scalar,
};
use crate::{
    dispatch::{self, KernelError},
    isa::{ISAS, IsaInfo, Version, versions},
    prefetch,
};

/// How far ahead of those in sequence rows are asked for. Measured on Zen 5 over records far larger than the caches: the
/// time of a row of 768 falls by a fifth, of 1536 to less than half.
const AHEAD_BYTES: usize = 6144;

/// Rows that are asked for at a time.
const CHUNK: usize = 64;

/// The rows of a scan of tier 0, and what makes estimates of them.
#[derive(Clone, Copy)]
pub(super) struct Scan<'a> {
    /// The planes of the query, from the lowest, of `words` words each.
    pub(super) planes: *const u64,
    pub(super) plane_count: usize,
    pub(super) words: usize,
    /// The signs of row 0, and the bytes from one row to the next. A [`TRAILER`] follows the signs of each row.
    pub(super) base: *const u8,
    pub(super) stride: usize,
    /// The rows, or null for `first` and those that follow.
    pub(super) ids: *const u32,
    pub(super) first: usize,
    /// How many rows are wanted.
    pub(super) count: usize,
    pub(super) terms: &'a [Term],
    pub(super) most: i32,
    pub(super) scale: f32,
}

impl Scan<'_> {
    /// The signs of row `i` of those wanted.
    ///
    /// # Safety
    /// `i` is below `count`, and the rows lie within one allocation.
    #[inline(always)]
    pub(super) unsafe fn row(&self, i: usize) -> *const u8 {
        // SAFETY: the caller's duty.
        unsafe {
            let row = if self.ids.is_null() { self.first + i } else { *self.ids.add(i) as usize };
            self.base.add(row * self.stride)
        }
    }

    /// Asks for what lies some way ahead of `rows` rows from `row` on, if rows are taken in sequence and lie close to
    /// one another.
    #[inline(always)]
    pub(super) fn fetch_ahead(&self, row: *const u8, rows: usize) {
        if self.ids.is_null() && self.stride < 8 * self.words + TRAILER + 64 {
            for line in 0..(rows * self.stride).div_ceil(64) {
                prefetch::row(row.wrapping_add(AHEAD_BYTES + 64 * line), 64);
            }
        }
    }

    /// The term of the centre of the row whose signs are at `row`.
    ///
    /// # Safety
    /// The trailer is readable.
    #[inline(always)]
    pub(super) unsafe fn term(&self, row: *const u8) -> &Term {
        // SAFETY: the caller's duty.
        let trailer = unsafe { &*row.add(8 * self.words).cast::<[u8; TRAILER]>() };
        self.terms.get(layout::centre(trailer)).unwrap_or(&Term::NONE)
    }

    /// The key and the error of row `i`, given its sum.
    ///
    /// # Safety
    /// As for [`Scan::row`]; the trailer is readable.
    #[inline(always)]
    pub(super) unsafe fn estimate(&self, i: usize, sum: u32) -> (f32, f32) {
        // SAFETY: the caller's duty.
        let (trailer, term) = unsafe {
            let row = self.row(i);
            (&*row.add(8 * self.words).cast::<[u8; TRAILER]>(), self.term(row))
        };
        let product = self.most - 2 * sum as i32;
        let [f_add, f_rescale, f_error] = layout::factors(trailer);
        ((f_add + term.add) + f_rescale * (self.scale * product as f32), f_error * term.bound)
    }
}

/// `(scan, keys, errors)`: for each row the estimate that [`Scan::estimate`] makes of the sum over planes `p` of `2^p`
/// times the ones of `signs ^ plane_p`. The sum is at most `D (2^8 - 1)`, below 2^23.
pub(super) type RowsRun = unsafe fn(&Scan<'_>, *mut f32, *mut f32);

/// `(bytes, words, signs, planes, extra)`: the product of 8-bit components and a code of `extra + 1` bits, whose
/// planes lie at `signs` and, the most significant first, at `planes`. Its magnitude is at most `127 * 255 D`, below
/// 2^31.
pub(super) type FullRun = unsafe fn(*const i8, usize, *const u8, *const u8, usize) -> i32;

const ROWS: &[Version<RowsRun>] = versions![
    x86 AVX512VPOPCNTDQ => avx512vpopcntdq::rows,
    x86 AVX2 => avx2::rows,
    arm NEON => neon::rows,
    any SCALAR => scalar::rows,
];

const FULL: &[Version<FullRun>] = versions![
    x86 AVX512VBMI => avx512vbmi::full,
    x86 AVX512VNNI => avx512vnni::full,
    x86 AVX2 => avx2::full,
    arm NEON => neon::full,
    any SCALAR => scalar::full,
];

/// Estimates of keys from codes, each kind of scan on the best instruction set for it. A few pointers, free to copy.
#[derive(Clone, Copy, Debug)]
pub struct Estimator {
    isas: [&'static IsaInfo; 3],
    rows: RowsRun,
    full: FullRun,
    block: BlockKernel,
}

impl Estimator {
    /// On the best instruction sets that [`dispatch::choice`] allows.
    ///
    /// # Errors
    /// When the set that was asked for cannot be used.
    pub fn new() -> Result<Self, KernelError> {
        Self::on(dispatch::choice()?)
    }

    /// On the instruction set `isa` or, for kinds of scan that have no code for it, the next one below.
    ///
    /// # Errors
    /// When this machine does not have that set.
    pub fn on(isa: &'static IsaInfo) -> Result<Self, KernelError> {
        let (rows_isa, rows) = dispatch::bind(ROWS, isa)?;
        let (full_isa, full) = dispatch::bind(FULL, isa)?;
        let (block_isa, block) = dispatch::bind(blocks::VERSIONS, isa)?;
        Ok(Self { isas: [rows_isa, full_isa, block_isa], rows, full, block })
    }

    /// An estimator for each instruction set that has code of its own for some kind of scan and that this CPU can
    /// run, best first.
    pub fn all() -> impl Iterator<Item = Self> {
        Self::sets().filter_map(|isa| Self::on(isa).ok())
    }

    /// The instruction sets that have code of their own for some kind of scan, best first, whether this CPU can run
    /// them or not.
    pub fn sets() -> impl Iterator<Item = &'static IsaInfo> {
        let has = |isa: &IsaInfo| {
            let name = isa.name();
            ROWS.iter().any(|version| version.isa.name() == name)
                || FULL.iter().any(|version| version.isa.name() == name)
                || blocks::VERSIONS.iter().any(|version| version.isa.name() == name)
        };
        ISAS.iter().copied().filter(move |isa| has(isa))
    }

    /// The names of the instruction sets of the scans of tier 0 by record, of tier 1, and of blocks.
    pub fn isas(&self) -> [&'static str; 3] {
        self.isas.map(IsaInfo::name)
    }

    pub(super) const fn block_kernel(&self) -> BlockKernel {
        self.block
    }

    /// Estimates from tier 0 for all records in order: `keys[i]`, to be minimised, and `errors[i]`, by which the true
    /// key may be away from it on either side. The term of a record is the one at the number of its centre in
    /// `terms`; where there is none, the estimate is not a number.
    ///
    /// # Panics
    /// When the records are not of the shape that the query is for, or `keys` or `errors` have not one place for each.
    pub fn rows(&self, query: &Query, records: Records<'_>, terms: &[Term], keys: &mut [f32], errors: &mut [f32]) {
        assert_eq!(keys.len(), records.len(), "one key for each record");
        self.tier0(query, records, None, terms, keys, errors);
    }

    /// As [`Estimator::rows`] for the records that `ids` names, in that order. Later ones are asked for while earlier
    /// ones are computed.
    ///
    /// # Panics
    /// When the records are not of the shape that the query is for, `keys` or `errors` have not one place for each
    /// id, or there is no record of that id.
    pub fn gather(
        &self,
        query: &Query,
        records: Records<'_>,
        ids: &[u32],
        terms: &[Term],
        keys: &mut [f32],
        errors: &mut [f32],
    ) {
        assert_eq!(keys.len(), ids.len(), "one key for each id");
        check_ids(ids, records);
        self.tier0(query, records, Some(ids), terms, keys, errors);
    }

    fn tier0(
        &self,
        query: &Query,
        records: Records<'_>,
        ids: Option<&[u32]>,
        terms: &[Term],
        keys: &mut [f32],
        errors: &mut [f32],
    ) {
        let codec = query.codec();
        assert_eq!(records.record(), codec.record_bytes(), "records of another shape than the query's");
        assert_eq!(keys.len(), errors.len(), "one error for each key");
        let count = keys.len();
        let outputs = keys.chunks_mut(CHUNK).zip(errors.chunks_mut(CHUNK));
        for (first, (keys, errors)) in (0..count).step_by(CHUNK).zip(outputs) {
            let scan = Scan {
                planes: query.planes.as_ptr(),
                plane_count: usize::from(query.bits()),
                words: codec.dim() / 64,
                base: records.bytes().as_ptr(),
                stride: records.stride(),
                ids: ids.map_or(std::ptr::null(), |ids| ids[first..].as_ptr()),
                first,
                count: keys.len(),
                terms,
                most: query.most(),
                scale: query.scale,
            };
            if let Some(ids) = ids {
                // The first chunk comes as a whole; each later one while the one before it is computed.
                let from = if first == 0 { 0 } else { first + CHUNK };
                fetch(records, &ids[from.min(count)..(first + 2 * CHUNK).min(count)]);
            }
            // SAFETY: the instruction set is available (`Version::available`); each row is below `records.len()`
            // (there is one key for each, or the ids were checked), so its signs are readable, and the trailer that
            // belongs to the record, as `records` checked; there are as many keys and errors as rows; and the query
            // has its planes for this dimension.
            unsafe { (self.rows)(&scan, keys.as_mut_ptr(), errors.as_mut_ptr()) }
        }
    }

    /// Estimates from both tiers for the records that `ids` names, as [`Estimator::gather`] gives them from tier 0.
    ///
    /// # Panics
    /// When records are not of the shape that the query is for, `keys` or `errors` have not one place for each id, or
    /// there is no record of that id in one of the tiers.
    #[expect(clippy::too_many_arguments, reason = "two tiers, which lie in different files")]
    pub fn refine(
        &self,
        query: &Query,
        records: Records<'_>,
        refinements: Records<'_>,
        ids: &[u32],
        terms: &[Term],
        keys: &mut [f32],
        errors: &mut [f32],
    ) {
        let codec = query.codec();
        assert_eq!(records.record(), codec.record_bytes(), "records of another shape than the query's");
        assert_eq!(refinements.record(), codec.refine_bytes(), "refinements of another shape than the query's");
        assert_eq!(keys.len(), ids.len(), "one key for each id");
        assert_eq!(keys.len(), errors.len(), "one error for each key");
        check_ids(ids, records);
        check_ids(ids, refinements);
        fetch(refinements, &ids[..ids.len().min(prefetch::AHEAD)]);
        for (i, id) in ids.iter().enumerate() {
            if let Some(later) = ids.get(i + prefetch::AHEAD) {
                fetch(refinements, &[*later]);
            }
            let (record, refine) = (records.get(*id as usize), refinements.get(*id as usize));
            let (bytes, words) = (query.bytes.as_ptr(), codec.dim() / 64);
            // SAFETY: the instruction set is available; the records have the planes that the codec says, and the query
            // `64 * words` bytes.
            let product = unsafe { (self.full)(bytes, words, record.as_ptr(), refine.as_ptr(), codec.extra()) };
            let most = (1i64 << codec.bits()) - 1;
            let product = 2 * i64::from(product) - most * i64::from(query.byte_sum);
            let term = term_of(&record[codec.plane_bytes()..], terms);
            let [f_add, f_rescale, f_error] = layout::factors(&refine[codec.extra() * codec.plane_bytes()..]);
            let [.., rough] = layout::factors(&record[codec.plane_bytes()..]);
            keys[i] = (f_add + term.add) + f_rescale * (query.byte_scale * product as f32);
            let (code, rounding) = (f_error * term.bound_code, rough * term.bound_query);
            errors[i] = (code * code + rounding * rounding).sqrt();
        }
    }
}

/// The term of the record with this trailer.
#[inline(always)]
fn term_of(trailer: &[u8], terms: &[Term]) -> Term {
    terms.get(layout::centre(trailer)).copied().unwrap_or(Term::NONE)
}

fn check_ids(ids: &[u32], records: Records<'_>) {
    if let Some(largest) = ids.iter().copied().reduce(u32::max) {
        assert!((largest as usize) < records.len(), "record {largest} of {}", records.len());
    }
}

/// Asks for records to be brought into the cache.
#[inline(always)]
fn fetch(records: Records<'_>, ids: &[u32]) {
    for id in ids {
        prefetch::row(records.bytes().as_ptr().wrapping_add(*id as usize * records.stride()), records.record());
    }
}
