//! Codebooks: the centroids of product codes, the way from vectors to codes and back, and the tables of a query.
#![allow(clippy::needless_range_loop, reason = "plain loops over lanes become vector code")]
use crate::{
    dispatch::{self, KernelError},
    isa::{IsaInfo, Version, versions},
    metric::Metric,
    rows::Rows,
};

/// Centroids whose distances are summed, and compared, side by side.
const LANES: usize = 16;

/// Rows that are encoded with one codebook before the next one.
const BLOCK: usize = 64;

/// The centroids of `m` sub-quantizers, 16 (codes of four bits) or 256 (of eight) for each, over `dsub` components
/// each.
///
/// Distances are summed over the components in order, each product rounded before it is added, so codes and tables have
/// the same bits on every instruction set.
#[derive(Clone, Debug)]
pub struct Codebooks {
    m: usize,
    k: usize,
    dsub: usize,
    /// `m` by `k` by `dsub`, as given.
    centroids: Vec<f32>,
    /// `m` by `dsub` by `k`: one component of all centroids side by side.
    columns: Vec<f32>,
    isa: &'static IsaInfo,
    code: Code,
}

/// `(query, columns, k, dsub, ip, out)`: the distance, or minus the product, of each part of a query with each
/// centroid.
type Tables = unsafe fn(&[f32], &[f32], usize, usize, bool, &mut [f32]);

/// `(rows, dim, columns, k, codes)`: the centroid of one codebook that is nearest to the front of each of the rows.
type Nearest = unsafe fn(&[f32], usize, &[f32], usize, &mut [u8]);

/// What is compiled for each set.
#[derive(Clone, Copy, Debug)]
struct Code {
    tables: Tables,
    nearest: Nearest,
}

static VERSIONS: &[Version<Code>] = versions![
    x86 AVX512 => Code { tables: avx512::tables, nearest: avx512::nearest },
    x86 AVX2 => Code { tables: avx2::tables, nearest: avx2::nearest },
    any SCALAR => Code { tables: plain::tables, nearest: plain::nearest },
];

impl Codebooks {
    /// Takes `values`, `m` by `k` by `dsub` centroids in rows, for the best instruction set that [`dispatch::choice`]
    /// allows.
    ///
    /// # Errors
    /// When that set cannot be used.
    ///
    /// # Panics
    /// When `values` has another shape, `m` or `dsub` is 0, or `k` is neither 16 nor 256.
    pub fn new(values: &[f32], m: usize, k: usize, dsub: usize) -> Result<Self, KernelError> {
        Self::on(dispatch::choice()?, values, m, k, dsub)
    }

    /// The same for the instruction set `isa` or, if there is no code for it, for the next one below it.
    ///
    /// # Errors
    /// When this machine does not have that set.
    ///
    /// # Panics
    /// As [`Codebooks::new`] does.
    pub fn on(isa: &'static IsaInfo, values: &[f32], m: usize, k: usize, dsub: usize) -> Result<Self, KernelError> {
        let (isa, code) = dispatch::bind(VERSIONS, isa)?;
        assert!(m > 0 && dsub > 0 && matches!(k, 16 | 256), "{m} codebooks of {k} centroids of {dsub} components");
        let len = dsub.checked_mul(k).and_then(|book| book.checked_mul(m));
        assert_eq!(Some(values.len()), len, "{m} codebooks of {k} centroids of {dsub} components");
        let mut columns = Vec::with_capacity(values.len());
        for book in values.chunks_exact(k * dsub) {
            for d in 0..dsub {
                columns.extend(book[d..].iter().step_by(dsub));
            }
        }
        Ok(Self { m, k, dsub, centroids: values.to_vec(), columns, isa, code })
    }

    /// The same for each instruction set that has code of its own and that this CPU can run, best first.
    pub fn all(values: &[f32], m: usize, k: usize, dsub: usize) -> impl Iterator<Item = Self> {
        let sets = VERSIONS.iter().filter(|version| version.available().is_some());
        sets.filter_map(move |version| Self::on(version.isa, values, m, k, dsub).ok())
    }

    /// How many sub-quantizers there are.
    pub const fn m(&self) -> usize {
        self.m
    }

    /// How many centroids each sub-quantizer has: 16 or 256.
    pub const fn k(&self) -> usize {
        self.k
    }

    /// How many components a sub-quantizer covers.
    pub const fn dsub(&self) -> usize {
        self.dsub
    }

    /// How many components a vector has.
    pub const fn dim(&self) -> usize {
        self.m * self.dsub
    }

    /// The name of the instruction set.
    pub const fn isa(&self) -> &'static str {
        self.isa.name()
    }

    /// Bytes of a row of codes: two codes a byte with 16 centroids, one with 256.
    pub const fn row_bytes(&self) -> usize {
        if self.k == 16 { self.m.div_ceil(2) } else { self.m }
    }

    /// The tables of a query, `m` by `k`: by L2 the squared distance of its part to each centroid, by IP minus the
    /// product. The sum of one entry for each sub-quantizer is the key of the query with the decoded row.
    ///
    /// # Panics
    /// When `query` has not [`Codebooks::dim`] components, `out` not `m * k` places, or `metric` is neither L2 nor IP.
    /// (Cosine is IP over vectors of length 1.)
    pub fn tables(&self, query: &[f32], metric: Metric, out: &mut [f32]) {
        assert_eq!(query.len(), self.dim(), "query and codebooks of different dimension");
        assert_eq!(out.len(), self.m * self.k, "one entry for each centroid");
        assert!(matches!(metric, Metric::L2 | Metric::Ip), "product codes have no tables for {}", metric.name());
        // SAFETY: the set is available (`Version::available`).
        unsafe { (self.code.tables)(query, &self.columns, self.k, self.dsub, metric == Metric::Ip, out) }
    }

    /// Encodes rows: for each part the centroid at the least squared distance, the lower code among equals. A part that
    /// is at no finite distance from any centroid, such as one with a NaN, has code 0.
    ///
    /// # Panics
    /// When the rows are not of [`Codebooks::dim`] components, or `codes` is not [`Codebooks::row_bytes`] for each.
    pub fn encode(&self, rows: Rows<'_, f32>, codes: &mut [u8]) {
        assert_eq!(rows.dim(), self.dim(), "rows and codebooks of different dimension");
        let width = self.row_bytes();
        assert_eq!(Some(codes.len()), rows.len().checked_mul(width), "{width} bytes of codes for each row");
        let mut found = [0; BLOCK];
        let books = self.columns.chunks_exact(self.k * self.dsub);
        for (rows, codes) in rows.data().chunks(BLOCK * self.dim()).zip(codes.chunks_mut(BLOCK * width)) {
            for (s, columns) in books.clone().enumerate() {
                let found = &mut found[..codes.len() / width];
                // SAFETY: the set is available (`Version::available`).
                unsafe { (self.code.nearest)(&rows[s * self.dsub..], self.dim(), columns, self.k, found) };
                for (code, row) in found.iter().zip(codes.chunks_exact_mut(width)) {
                    match (self.k, s % 2) {
                        (16, 0) => row[s / 2] = *code,
                        (16, _) => row[s / 2] |= *code << 4,
                        _ => row[s] = *code,
                    }
                }
            }
        }
    }

    /// Decodes rows of codes into the centroids that they name. Any bytes are valid codes.
    ///
    /// # Panics
    /// When `codes` are not whole rows, or `out` has not [`Codebooks::dim`] places for each.
    pub fn decode(&self, codes: &[u8], out: &mut [f32]) {
        let (width, dim) = (self.row_bytes(), self.dim());
        assert!(codes.len().is_multiple_of(width), "{} bytes are not whole rows of {width}", codes.len());
        assert_eq!(Some(out.len()), (codes.len() / width).checked_mul(dim), "{dim} components for each row");
        for (row, out) in codes.chunks_exact(width).zip(out.chunks_exact_mut(dim)) {
            for (s, out) in out.chunks_exact_mut(self.dsub).enumerate() {
                let code = if self.k == 16 { row[s / 2] >> (4 * (s % 2)) & 15 } else { row[s] };
                out.copy_from_slice(&self.centroids[(s * self.k + usize::from(code)) * self.dsub..][..self.dsub]);
            }
        }
    }
}

/// The distances, or minus the products, of one part of a vector with the centroids of one codebook.
///
/// The sums of 64 centroids grow side by side: those of 16 would wait for each addition, and would read one cache line
/// of each component, where four in order come sooner. Over 256 centroids that takes two thirds of the time on Zen 5,
/// half with `avx2`.
#[inline(always)]
fn entries<const IP: bool>(part: &[f32], columns: &[f32], out: &mut [f32]) {
    let k = out.len();
    let (fours, rest) = out.as_chunks_mut::<LANES>().0.as_chunks_mut::<4>();
    for (i, out) in fours.iter_mut().enumerate() {
        let (mut a, mut b, mut c, mut d) = ([0.0; LANES], [0.0; LANES], [0.0; LANES], [0.0; LANES]);
        for (value, column) in part.iter().zip(columns.chunks_exact(k)) {
            let [of_a, of_b, of_c, of_d] = &column.as_chunks::<LANES>().0.as_chunks::<4>().0[i];
            add::<IP>(&mut a, *value, of_a);
            add::<IP>(&mut b, *value, of_b);
            add::<IP>(&mut c, *value, of_c);
            add::<IP>(&mut d, *value, of_d);
        }
        *out = [a, b, c, d];
    }
    let done = 4 * fours.len();
    for (i, out) in rest.iter_mut().enumerate() {
        let mut sums = [0.0; LANES];
        for (value, column) in part.iter().zip(columns.chunks_exact(k)) {
            add::<IP>(&mut sums, *value, &column.as_chunks::<LANES>().0[done + i]);
        }
        *out = sums;
    }
}

/// Adds what one component makes of a distance, or of minus a product, for so many centroids.
#[inline(always)]
fn add<const IP: bool>(sums: &mut [f32; LANES], value: f32, column: &[f32; LANES]) {
    for c in 0..LANES {
        let difference = value - column[c];
        sums[c] = if IP { sums[c] - value * column[c] } else { sums[c] + difference * difference };
    }
}

#[inline(always)]
fn all_entries<const IP: bool>(query: &[f32], columns: &[f32], k: usize, dsub: usize, out: &mut [f32]) {
    let books = columns.chunks_exact(k * dsub);
    for ((part, book), out) in query.chunks_exact(dsub).zip(books).zip(out.chunks_exact_mut(k)) {
        entries::<IP>(part, book, out);
    }
}

/// The place of the least of `keys`, the first of equal ones, and 0 when none is finite.
#[inline(always)]
fn least(keys: &[f32]) -> u8 {
    let (mut best, mut places) = ([f32::INFINITY; LANES], [0; LANES]);
    for (i, keys) in keys.as_chunks::<LANES>().0.iter().enumerate() {
        for lane in 0..LANES {
            let nearer = keys[lane] < best[lane];
            best[lane] = if nearer { keys[lane] } else { best[lane] };
            places[lane] = if nearer { (i * LANES + lane) as u32 } else { places[lane] };
        }
    }
    let mut least = best;
    let mut half = LANES / 2;
    while half > 0 {
        for lane in 0..half {
            least[lane] = if least[lane + half] < least[lane] { least[lane + half] } else { least[lane] };
        }
        half /= 2;
    }
    // Lanes that found nothing are at infinity with place 0, and so count only where all did.
    for lane in 0..LANES {
        places[lane] = if best[lane] == least[0] { places[lane] } else { u32::MAX };
    }
    half = LANES / 2;
    while half > 0 {
        for lane in 0..half {
            places[lane] = places[lane].min(places[lane + half]);
        }
        half /= 2;
    }
    places[0] as u8
}

#[inline(always)]
fn all_nearest(rows: &[f32], dim: usize, columns: &[f32], k: usize, codes: &mut [u8]) {
    let (dsub, mut keys) = (columns.len() / k, [0.0; 256]);
    for (row, code) in rows.chunks(dim).zip(codes) {
        entries::<false>(&row[..dsub], columns, &mut keys[..k]);
        *code = least(&keys[..k]);
    }
}

/// Stamps the text above with the instructions of a set allowed.
macro_rules! stamp {
    ($name:ident $(, #[$features:meta])?) => {
        mod $name {
            use super::{all_entries, all_nearest};

            /// # Safety
            /// The instruction set is available.
            $(#[$features])?
            pub(super) unsafe fn tables(
                query: &[f32],
                columns: &[f32],
                k: usize,
                dsub: usize,
                ip: bool,
                out: &mut [f32],
            ) {
                if ip {
                    all_entries::<true>(query, columns, k, dsub, out);
                } else {
                    all_entries::<false>(query, columns, k, dsub, out);
                }
            }

            /// # Safety
            /// The instruction set is available.
            $(#[$features])?
            pub(super) unsafe fn nearest(rows: &[f32], dim: usize, columns: &[f32], k: usize, codes: &mut [u8]) {
                all_nearest(rows, dim, columns, k, codes);
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
stamp!(avx512, #[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512vl,avx512dq")]);
#[cfg(target_arch = "x86_64")]
stamp!(avx2, #[target_feature(enable = "avx2,fma,f16c")]);
stamp!(plain);
