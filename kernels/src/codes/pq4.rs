//! Product codes of four bits in blocks that are scanned from registers ("fast scan").
//!
//! A vector is cut into `M` parts, and each part is one of sixteen centroids. The distance of a query to a row is a sum
//! of `M` table entries; with the tables quantised to bytes ([`Pq4Tables`]) sixteen of them fit a register, and one
//! shuffle looks up as many codes as the register has bytes (Andre, Kermarrec and Le Scouarnec, "Quicker ADC: Unlocking
//! the Hidden Potential of Product Quantization with SIMD", 2019).
//!
//! # Formats
//! These reach disk, so they do not change.
//!
//! **Row codes**: [`row_bytes`]`(m)` bytes a row; sub-quantizer `2i` is the low half of byte `i` and `2i + 1` the high
//! half. With an odd `M` the last high half is written as zero and ignored when read.
//!
//! **Packed codes** are blocks of [`BLOCK`] = 32 rows, the last one filled up with rows of zeros. There are two
//! [`Layout`]s:
//!
//! - *Classic*, byte for byte that of faiss with blocks of 32. Sub-quantizers are filled up to a multiple of 2 with
//!   zeros, and each has sixteen bytes, one after another. With `p = 0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7,
//!   15`, byte `j` has the code of row `p[j]` in its low half and that of row `p[j] + 16` in its high half.
//! - *Vector-major*. Sub-quantizers are filled up to a multiple of 8 with zeros, and each eight have 128 bytes, one
//!   after another: 64 bytes for rows 0 to 15 of the block and 64 for rows 16 to 31. Of these, byte `4r + j` (`j < 4`)
//!   has the code of sub-quantizer `j` of the eight for row `r` in its low half, and that of `j + 4` in its high half.
//!
//! Every instruction set scans both; [`Layout::preferred`] is the one that this machine scans faster. [`relayout`]
//! leads from one to the other. Any bytes are valid codes.
mod layout;
mod scalar;
mod tables;
#[cfg(test)]
mod tests;

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "x86_64")]
mod avx512vbmi;
#[cfg(target_arch = "aarch64")]
mod neon;

pub use self::{
    layout::{Layout, Packed, pack, read_row, relayout, row_bytes, unpack, write_row},
    tables::Pq4Tables,
};
pub use super::pq8::Codebooks;
use crate::{
    dispatch::{self, KernelError},
    isa::{IsaInfo, Version, versions},
    prefetch,
};

/// Rows of a block of packed codes.
pub const BLOCK: usize = 32;

/// Table entries of a sub-quantizer, which are centroids.
pub const CENTROIDS: usize = 16;

/// Sub-quantizers at most. A sum of `MAX_M` bytes is below 2^24, so it is exact in f32, too.
pub const MAX_M: usize = 1 << 16;

/// Sub-quantizers whose bytes a sum of 16 bits holds: 256 * 255 < 2^16.
const U16_SPAN: usize = 256;

/// Bytes of codes that are scanned for all queries before the next ones: they stay in the nearest cache.
const SHARED_BYTES: usize = 16 << 10;

/// How far ahead of the scan the codes are asked for. Measured on Zen 5 over codes far larger than the caches: 96
/// hundredths of the bandwidth of plain loads, where the hardware alone reaches 87; 4 to 16 KiB are within three of
/// that.
const PREFETCH_BYTES: usize = 8 << 10;

/// Keys that [`Pq4::for_each_block`] hands over at most.
const CHUNK: usize = 8 * BLOCK;

/// The tables of one query and the place of its keys, as the scans take them.
#[derive(Clone, Copy)]
struct Lut {
    /// Sixteen bytes for each sub-quantizer, filled up to a multiple of 8 with zeros.
    tables: *const u8,
    bias: f32,
    step: f32,
    /// Room for the keys of the blocks.
    keys: *mut f32,
    /// From the codes that are scanned to those that are asked for meanwhile, in bytes; it may wrap.
    ahead: usize,
}

impl Lut {
    /// The key of a sum. No multiply-add, so that it has the same bits everywhere.
    #[inline(always)]
    fn key(&self, sum: u32) -> f32 {
        self.bias + self.step * sum as f32
    }
}

/// Asks for the cache line of codes that is scanned a while after the one at `codes`.
#[inline(always)]
fn fetch_ahead(codes: *const u8, ahead: usize) {
    prefetch::row(codes.wrapping_add(ahead), 64);
}

/// `(queries, codes, m, blocks)`: the keys of `blocks` blocks of packed codes with `m` sub-quantizers.
type Run<const Q: usize> = unsafe fn(&[Lut; Q], *const u8, usize, usize);

/// The scans of one layout on one instruction set.
#[derive(Clone, Copy, Debug)]
struct Scans {
    one: Run<1>,
    /// Four queries that share the loads of the codes.
    four: Run<4>,
}

static CLASSIC: &[Version<Scans>] = versions![
    x86 AVX512(whole) => Scans { one: avx512::one, four: avx512::four },
    x86 AVX2 => Scans { one: avx2::classic_one, four: avx2::classic_four },
    arm NEON => Scans { one: neon::classic_one, four: neon::classic_four },
    any SCALAR => Scans { one: scalar::classic_one, four: scalar::classic_four },
];

static VECTOR_MAJOR: &[Version<Scans>] = versions![
    x86 AVX512VBMI => Scans { one: avx512vbmi::one, four: avx512vbmi::four },
    x86 AVX2 => Scans { one: avx2::vector_major_one, four: avx2::vector_major_four },
    arm NEON => Scans { one: neon::vector_major_one, four: neon::vector_major_four },
    any SCALAR => Scans { one: scalar::vector_major_one, four: scalar::vector_major_four },
];

const fn scans(layout: Layout) -> &'static [Version<Scans>] {
    match layout {
        Layout::Classic => CLASSIC,
        Layout::VectorMajor => VECTOR_MAJOR,
    }
}

/// The scan of 4-bit product codes in one layout, bound to an instruction set.
///
/// The keys have the same bits on every instruction set and in every layout: they are computed from exact sums.
///
/// ```
/// use elanus_kernels::codes::pq4::{Layout, Packed, Pq4, Pq4Tables, pack};
///
/// // Two sub-quantizers, so one byte a row: three rows with the codes (0, 1), (2, 0) and (15, 15).
/// let (layout, rows) = (Layout::preferred()?, [0x10, 0x02, 0xff]);
/// let mut bytes = vec![0; layout.packed_bytes(2, 3)];
/// pack(layout, 2, &rows, &mut bytes);
///
/// let luts: Vec<f32> = (0..2 * 16).map(|i| (i % 16) as f32).collect();
/// let tables = Pq4Tables::from_f32(&luts, 2);
/// let mut keys = [0.0; 3];
/// Pq4::new(layout)?.keys(&tables, Packed::new(layout, 2, 3, &bytes)?, 0, &mut keys);
/// for (key, want) in keys.iter().zip([1.0, 2.0, 30.0]) {
///     assert!((key - want).abs() <= tables.max_error());
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Pq4 {
    layout: Layout,
    isa: &'static IsaInfo,
    scans: Scans,
}

impl Pq4 {
    /// The scan of the best instruction set that [`dispatch::choice`] allows.
    ///
    /// # Errors
    /// When that set cannot be used.
    pub fn new(layout: Layout) -> Result<Self, KernelError> {
        Self::on(dispatch::choice()?, layout)
    }

    /// The scan of the instruction set `isa` or, if there is none, of the next one below it.
    ///
    /// # Errors
    /// When this machine does not have that set.
    pub fn on(isa: &'static IsaInfo, layout: Layout) -> Result<Self, KernelError> {
        let (isa, scans) = dispatch::bind(scans(layout), isa)?;
        Ok(Self { layout, isa, scans })
    }

    /// The scan of each instruction set that has one of its own and that this CPU can run, best first.
    pub fn all(layout: Layout) -> impl Iterator<Item = Self> {
        let versions = scans(layout).iter();
        versions.filter_map(move |version| version.available().map(|scans| Self { layout, isa: version.isa, scans }))
    }

    /// The instruction sets that have a scan of their own, best first, whether this CPU can run them or not.
    pub fn sets(layout: Layout) -> impl Iterator<Item = &'static IsaInfo> {
        scans(layout).iter().map(|version| version.isa)
    }

    /// The layout of the codes.
    pub const fn layout(&self) -> Layout {
        self.layout
    }

    /// The name of the instruction set.
    pub const fn isa(&self) -> &'static str {
        self.isa.name()
    }

    /// The keys of `keys.len()` rows, in order, from row `first` on.
    ///
    /// # Panics
    /// When the layouts or the numbers of sub-quantizers differ, `first` is not a multiple of [`BLOCK`], or there are
    /// not that many rows.
    pub fn keys(&self, tables: &Pq4Tables, codes: Packed<'_>, first: usize, keys: &mut [f32]) {
        self.keys_from(0.0, tables, codes, first, keys);
    }

    /// [`Pq4::keys`], each with `base` added before the sum of its entries: what the centre of a list adds, say.
    ///
    /// # Panics
    /// As [`Pq4::keys`] does.
    pub fn keys_from(&self, base: f32, tables: &Pq4Tables, codes: Packed<'_>, first: usize, keys: &mut [f32]) {
        let codes = self.check(tables, codes, first, keys.len());
        let view = tables.view();
        self.one(Lut { bias: view.bias + base, ..view }, codes, tables.m(), keys);
    }

    /// [`Pq4::keys_from`] of all rows of `codes`, where those of `next` are scanned next: their beginning is asked for
    /// in place of what lies behind `codes`. Worth it where short lists lie apart.
    ///
    /// # Panics
    /// As [`Pq4::keys`] does, and when `keys` has not one place for each row.
    pub fn keys_before(&self, next: &[u8], base: f32, tables: &Pq4Tables, codes: Packed<'_>, keys: &mut [f32]) {
        assert_eq!(keys.len(), codes.rows(), "one key for each row");
        let bytes = self.check(tables, codes, 0, keys.len());
        let (view, m, block) = (tables.view(), tables.m(), self.layout.block_bytes(codes.m()));
        let lut = Lut { bias: view.bias + base, ..view };
        let first = (keys.len() / BLOCK).saturating_sub(PREFETCH_BYTES / block);
        let (bytes, rest) = bytes.split_at(first * block);
        let (keys, rest_keys) = keys.split_at_mut(first * BLOCK);
        self.one(lut, bytes, m, keys);
        let ahead = next.as_ptr().addr().wrapping_sub(rest.as_ptr().addr());
        self.one(Lut { ahead, ..lut }, rest, m, rest_keys);
    }

    /// The sums of the table bytes of `sums.len()` rows, in order, from row `first` on: the keys before scale and bias.
    ///
    /// # Panics
    /// As [`Pq4::keys`] does.
    pub fn sums(&self, tables: &Pq4Tables, codes: Packed<'_>, first: usize, sums: &mut [u32]) {
        let mut codes = self.check(tables, codes, first, sums.len());
        // Sums are below 2^24, hence exact as keys of step 1.
        let plain = Lut { bias: 0.0, step: 1.0, ..tables.view() };
        let mut keys = [0.0; CHUNK];
        for chunk in sums.chunks_mut(CHUNK) {
            let bytes = self.layout.packed_bytes(tables.m(), chunk.len());
            self.one(plain, &codes[..bytes], tables.m(), &mut keys[..chunk.len()]);
            for (sum, key) in chunk.iter_mut().zip(&keys) {
                *sum = *key as u32;
            }
            codes = &codes[bytes..];
        }
    }

    /// The keys of several queries with the same rows: query `q` and row `first + i` at `keys[q * (keys.len() /
    /// tables.len()) + i]`.
    ///
    /// Four queries at a time share the loads of the codes, and all of them share the passage of the codes from memory.
    ///
    /// # Panics
    /// As [`Pq4::keys`] does for each query, and when `keys` cannot be cut into as many equal parts as there are
    /// queries.
    pub fn keys_many(&self, tables: &[&Pq4Tables], codes: Packed<'_>, first: usize, keys: &mut [f32]) {
        let rows = keys.len() / tables.len().max(1);
        assert_eq!(rows * tables.len(), keys.len(), "{} queries in {} keys", tables.len(), keys.len());
        let mut bytes: &[u8] = &[];
        for query in tables {
            bytes = self.check(query, codes, first, rows);
        }
        let (m, block) = (codes.m(), self.layout.block_bytes(codes.m()));
        let step = BLOCK * (SHARED_BYTES / block).max(1);
        let mut start = 0;
        while start < rows {
            let count = step.min(rows - start);
            let part = &bytes[start / BLOCK * block..][..count.div_ceil(BLOCK) * block];
            let mut place = start;
            let (fours, rest) = tables.as_chunks::<4>();
            for four in fours {
                // In whole blocks the four run at once; the rows of an unfinished block follow one by one.
                let (whole, all) = (count / BLOCK * BLOCK, keys.as_mut_ptr());
                let mut luts = four.map(Pq4Tables::view);
                for (q, lut) in luts.iter_mut().enumerate() {
                    lut.keys = all.wrapping_add(place + q * rows);
                }
                // SAFETY: the set is available (`Version::available`), `part` holds `count / BLOCK` blocks, the tables
                // are of `m` sub-quantizers, and `keys` has room for `rows` keys of each query, the first `place`
                // later.
                unsafe { (self.scans.four)(&luts, part.as_ptr(), m, count / BLOCK) };
                for (q, query) in four.iter().enumerate() {
                    let rest = &mut keys[place + q * rows..][whole..count];
                    self.one(query.view(), &part[whole / BLOCK * block..], m, rest);
                }
                place += 4 * rows;
            }
            for query in rest {
                self.one(query.view(), part, m, &mut keys[place..][..count]);
                place += rows;
            }
            start += count;
        }
    }

    /// Hands the keys of all rows to `take`, in order, a few hundred at a time: `(row of the first key, keys)`.
    ///
    /// # Panics
    /// When the layouts or the numbers of sub-quantizers differ.
    pub fn for_each_block(&self, tables: &Pq4Tables, codes: Packed<'_>, mut take: impl FnMut(usize, &[f32])) {
        let mut keys = [0.0; CHUNK];
        let mut first = 0;
        while first < codes.rows() {
            let keys = &mut keys[..CHUNK.min(codes.rows() - first)];
            self.keys(tables, codes, first, keys);
            take(first, keys);
            first += keys.len();
        }
    }

    /// Checks what a scan is given, and returns the blocks from row `first` on.
    fn check<'a>(&self, tables: &Pq4Tables, codes: Packed<'a>, first: usize, rows: usize) -> &'a [u8] {
        assert_eq!(codes.layout(), self.layout, "codes of another layout");
        assert_eq!(codes.m(), tables.m(), "tables and codes of different numbers of sub-quantizers");
        assert!(first.is_multiple_of(BLOCK), "row {first} does not begin a block of {BLOCK}");
        let inside = first <= codes.rows() && rows <= codes.rows() - first;
        assert!(inside, "{rows} rows from {first} on, of {}", codes.rows());
        &codes.bytes()[first / BLOCK * self.layout.block_bytes(codes.m())..]
    }

    /// The keys of the first rows of `codes`, which holds the blocks of `m` sub-quantizers for them.
    fn one(&self, lut: Lut, codes: &[u8], m: usize, keys: &mut [f32]) {
        let block = self.layout.block_bytes(m);
        assert!(codes.len() >= keys.len().div_ceil(BLOCK) * block, "codes of fewer rows than keys");
        let (whole, rest) = keys.as_chunks_mut::<BLOCK>();
        let lut = Lut { keys: whole.as_mut_ptr().cast(), ..lut };
        // SAFETY: the set is available (`Version::available`); the codes of the whole blocks were checked to be there,
        // the tables are those of `m` sub-quantizers, and `keys` has room for the rows of these blocks.
        unsafe { (self.scans.one)(&[lut], codes.as_ptr(), m, whole.len()) };
        if !rest.is_empty() {
            let mut last = [0.0; BLOCK];
            let lut = Lut { keys: last.as_mut_ptr(), ..lut };
            // SAFETY: as above, for one block more.
            unsafe { (self.scans.one)(&[lut], codes[whole.len() * block..].as_ptr(), m, 1) };
            rest.copy_from_slice(&last[..rest.len()]);
        }
    }
}
