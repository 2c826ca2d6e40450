//! Vectors on their way into a panel: moved to the centre, scaled, rounded to the panel's format, and measured.
#![allow(clippy::needless_range_loop, reason = "plain loops over lanes become vector code")]

use super::tile::{Args, Format};
use crate::prefetch;

/// Sums that run side by side.
const LANES: usize = 32;

/// The functions of one format on one instruction set.
#[derive(Clone, Copy, Debug)]
pub(super) struct Code {
    pub(super) format: Format,
    /// Queries in a panel.
    pub(super) queries: usize,
    /// Rows in a panel.
    pub(super) rows: usize,
    /// What turns the words of a row into what the multiplier takes: its bytes are unsigned, 128 more, on x86-64.
    pub(super) flip: u32,
    pub(super) tile: unsafe fn(&Args) -> u32,
    pub(super) prepare: unsafe fn(&mut Source<'_>) -> Sums,
    pub(super) transpose: unsafe fn(&Transpose<'_>, &mut [u32]),
}

/// One vector, and room for what becomes of it.
#[derive(Debug)]
pub(super) struct Source<'a> {
    pub(super) values: &'a [f32],
    pub(super) centre: &'a [f32],
    /// Divide by the norm first.
    pub(super) unit: bool,
    /// Room for the values, a multiple of `LANES` of them.
    pub(super) moved: &'a mut [f32],
    /// Room for as many components as `moved` has.
    pub(super) words: &'a mut [u32],
}

/// What was measured of a vector, in `f32` sums of 32 lanes: each is within `(dim / 32 + 8) * 2^-24` of the sum of its
/// terms' magnitudes, plus one rounding for each term.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Sums {
    /// Square of the vector as it came.
    pub(super) square: f32,
    /// Product of the (unit) vector with the centre.
    pub(super) centre: f32,
    /// Square of the moved vector.
    pub(super) moved: f32,
    /// Square of what rounding to the format took away.
    pub(super) residual: f32,
    /// What the words are multiplied with to be the moved vector.
    pub(super) scale: f32,
    /// Sum of the bytes.
    pub(super) bytes: i32,
}

/// The words of the vectors of a panel, one vector after the other.
#[derive(Debug)]
pub(super) struct Transpose<'a> {
    pub(super) words: &'a [u32],
    /// Words from one vector to the next.
    pub(super) stride: usize,
    pub(super) width: usize,
    pub(super) steps: usize,
    pub(super) flip: u32,
}

#[inline(always)]
fn fold(lanes: &[f32; LANES]) -> f32 {
    // A copy, so that the sums themselves can stay in registers.
    let copy = *lanes;
    halves(&copy)
}

/// Not inlined: else the order of these additions would shape the registers of the loops before them.
#[inline(never)]
fn halves(lanes: &[f32; LANES]) -> f32 {
    let mut lanes = *lanes;
    let mut half = LANES / 2;
    while half > 0 {
        for i in 0..half {
            lanes[i] += lanes[i + half];
        }
        half /= 2;
    }
    lanes[0]
}

/// Calls `$each` with blocks of lanes, the last one filled up with zeros.
macro_rules! blocks {
    (($first:expr, $second:expr), |$a:ident, $b:ident, $at:ident| $each:expr) => {
        let whole = $first.len() - $first.len() % LANES;
        let mut $at = 0;
        while $at < whole {
            let $a: &[f32; LANES] = $first[$at..].first_chunk().expect("a whole block");
            let $b: &[f32; LANES] = $second[$at..].first_chunk().expect("a whole block");
            $each;
            $at += LANES;
        }
        if whole < $first.len() {
            let (mut a, mut b) = ([0.0; LANES], [0.0; LANES]);
            a[..$first.len() - whole].copy_from_slice(&$first[whole..]);
            b[..$first.len() - whole].copy_from_slice(&$second[whole..]);
            let ($a, $b) = (&a, &b);
            $each;
        }
    };
}

/// Compiled for each instruction set and format; plain arrays of lanes become its registers.
#[inline(always)]
pub(super) fn prepare<const FORMAT: u8>(source: &mut Source<'_>) -> Sums {
    let dim = source.values.len();
    assert!(source.centre.len() == dim && source.moved.len() == dim.next_multiple_of(LANES));
    let mut factor = 1.0;
    let mut sums = Sums::default();
    if source.unit {
        let mut square = [0.0f32; LANES];
        blocks!((source.values, source.values), |value, _same, at| square_of(&mut square, value));
        sums.square = fold(&square);
        factor = 1.0 / sums.square.sqrt();
    }
    let mut lanes = Lanes { square: [0.0; LANES], centre: [0.0; LANES], moved: [0.0; LANES], largest: [0.0; LANES] };
    let moved = &mut *source.moved;
    blocks!((source.values, source.centre), |value, middle, at| {
        let to = moved[at..].first_chunk_mut().expect("room for a whole block");
        // The next row, most likely.
        prefetch::row(value.as_ptr().wrapping_add(dim), LANES);
        lanes.add(value, middle, factor, to);
    });
    sums.centre = fold(&lanes.centre);
    sums.moved = fold(&lanes.moved);
    if !source.unit {
        sums.square = fold(&lanes.square);
    }
    let mut top = 0.0;
    for i in 0..LANES {
        top = if lanes.largest[i] > top { lanes.largest[i] } else { top };
    }
    round::<FORMAT>(moved, source.words, top, &mut sums);
    sums
}

/// Sums that run side by side while a vector is moved.
struct Lanes {
    square: [f32; LANES],
    centre: [f32; LANES],
    moved: [f32; LANES],
    largest: [f32; LANES],
}

impl Lanes {
    #[inline(always)]
    fn add(&mut self, value: &[f32; LANES], middle: &[f32; LANES], factor: f32, to: &mut [f32; LANES]) {
        for i in 0..LANES {
            let scaled = value[i] * factor;
            let gap = scaled - middle[i];
            to[i] = gap;
            self.square[i] += scaled * scaled;
            self.centre[i] += scaled * middle[i];
            self.moved[i] += gap * gap;
            let size = gap.abs();
            self.largest[i] = if size > self.largest[i] { size } else { self.largest[i] };
        }
    }
}

#[inline(always)]
fn square_of(sums: &mut [f32; LANES], value: &[f32; LANES]) {
    for i in 0..LANES {
        sums[i] += value[i] * value[i];
    }
}

/// 1.5 * 2^23: added to a small number it leaves the nearest integer in the low bits, ties to even.
const MAGIC: f32 = 12_582_912.0;

#[inline(always)]
fn round<const FORMAT: u8>(moved: &[f32], words: &mut [u32], largest: f32, sums: &mut Sums) {
    let (mut residual, mut total) = ([0.0f32; LANES], [0.0f32; LANES]);
    sums.scale = 1.0;
    // Where every component is a byte already, as over byte vectors, the bytes are the vector itself.
    let mut inverse = 1.0;
    if FORMAT == Format::I8 as u8 && !(largest <= 128.0 && are_bytes(moved)) {
        // Not below what can be inverted; such vectors are all zero bytes.
        let top = if largest > 1e-30 { largest } else { 1e-30 };
        sums.scale = top / 127.0;
        inverse = 127.0 / top;
    }
    let mut at = 0;
    while at < moved.len() {
        let block = &moved[at..at + LANES];
        if FORMAT == Format::I8 as u8 {
            let mut bytes = [0u8; LANES];
            for i in 0..LANES {
                let shifted = block[i] * inverse + MAGIC;
                let whole = shifted - MAGIC;
                let lost = block[i] - sums.scale * whole;
                bytes[i] = shifted.to_bits() as u8;
                residual[i] += lost * lost;
                total[i] += whole;
            }
            let to = &mut words[at / 4..at / 4 + LANES / 4];
            for i in 0..LANES / 4 {
                to[i] = u32::from_le_bytes([bytes[4 * i], bytes[4 * i + 1], bytes[4 * i + 2], bytes[4 * i + 3]]);
            }
        } else if FORMAT == Format::Bf16 as u8 {
            let to = &mut words[at / 2..at / 2 + LANES / 2];
            let mut halves = [0u16; LANES];
            for i in 0..LANES {
                let bits = block[i].to_bits();
                let rounded = bits.wrapping_add(0x7fff + ((bits >> 16) & 1)) & 0xffff_0000;
                // The multiplier takes subnormal numbers for zero.
                let kept = if block[i].abs() < f32::MIN_POSITIVE { 0 } else { rounded };
                let lost = block[i] - f32::from_bits(kept);
                halves[i] = (kept >> 16) as u16;
                residual[i] += lost * lost;
            }
            for i in 0..LANES / 2 {
                to[i] = u32::from(halves[2 * i]) | u32::from(halves[2 * i + 1]) << 16;
            }
        } else {
            let to = &mut words[at..at + LANES];
            for i in 0..LANES {
                to[i] = block[i].to_bits();
            }
        }
        at += LANES;
    }
    sums.residual = fold(&residual);
    sums.bytes = fold(&total) as i32;
}

/// Whether all are whole numbers from -128 to 127, of some whose magnitudes are at most 128.
#[inline(always)]
fn are_bytes(moved: &[f32]) -> bool {
    let mut differ = 0;
    for value in moved {
        let whole = (value + MAGIC) - MAGIC;
        differ |= u32::from(whole != *value) | u32::from(*value > 127.0);
    }
    differ == 0
}

/// Word `s` of vector `v` goes to `s * width + v`.
#[inline(always)]
pub(super) fn transpose(from: &Transpose<'_>, panel: &mut [u32]) {
    let (width, stride) = (from.width, from.stride);
    assert!(from.words.len() >= width * stride && stride >= from.steps && panel.len() == from.steps * width);
    for (step, to) in panel.chunks_exact_mut(width).enumerate() {
        for lane in 0..width {
            // SAFETY: `lane` is below `width` and `step` below `steps`, which is at most `stride`.
            to[lane] = unsafe { *from.words.get_unchecked(lane * stride + step) } ^ from.flip;
        }
    }
}

/// Compiles the functions of a format for an instruction set into a module that holds their [`Code`].
macro_rules! stamp {
    (
        $module:ident: $simd:ident, $format:expr, $queries:literal x $vectors:literal, flip: $flip:literal,
        features: [$($feature:tt),*],
    ) => {
        pub(super) mod $module {
            use crate::gemm::{
                pack::{self, Code, Source, Sums, Transpose},
                tile::{self, Args, Format, Simd},
            };

            pub(in crate::gemm) const CODE: Code = Code {
                format: $format,
                queries: $queries,
                rows: $vectors * super::$simd::LANES,
                flip: $flip,
                tile,
                prepare,
                transpose,
            };

            $(#[target_feature(enable = $feature)])*
            unsafe fn tile(args: &Args) -> u32 {
                // SAFETY: the features are those of this function; the rest is the caller's duty.
                unsafe { tile::tile::<super::$simd, $queries, $vectors>(args) }
            }

            $(#[target_feature(enable = $feature)])*
            fn prepare(source: &mut Source<'_>) -> Sums {
                pack::prepare::<{ $format as u8 }>(source)
            }

            $(#[target_feature(enable = $feature)])*
            fn transpose(from: &Transpose<'_>, panel: &mut [u32]) {
                pack::transpose(from, panel);
            }
        }
    };
}
pub(super) use stamp;
