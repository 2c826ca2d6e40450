//! One query against many rows of at most a chunk, written once for every metric, element type and instruction set.
//!
//! Rows in the cache are taken some at a time, which share the query's registers; rows from beyond are taken one
//! after another in the order of their addresses, where that pays. Every sum is of 32 bits. The parts of an L2 key
//! may not fit in them together, but the key does, and what wraps on the way to it comes back.
use super::{
    driver::{self, Targets},
    finish,
    kit::Kit,
    ops::{Bias, Both, Dot, Gap, Op},
};
use crate::{metric::Metric, prefetch};

/// Rows that are added up together where they are taken one by one, and cosines that are computed together.
const GROUP: usize = 8;

/// Rows whose products are summed at once where a line is one product and they come from the
/// second-level cache: measured on Zen 5, four at a time
/// come at the rate of reading, and eight of 1536 bytes a tenth slower.
const FEW: usize = 4;

/// Where a row has fewer bytes, squares are best taken of several rows at once wherever they come from: at 128 bytes,
/// one row after another from memory takes up to a fifth longer.
const SHORT_BYTES: usize = 512;

/// Rows whose sums are kept until their cosines are computed. Roots and quotients are long in coming, and hold up the
/// rows behind them unless there are several: measured on Zen 5 at 768 bytes, a sixth of the time.
const KEPT: usize = 64;

/// A query, its rows and the place of their keys.
struct Scan<'a> {
    query: *const u8,
    to: &'a Targets,
    keys: *mut f32,
    /// The rows follow each other, and are too many for the first-level cache.
    distant: bool,
    /// Rows are taken one by one.
    in_turn: bool,
    /// Memory is asked for ahead of rows that are taken together.
    ahead: bool,
}

/// The keys of a query with some rows of at most a chunk, from the query's [`finish::side`] and bias, which inner
/// products do without: they are taken `WIDE` at a time, then `R`, and other metrics `R` at a time. If `IN_TURN`,
/// rows from beyond the caches are taken one by one, in the order of their addresses: several at a time are several
/// streams, which the hardware's own prefetching follows less well.
///
/// The instruction set is available, `query` has `dim` readable values, as has each of the rows, of which there is
/// one at least, and `keys` has room for `count`.
#[inline(always)]
pub(super) unsafe fn many<K: Kit, const WIDE: usize, const R: usize, const IN_TURN: bool>(
    metric: Metric,
    query: *const u8,
    of_query: [f64; 2],
    to: &Targets,
    keys: *mut f32,
) {
    let bytes = to.count * to.dim;
    let distant = to.ids.is_null() && bytes > driver::CACHED_BYTES;
    let stream = IN_TURN && distant && prefetch::is_stream(to.base, bytes);
    let mut scan = Scan { query, to, keys, distant, in_turn: stream, ahead: distant };
    // SAFETY: passed on to the caller.
    unsafe {
        if matches!(metric, Metric::Ip) {
            return products::<K, WIDE, R>(&scan);
        }
        scan.in_turn &= to.dim >= SHORT_BYTES;
        if matches!(metric, Metric::L2) && K::DIRECT {
            gaps::<K, R>(&scan);
        } else {
            with_squares::<K, R>(metric, of_query, &scan);
        }
    }
}

/// The inner products.
///
/// As [`many`].
#[inline(always)]
unsafe fn products<K: Kit, const WIDE: usize, const R: usize>(scan: &Scan<'_>) {
    let (to, dim, mut first, mut bias) = (scan.to, scan.to.dim, 0, 0);
    // SAFETY: passed on to the caller; every position asked for is below `count`.
    unsafe {
        if K::BIASED {
            [[bias]] = driver::block::<K, Bias, 1, 1, 4>(scan.query, [scan.query], dim);
        }
        while scan.in_turn && first + GROUP <= to.count {
            let [cross] = driver::totals::<K, 1, GROUP>(scan.in_turn::<K, Dot, 1, 2>(first));
            scan.put(product_keys::<K, GROUP>(cross, bias), first);
            first += GROUP;
        }
        let ahead = scan.ahead && K::STEP < prefetch::LINE_BYTES;
        // So many rows are addressed by few registers if they follow each other, and have none for masks. Where they
        // come from beyond the first-level cache in whole lines, they are too many streams.
        let lines = K::STEP >= prefetch::LINE_BYTES;
        let wide = WIDE > R && to.ids.is_null() && dim.is_multiple_of(K::STEP) && !(lines && scan.distant);
        while wide && first + WIDE <= to.count {
            let lanes = driver::lanes::<K, Dot, 1, WIDE, 1>(scan.query, to.successive(first), dim, ahead);
            let [cross] = driver::totals::<K, 1, WIDE>(lanes);
            scan.put(product_keys::<K, WIDE>(cross, bias), first);
            first += WIDE;
        }
        let few = R > FEW && lines && K::SHIFT == 0 && scan.distant;
        while few && first + FEW <= to.count {
            let lanes = driver::lanes::<K, Dot, 1, FEW, 1>(scan.query, to.successive(first), dim, ahead);
            let [cross] = driver::totals::<K, 1, FEW>(lanes);
            scan.put(product_keys::<K, FEW>(cross, bias), first);
            first += FEW;
        }
        while first < to.count {
            let start = scan.start::<R>(first);
            let lanes = driver::lanes::<K, Dot, 1, R, 1>(scan.query, to.group::<R>(start), dim, ahead);
            let [cross] = driver::totals::<K, 1, R>(lanes);
            scan.put(product_keys::<K, R>(cross, bias), start);
            first += R;
        }
    }
}

#[inline(always)]
fn product_keys<K: Kit, const R: usize>(cross: [i32; R], bias: i32) -> [f32; R] {
    let mut keys = [0.0; R];
    let mut row = 0;
    while row < R {
        keys[row] = 0.0 - cross[row].wrapping_sub(bias) as f32 * unit::<K>();
        row += 1;
    }
    keys
}

/// What the products are times, undone. A power of two, so that a product with it is exact.
const fn unit<K: Kit>() -> f32 {
    1.0 / (1u32 << K::SHIFT) as f32
}

/// The squares of differences, of a kit that sums them directly.
///
/// As [`many`].
#[inline(always)]
unsafe fn gaps<K: Kit, const R: usize>(scan: &Scan<'_>) {
    let (to, dim, mut first) = (scan.to, scan.to.dim, 0);
    // SAFETY: passed on to the caller; every position asked for is below `count`.
    unsafe {
        while scan.in_turn && first + GROUP <= to.count {
            let [gaps] = driver::totals::<K, 1, GROUP>(scan.in_turn::<K, Gap, 1, 1>(first));
            scan.put(rounded(gaps), first);
            first += GROUP;
        }
        while first < to.count {
            let start = scan.start::<R>(first);
            let lanes = driver::lanes::<K, Gap, 1, R, 1>(scan.query, to.group::<R>(start), dim, scan.ahead);
            let [gaps] = driver::totals::<K, 1, R>(lanes);
            scan.put(rounded(gaps), start);
            first += R;
        }
    }
}

#[inline(always)]
fn rounded<const R: usize>(sums: [i32; R]) -> [f32; R] {
    let mut keys = [0.0; R];
    let mut row = 0;
    while row < R {
        keys[row] = sums[row] as f32;
        row += 1;
    }
    keys
}

/// L2 or cosines, from the products and the squares of the rows.
///
/// As [`many`].
#[inline(always)]
unsafe fn with_squares<K: Kit, const R: usize>(metric: Metric, [side, bias]: [f64; 2], scan: &Scan<'_>) {
    let (to, dim, mut first) = (scan.to, scan.to.dim, 0);
    let l2 = matches!(metric, Metric::L2);
    // The side of L2 is the sum of the squares, an integer.
    let (bias, square) = (bias as i32, if l2 { side as i32 } else { 0 });
    let origin = (square << K::SHIFT).wrapping_add(bias.wrapping_mul(2));
    let mut kept = Kept { cross: [0; KEPT], square: [0; KEPT], first: 0, count: 0, bias, side };
    // Cosines of rows that are waited for anyhow are best computed soon.
    let most = if scan.in_turn { GROUP } else { KEPT };
    // SAFETY: passed on to the caller; every position asked for is below `count`.
    unsafe {
        while scan.in_turn && first + GROUP <= to.count {
            let lanes = scan.in_turn::<K, Both, 2, 1>(first);
            if l2 {
                scan.put(l2_keys::<K, GROUP>(lanes, origin), first);
            } else {
                kept.add::<K, GROUP>(lanes, first, most, scan);
            }
            first += GROUP;
        }
        while first < to.count {
            let start = scan.start::<R>(first);
            let lanes = driver::lanes::<K, Both, 2, R, 1>(scan.query, to.group::<R>(start), dim, scan.ahead);
            if l2 {
                scan.put(l2_keys::<K, R>(lanes, origin), start);
            } else {
                kept.add::<K, R>(lanes, start, most, scan);
            }
            first += R;
        }
        if !l2 {
            kept.put::<K>(scan);
        }
    }
}

/// The keys by L2: `origin`, less twice the products, and the squares of the row, all times two to the power
/// [`Kit::SHIFT`]. Added up once for each row and not twice.
#[inline(always)]
unsafe fn l2_keys<K: Kit, const R: usize>([cross, square]: [[K::Sum; R]; 2], origin: i32) -> [f32; R] {
    // SAFETY: the caller's duty.
    unsafe {
        let mut less = [K::zero(); R];
        let mut row = 0;
        while row < R {
            let mut square = square[row];
            let mut i = 0;
            while i < K::SHIFT {
                square = K::add(square, square);
                i += 1;
            }
            less[row] = K::sub(K::add(cross[row], cross[row]), square);
            row += 1;
        }
        let [less] = driver::totals::<K, 1, R>([less]);
        let mut keys = [0.0; R];
        row = 0;
        while row < R {
            keys[row] = origin.wrapping_sub(less[row]) as f32 * unit::<K>();
            row += 1;
        }
        keys
    }
}

/// The sums of rows whose cosines are yet to be computed, and what they need of the query.
struct Kept {
    cross: [i32; KEPT],
    square: [i32; KEPT],
    /// The first of the rows.
    first: usize,
    count: usize,
    bias: i32,
    side: f64,
}

impl Kept {
    /// Adds the sums of rows from `start`, and writes the keys of all if there is no room for as many again below
    /// `most`.
    ///
    /// `most` is [`KEPT`] at most, a multiple of `R` that is not 0.
    #[inline(always)]
    unsafe fn add<K: Kit, const R: usize>(
        &mut self,
        lanes: [[K::Sum; R]; 2],
        start: usize,
        most: usize,
        scan: &Scan<'_>,
    ) {
        // SAFETY: what is kept is below `most`, and so by `R` at least; the rest is the caller's duty.
        unsafe {
            let [cross, square] = driver::totals::<K, 2, R>(lanes);
            if start != self.first + self.count {
                // The last group begins among the rows before.
                self.put::<K>(scan);
                self.first = start;
            }
            self.cross.as_mut_ptr().add(self.count).cast::<[i32; R]>().write_unaligned(cross);
            self.square.as_mut_ptr().add(self.count).cast::<[i32; R]>().write_unaligned(square);
            self.count += R;
            if self.count == most {
                self.put::<K>(scan);
            }
        }
    }

    /// Writes the keys, and keeps nothing.
    ///
    /// The instruction set is available.
    #[inline(always)]
    unsafe fn put<K: Kit>(&mut self, scan: &Scan<'_>) {
        let (mut first, end) = (self.first, self.first + self.count);
        let mut at = 0;
        while at < self.count {
            // SAFETY: groups begin at multiples of `GROUP`, of which `KEPT` is one.
            unsafe {
                let cross = self.cross.as_ptr().add(at).cast::<[i32; GROUP]>().read_unaligned();
                let square = self.square.as_ptr().add(at).cast::<[i32; GROUP]>().read_unaligned();
                let mut group = [0.0; GROUP];
                let mut row = 0;
                while row < GROUP {
                    let cross = f64::from(cross[row].wrapping_sub(self.bias)) * f64::from(unit::<K>());
                    let side = finish::side(Metric::Cosine, f64::from(square[row]));
                    group[row] = finish::key(Metric::Cosine, cross, self.side, side);
                    row += 1;
                }
                put(group, scan.keys.add(first), end.min(scan.to.count) - first);
            }
            first += GROUP;
            at += GROUP;
        }
        (self.first, self.count) = (end, 0);
    }
}

impl Scan<'_> {
    /// [`driver::lanes`] of the rows from `first`, one row after another. Written out, so that no lanes are stored on
    /// the way: rows at the distance of a multiple of 4 KiB from them would wait for the stores.
    ///
    /// As [`many`]; there are as many rows, and no ids.
    #[inline(always)]
    unsafe fn in_turn<K: Kit, O: Op<K, OUT>, const OUT: usize, const UNROLL: usize>(
        &self,
        first: usize,
    ) -> [[K::Sum; GROUP]; OUT] {
        let (query, dim) = (self.query, self.to.dim);
        // SAFETY: passed on to the caller.
        unsafe {
            let [a, b, c, d, e, f, g, h] = self.to.successive(first);
            let rows = [
                driver::lanes::<K, O, OUT, 1, UNROLL>(query, [a], dim, true),
                driver::lanes::<K, O, OUT, 1, UNROLL>(query, [b], dim, true),
                driver::lanes::<K, O, OUT, 1, UNROLL>(query, [c], dim, true),
                driver::lanes::<K, O, OUT, 1, UNROLL>(query, [d], dim, true),
                driver::lanes::<K, O, OUT, 1, UNROLL>(query, [e], dim, true),
                driver::lanes::<K, O, OUT, 1, UNROLL>(query, [f], dim, true),
                driver::lanes::<K, O, OUT, 1, UNROLL>(query, [g], dim, true),
                driver::lanes::<K, O, OUT, 1, UNROLL>(query, [h], dim, true),
            ];
            let mut lanes = [[K::zero(); GROUP]; OUT];
            let mut i = 0;
            while i < OUT {
                let mut row = 0;
                while row < GROUP {
                    lanes[i][row] = rows[row][i][0];
                    row += 1;
                }
                i += 1;
            }
            lanes
        }
    }

    /// Where a group of `R` rows begins: at `first`, or so that it ends at the last row if it can.
    #[inline(always)]
    fn start<const R: usize>(&self, first: usize) -> usize {
        first.min(self.to.count.saturating_sub(R))
    }

    /// Writes the keys of rows from `first`, as many as there are.
    ///
    /// `first` is below `count`.
    #[inline(always)]
    unsafe fn put<const R: usize>(&self, keys: [f32; R], first: usize) {
        // SAFETY: there is room for `count` keys.
        unsafe { put(keys, self.keys.add(first), self.to.count - first) }
    }
}

/// Writes the keys of which there are `count`, or all of them.
///
/// There is room for them.
#[inline(always)]
unsafe fn put<const R: usize>(from: [f32; R], keys: *mut f32, count: usize) {
    // SAFETY: the caller's duty.
    unsafe {
        if count >= R {
            keys.cast::<[f32; R]>().write_unaligned(from);
        } else {
            put_some(&from[..count], keys);
        }
    }
}

/// Writes some keys. A function of its own, lest full groups are copied by it as well.
///
/// There is room for them.
#[inline(never)]
unsafe fn put_some(from: &[f32], keys: *mut f32) {
    // SAFETY: the caller's duty.
    unsafe { from.as_ptr().copy_to_nonoverlapping(keys, from.len()) }
}
