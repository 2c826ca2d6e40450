//! Queries in bytes, in the order in which a layout and an instruction set take them.
use super::{
    DotError,
    driver::Cell,
    layout::{Arrangement, GROUP_BYTES, Layout},
};
use crate::isa::IsaInfo;

/// The largest magnitude of a query's byte; -128 does not occur.
const LIMIT: i32 = 127;
/// What the magnitudes of four components that share a lookup table may add up to before rounding, which can add a
/// half to each: the entries of the table then span at most 255 and fit a byte.
const TABLE_SUM: f64 = 253.0;
/// Components in a lookup table register: four nibbles of four.
const TABLE_DIM: usize = 16;
/// Bytes of such a register.
const TABLE_BYTES: usize = 64;

/// A cache line, so that query registers do not straddle two.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
struct Line([i8; 64]);

/// A query in signed bytes: `q_j ~ scale * q8_j`.
///
/// `scale` is `max |q_j| / 127`, and `q8_j` is `q_j / scale` rounded to the nearest (halves to even), so each component
/// is off by at most `scale / 2` and a product with a code by at most `scale / 2 * sum(code)`; [`Query8::loss`] is the
/// sum of what the
/// components are really off by. For blocks with a plane of one bit the scale may be a little larger, namely so large
/// that the magnitudes of the four components that share a lookup add up to 255 at most.
#[derive(Clone, Debug)]
pub struct Query8 {
    pub(super) layout: Layout,
    pub(super) isa: &'static IsaInfo,
    lines: Vec<Line>,
    /// Where the bytes for each plane begin.
    starts: [usize; 3],
    tables: Option<Tables>,
    scale: f32,
    sum: i32,
    loss: f32,
}

/// Sums of all subsets of four components, less the smallest of them, for planes of one bit.
#[derive(Clone, Debug)]
struct Tables {
    lines: Vec<Line>,
    /// What all the smallest sums add up to.
    bias: i32,
}

impl Query8 {
    /// Rounds a query.
    pub(super) fn new(layout: Layout, isa: &'static IsaInfo, cell: &Cell, query: &[f32]) -> Result<Self, DotError> {
        assert_eq!(query.len(), layout.dim, "query and codes of different dimension");
        let largest = largest(query)?;
        let mut scale = step(largest, LIMIT);
        if layout.arrangement == Arrangement::Block && layout.planes().iter().any(|plane| plane.bits == 1) {
            scale = scale.max((largest_table(query) / TABLE_SUM) as f32);
        }
        let bytes: Vec<i8> = round(query, scale, LIMIT).iter().map(|&value| value as i8).collect();
        let mut made = Self::from_bytes(layout, isa, cell, &bytes, scale);
        made.loss = loss(query, &bytes, scale);
        Ok(made)
    }

    /// Takes a query that is in bytes already.
    ///
    /// # Panics
    /// When a byte is -128 or the dimension differs.
    pub(super) fn from_bytes(layout: Layout, isa: &'static IsaInfo, cell: &Cell, bytes: &[i8], scale: f32) -> Self {
        assert_eq!(bytes.len(), layout.dim, "query and codes of different dimension");
        assert!(!bytes.contains(&i8::MIN), "-128 in a query, where -127 is the least");
        let sum = bytes.iter().map(|&value| i32::from(value)).sum();
        let mut made = Self { layout, isa, lines: Vec::new(), starts: [0; 3], tables: None, scale, sum, loss: 0.0 };
        match layout.arrangement {
            Arrangement::Row => made.arrange_rows(bytes, cell.register),
            Arrangement::Block => made.arrange_blocks(bytes, cell.tables),
        }
        made
    }

    /// For each plane, register by register of the codes: what multiplies field 0, field 1, and so on.
    fn arrange_rows(&mut self, bytes: &[i8], register: usize) {
        let layout = self.layout;
        for (p, plane) in layout.planes().iter().enumerate() {
            self.starts[p] = size_of_val(self.lines.as_slice());
            let fields = plane.fields();
            let room = plane.bytes.next_multiple_of(register) * fields;
            let mut plane_bytes = vec![0; room.next_multiple_of(size_of::<Line>())];
            for (run, values) in bytes.chunks(GROUP_BYTES).enumerate() {
                let (byte, field) = (run / fields * GROUP_BYTES, run % fields);
                let to = (byte / register * fields + field) * register + byte % register;
                plane_bytes[to..to + values.len()].copy_from_slice(values);
            }
            self.lines.extend(lines(&plane_bytes));
        }
    }

    /// In the order of the components, which serves every plane.
    fn arrange_blocks(&mut self, bytes: &[i8], tables: bool) {
        self.lines.extend(lines(bytes));
        if tables && self.layout.planes().iter().any(|plane| plane.bits == 1) {
            self.tables = Tables::new(bytes);
        }
    }

    /// The bytes in the order of the components, which is how blocks take them; `None` where they are arranged for rows.
    pub(in crate::codes) fn components(&self) -> Option<&[i8]> {
        if self.layout.arrangement != Arrangement::Block {
            return None;
        }
        // SAFETY: lines are 64 bytes each without padding, and hold one for each component at least.
        let bytes = unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast::<i8>(), 64 * self.lines.len()) };
        Some(&bytes[..self.layout.dim])
    }

    /// What a byte of the query stands for.
    pub const fn scale(&self) -> f32 {
        self.scale
    }

    /// The sum of the bytes.
    pub const fn sum(&self) -> i32 {
        self.sum
    }

    /// The sum over the components of `|q_j - scale * q8_j|`, rounded up; 0 for a query that was given in bytes.
    pub const fn loss(&self) -> f32 {
        self.loss
    }

    /// The bytes for plane `plane`.
    pub(super) fn plane(&self, plane: usize) -> *const i8 {
        self.lines.as_ptr().cast::<i8>().wrapping_add(self.starts[plane])
    }

    /// The lookup tables, 64 bytes for every sixteen components, and what to add to the sum of their entries; null
    /// where there are none.
    pub(super) fn tables(&self) -> (*const u8, i32) {
        self.tables.as_ref().map_or((std::ptr::null(), 0), |tables| (tables.lines.as_ptr().cast(), tables.bias))
    }
}

impl Tables {
    /// Entry `16 * j + n` of table `t` is the sum of those of the components `16 * t + 4 * s + j` whose bit `s` of `n`
    /// is one. `None` where some do not fit a byte.
    fn new(bytes: &[i8]) -> Option<Self> {
        let mut lines = Vec::with_capacity(bytes.len().div_ceil(TABLE_DIM * 2) * 2);
        let mut bias = 0;
        // A step of one bit takes two tables.
        for start in (0..bytes.len().next_multiple_of(2 * TABLE_DIM)).step_by(TABLE_DIM) {
            let mut table = [0; TABLE_BYTES];
            for j in 0..4 {
                let four = [0, 4, 8, 12].map(|s| bytes.get(start + s + j).map_or(0, |&value| i32::from(value)));
                let (low, high) = (four.map(|value| value.min(0)), four.map(|value| value.max(0)));
                let (low, high): (i32, i32) = (low.iter().sum(), high.iter().sum());
                if high - low > 255 {
                    return None;
                }
                bias += low;
                let mut sums = [-low; 16];
                for (s, value) in four.into_iter().enumerate() {
                    for n in 0..1 << s {
                        sums[n + (1 << s)] = sums[n] + value;
                    }
                }
                for (entry, sum) in table[16 * j..16 * j + 16].iter_mut().zip(sums) {
                    *entry = sum as u8 as i8;
                }
            }
            lines.push(Line(table));
        }
        Some(Self { lines, bias })
    }
}

/// A query in 15 bits, as two queries in bytes: `q_j ~ scale * (128 * high_j + low_j)`.
///
/// `scale` is `max |q_j| / 16256`, and each component is off by at most `scale / 2`. It costs twice the work of a
/// [`Query8`]. The product with a code is `128 * high + low` of the products of the halves; it may leave `i32`, hence
/// it is left to the caller to add the halves in `i64` or in floating point.
#[derive(Clone, Debug)]
pub struct Query16 {
    /// The upper half.
    pub high: Query8,
    /// The lower half.
    pub low: Query8,
    scale: f32,
    loss: f32,
}

impl Query16 {
    /// What a unit of `low` counts for in `high`.
    pub const RADIX: i32 = 128;

    pub(super) fn new(layout: Layout, isa: &'static IsaInfo, cell: &Cell, query: &[f32]) -> Result<Self, DotError> {
        assert_eq!(query.len(), layout.dim, "query and codes of different dimension");
        let limit = LIMIT * Self::RADIX;
        let scale = step(largest(query)?, limit);
        let values = round(query, scale, limit);
        let half = Self::RADIX / 2;
        let high: Vec<i8> = values.iter().map(|&value| (value + half).div_euclid(Self::RADIX) as i8).collect();
        let low: Vec<i8> = values.iter().map(|&value| ((value + half).rem_euclid(Self::RADIX) - half) as i8).collect();
        let loss = loss(query, &values, scale);
        let high = Query8::from_bytes(layout, isa, cell, &high, scale * Self::RADIX as f32);
        let low = Query8::from_bytes(layout, isa, cell, &low, scale);
        Ok(Self { high, low, scale, loss })
    }

    /// What a unit of `128 * high + low` stands for.
    pub const fn scale(&self) -> f32 {
        self.scale
    }

    /// The sum of `128 * high_j + low_j`.
    pub const fn sum(&self) -> i64 {
        self.high.sum as i64 * Self::RADIX as i64 + self.low.sum as i64
    }

    /// The sum over the components of what each is off by, rounded up.
    pub const fn loss(&self) -> f32 {
        self.loss
    }
}

/// The largest magnitude.
///
/// # Errors
/// [`DotError::NotFinite`] when a component is not finite.
pub(in crate::codes) fn largest(query: &[f32]) -> Result<f32, DotError> {
    // Magnitudes are ordered like their bits, infinity and NaN last; unlike floats, integers have a maximum that
    // compilers vectorise.
    let bits = query.iter().fold(0, |largest, value| value.abs().to_bits().max(largest));
    let largest = f32::from_bits(bits);
    if largest.is_finite() {
        return Ok(largest);
    }
    let position = query.iter().position(|value| !value.is_finite()).unwrap_or_default();
    Err(DotError::NotFinite { position })
}

/// The scale that takes `largest` to `limit`. Subnormal scales are too coarse to bound a quotient, so the least one is
/// that of normal numbers.
fn step(largest: f32, limit: i32) -> f32 {
    if largest == 0.0 { 0.0 } else { (largest / limit as f32).max(f32::MIN_POSITIVE) }
}

/// The largest sum of the magnitudes of the four components of a lookup.
fn largest_table(query: &[f32]) -> f64 {
    let mut largest: f64 = 0.0;
    for chunk in query.chunks(TABLE_DIM) {
        for j in 0..4 {
            largest = largest.max(chunk.iter().skip(j).step_by(4).map(|&value| f64::from(value.abs())).sum());
        }
    }
    largest
}

/// `query / scale` rounded to the nearest, halves to even; `limit` is below 2^22.
fn round(query: &[f32], scale: f32, limit: i32) -> Vec<i32> {
    /// One unit in the last place of this is 1, so that adding it rounds, and leaves the integer in the low bits.
    /// Unlike a cast this is an addition to compilers, which they vectorise.
    const UNITS: f32 = 12_582_912.0;
    if scale == 0.0 {
        return vec![0; query.len()];
    }
    let top = limit as f32;
    let nearest = |&value: &f32| ((value / scale).clamp(-top, top) + UNITS).to_bits() as i32 - UNITS.to_bits() as i32;
    query.iter().map(nearest).collect()
}

/// The sum of `|q - scale * value|`, rounded up.
fn loss<T: Copy + Into<f64>>(query: &[f32], values: &[T], scale: f32) -> f32 {
    let scale = f64::from(scale);
    (sum(query, values, |q, value| (q - scale * value).abs()) as f32).next_up()
}

/// The sum of a term of each pair, in eight partial sums so that one addition need not wait for the other.
pub(in crate::codes) fn sum<A, B>(a: &[A], b: &[B], term: impl Fn(f64, f64) -> f64) -> f64
where
    A: Copy + Into<f64>,
    B: Copy + Into<f64>,
{
    let mut sums = [0.0; 8];
    let (a, a_rest) = a.as_chunks::<8>();
    let (b, b_rest) = b.as_chunks::<8>();
    for (a, b) in a.iter().zip(b) {
        for (sum, (&a, &b)) in sums.iter_mut().zip(a.iter().zip(b)) {
            *sum += term(a.into(), b.into());
        }
    }
    let rest: f64 = a_rest.iter().zip(b_rest).map(|(&a, &b)| term(a.into(), b.into())).sum();
    sums.iter().sum::<f64>() + rest
}

/// Bytes in whole lines, zeros after the end.
fn lines(bytes: &[i8]) -> impl Iterator<Item = Line> {
    bytes.chunks(64).map(|chunk| {
        let mut line = Line([0; 64]);
        line.0[..chunk.len()].copy_from_slice(chunk);
        line
    })
}
