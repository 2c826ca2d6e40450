//! Product codes of eight bits, and the codebooks of product codes of either width.
//!
//! A vector is cut into `M` parts, and each part is one of 256 centroids (Jegou, Douze and Schmid, "Product
//! Quantization for Nearest Neighbor Search", 2011). **Row codes**, which reach disk, are `M` bytes, one for each
//! sub-quantizer in order, row after row. Any bytes are valid codes. The tables of a query are `M` rows of 256 `f32`,
//! as [`Codebooks::tables`] makes them.
//!
//! # Choice of code
//! A table of 256 numbers is in memory, not in registers, so a scan costs a load for each code and nothing but loads
//! matters. With tables of `f32` there is one version for all sets, because it is the fastest: on Zen 5 a `vgatherdps`
//! of 16 lanes takes 12.5 cycles, 0.78 for a code before its address is made, and an addition with a scalar operand
//! from memory 0.5 at least. Four rows at a time hide the latency of the additions, and four codes of a row are loaded
//! together: 0.7 cycles for a code.
//!
//! Tables of bytes ([`Pq8Tables`]) fit four registers of AVX-512, which takes 0.15 cycles for a code, the turning of
//! the rows included. The keys are approximate then, as those of 4-bit codes are.
#[cfg(target_arch = "x86_64")]
mod avx512vbmi;
mod codebooks;
#[cfg(test)]
mod tests;

pub use self::codebooks::Codebooks;
use super::byte_tables::ByteTables;
pub use super::byte_tables::MAX_M;
use crate::{
    dispatch::{self, KernelError},
    isa::{IsaInfo, Version, versions},
    prefetch,
    rows::Rows,
};

/// Table entries of a sub-quantizer, which are centroids.
pub const CENTROIDS: usize = 256;

/// The tables of one query: 256 bytes for each sub-quantizer, and the way from a sum of such bytes to a key.
pub type Pq8Tables = ByteTables<CENTROIDS>;

/// Rows that are summed side by side.
const SIDE: usize = 4;

/// Sub-quantizers that are summed before the next rows are, so that their tables stay near: 48 KiB. Measured with 96
/// and 192 of them on Zen 5, which has a first-level cache of that size: 32 to 48 are best, and all of them cost half
/// as much again.
const TILE: usize = 48;

/// Rows whose sums wait for the next sub-quantizers.
const BLOCK: usize = 256;

/// `(tables, codes, ids, count, keys)`: the keys of `count` rows, those that `ids` names or, where that is null, the
/// first ones.
type Run = unsafe fn(&[[f32; CENTROIDS]], *const u8, *const u32, usize, *mut f32);

/// `(tables, (bias, step), codes, count, keys)`: the keys of the first `count` rows by tables of bytes.
type RunBytes = unsafe fn(&[[u8; CENTROIDS]], (f32, f32), *const u8, usize, *mut f32);

static VERSIONS: &[Version<Run>] = versions![any SCALAR => scan];

static BYTES: &[Version<RunBytes>] = versions![x86 AVX512VBMI => avx512vbmi::scan, any SCALAR => scan_bytes];

/// The scan of 8-bit product codes.
///
/// A key is the sum of the table entries in the order of the sub-quantizers, starting from zero, each rounded
/// to `f32`; so it has the same bits on every machine, from every method.
///
/// ```
/// use elanus_kernels::{Rows, codes::pq8::Pq8};
///
/// let tables: Vec<f32> = (0..2 * 256).map(|i| i as f32).collect();
/// let codes = [3, 0, 255, 1];
/// let mut keys = [0.0; 2];
/// Pq8::new()?.rows(&tables, Rows::new(&codes, 2)?, &mut keys);
/// assert_eq!(keys, [3.0 + 256.0, 255.0 + 257.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Pq8 {
    isa: &'static IsaInfo,
    run: Run,
    bytes: RunBytes,
}

impl Pq8 {
    /// The scan of the best instruction set that [`dispatch::choice`] allows.
    ///
    /// # Errors
    /// When that set cannot be used.
    pub fn new() -> Result<Self, KernelError> {
        Self::on(dispatch::choice()?)
    }

    /// The scan of the instruction set `isa` or, if there is none, of the next one below it.
    ///
    /// # Errors
    /// When this machine does not have that set.
    pub fn on(isa: &'static IsaInfo) -> Result<Self, KernelError> {
        let (_, run) = dispatch::bind(VERSIONS, isa)?;
        let (isa, bytes) = dispatch::bind(BYTES, isa)?;
        Ok(Self { isa, run, bytes })
    }

    /// The scan of each instruction set that has one of its own and that this CPU can run, best first.
    pub fn all() -> impl Iterator<Item = Self> {
        BYTES.iter().filter(|version| version.available().is_some()).filter_map(|version| Self::on(version.isa).ok())
    }

    /// The name of the instruction set.
    pub const fn isa(&self) -> &'static str {
        self.isa.name()
    }

    /// The key of each row, in order.
    ///
    /// # Panics
    /// When `tables` are not 256 entries for each byte of a row, or `keys` has not one place for each row.
    pub fn rows(&self, tables: &[f32], codes: Rows<'_, u8>, keys: &mut [f32]) {
        assert_eq!(keys.len(), codes.len(), "one key for each row");
        let tables = check(tables, codes);
        // SAFETY: the set is available (`Version::available`), there is a table for each byte of a row, and `codes` has
        // a row for each place in `keys`.
        unsafe { (self.run)(tables, codes.data().as_ptr(), std::ptr::null(), keys.len(), keys.as_mut_ptr()) }
    }

    /// The key of each row by tables of bytes, in order: wrong by [`Pq8Tables::max_error`] at most, and four to five
    /// times as fast as [`Pq8::rows`] where bytes can be permuted over whole registers (`avx512vbmi`); elsewhere not
    /// faster.
    ///
    /// # Panics
    /// When `tables` are not of one sub-quantizer for each byte of a row, or `keys` has not one place for each row.
    pub fn rows_by_bytes(&self, tables: &Pq8Tables, codes: Rows<'_, u8>, keys: &mut [f32]) {
        assert_eq!(keys.len(), codes.len(), "one key for each row");
        assert_eq!(tables.m(), codes.dim(), "tables and codes of different numbers of sub-quantizers");
        let scale = (tables.bias(), tables.step());
        // SAFETY: the set is available (`Version::available`), there is a table for each byte of a row, and `codes` has
        // a row for each place in `keys`.
        unsafe { (self.bytes)(tables.luts(), scale, codes.data().as_ptr(), keys.len(), keys.as_mut_ptr()) }
    }

    /// The key of each row that `ids` names, in that order. Later rows are prefetched while earlier ones are summed.
    ///
    /// # Panics
    /// When `tables` are not 256 entries for each byte of a row, `keys` has not one place for each id, or there is no
    /// row of that id.
    pub fn gather(&self, tables: &[f32], codes: Rows<'_, u8>, ids: &[u32], keys: &mut [f32]) {
        assert_eq!(keys.len(), ids.len(), "one key for each id");
        if let Some(largest) = ids.iter().copied().reduce(u32::max) {
            assert!((largest as usize) < codes.len(), "row {largest} of {}", codes.len());
        }
        let tables = check(tables, codes);
        // SAFETY: the set is available (`Version::available`), there is a table for each byte of a row, and each id was
        // checked.
        unsafe { (self.run)(tables, codes.data().as_ptr(), ids.as_ptr(), ids.len(), keys.as_mut_ptr()) }
    }
}

/// # Safety
/// As `RunBytes` says.
unsafe fn scan_bytes(
    tables: &[[u8; CENTROIDS]],
    (bias, step): (f32, f32),
    codes: *const u8,
    count: usize,
    keys: *mut f32,
) {
    for i in 0..count {
        // SAFETY: the caller's duty: row `i` has a byte for each table.
        let row = unsafe { std::slice::from_raw_parts(codes.add(i * tables.len()), tables.len()) };
        let sum: u32 = row.iter().zip(tables).map(|(code, table)| u32::from(table[usize::from(*code)])).sum();
        // SAFETY: there is room for `count` keys. No multiply-add, so that the key has the same bits everywhere.
        unsafe { keys.add(i).write(bias + step * sum as f32) };
    }
}

/// The tables, one for each byte of a row.
fn check<'a>(tables: &'a [f32], codes: Rows<'_, u8>) -> &'a [[f32; CENTROIDS]] {
    let (whole, rest) = tables.as_chunks();
    assert!(whole.len() == codes.dim() && rest.is_empty(), "{} entries for {} codes", tables.len(), codes.dim());
    whole
}

/// # Safety
/// As `Run` says.
unsafe fn scan(tables: &[[f32; CENTROIDS]], codes: *const u8, ids: *const u32, count: usize, keys: *mut f32) {
    let width = tables.len();
    // SAFETY: the caller's duty: `ids` is null or has `count` ids, and the row of each one is in `codes`.
    let row = |i: usize| unsafe { codes.add(width * if ids.is_null() { i } else { *ids.add(i) as usize }) };
    let mut start = 0;
    while start < count {
        let end = (start + BLOCK).min(count);
        for first in (0..width).step_by(TILE) {
            let tile = &tables[first..(first + TILE).min(width)];
            let mut i = start;
            while i < end {
                let side = SIDE.min(end - i);
                // Places beyond the last row repeat it.
                let rows: [*const u8; SIDE] = std::array::from_fn(|r| row(i + r.min(side - 1)));
                if first == 0 && !ids.is_null() {
                    for r in i + prefetch::AHEAD..(i + prefetch::AHEAD + SIDE).min(count) {
                        prefetch::row(row(r), width);
                    }
                }
                let mut sums = [0.0; SIDE];
                // SAFETY: `keys` has `count` places and `i + side` is at most that; each row has `width` bytes.
                unsafe {
                    if first > 0 {
                        sums[..side].copy_from_slice(std::slice::from_raw_parts(keys.add(i), side));
                    }
                    add(&mut sums, tile, &rows, first);
                    std::slice::from_raw_parts_mut(keys.add(i), side).copy_from_slice(&sums[..side]);
                }
                i += side;
            }
        }
        start = end;
    }
}

/// Adds the entries of the codes from `first` on to the sums of the rows.
///
/// # Safety
/// Each row has a byte for each table from `first` on.
#[inline(always)]
unsafe fn add(sums: &mut [f32; SIDE], tables: &[[f32; CENTROIDS]], rows: &[*const u8; SIDE], first: usize) {
    let (fours, rest) = tables.as_chunks::<4>();
    for (i, four) in fours.iter().enumerate() {
        for r in 0..SIDE {
            // SAFETY: the caller's duty; the row has the bytes of these four tables.
            let codes = unsafe { rows[r].add(first + 4 * i).cast::<[u8; 4]>().read() };
            let codes = u32::from_le_bytes(codes);
            for (j, table) in four.iter().enumerate() {
                look_up(&mut sums[r], table, (codes >> (8 * j)) as u8);
            }
        }
    }
    for (i, table) in rest.iter().enumerate() {
        for r in 0..SIDE {
            // SAFETY: as above.
            look_up(&mut sums[r], table, unsafe { *rows[r].add(first + 4 * fours.len() + i) });
        }
    }
}

/// Adds an entry to a sum. Written out, as the compiler would gather four entries in one register to add them at once,
/// which takes a third longer. An addition may set the exception flags of MXCSR, so flags are not preserved.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn look_up(sum: &mut f32, table: &[f32; CENTROIDS], code: u8) {
    // SAFETY: SSE belongs to the architecture, and a code is a place in the table.
    unsafe {
        std::arch::asm!(
            "addss {sum}, dword ptr [{table} + 4 * {code}]",
            sum = inout(xmm_reg) *sum,
            table = in(reg) table.as_ptr(),
            code = in(reg) usize::from(code),
            options(pure, readonly, nostack),
        );
    }
}

#[cfg(not(target_arch = "x86_64"))]
#[inline(always)]
fn look_up(sum: &mut f32, table: &[f32; CENTROIDS], code: u8) {
    *sum += table[usize::from(code)];
}
