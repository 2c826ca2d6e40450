//! A query in integers, prepared once for all scans.
//!
//! Plain Rust with sums in fixed lanes, so a prepared query has the same bits on every machine; the loops are of the
//! kind that compilers turn into vector code with any instruction set.
use super::{layout::Codec, rescale::STEPS};
use crate::metric::Metric;

/// The `eps0` of RaBitQ's section 5.2: bounds are this many standard deviations away. For a normal error, which it
/// nearly is from some hundred dimensions up, the true key is below the lower bound with probability 0.029, and
/// outside of both bounds with probability 0.057. The deviation is that of the worst direction of the query, so in
/// practice it is rarer.
pub const EPS0: f32 = 1.9;

/// Bits of a query's components against tier 0, by default. With 4, the rounding of the query adds 2 percent to the
/// error.
pub const QUERY_BITS: u8 = 4;

/// The share of a normal vector's square that its sign code misses: `1 - 2 / pi`.
const SIGN_LOSS: f32 = 1.0 - std::f32::consts::FRAC_2_PI;

/// Lanes of a float sum.
const LANES: usize = 16;

/// What an estimate needs to know of the query and one centre. From [`Query::term`].
// Scans of several rows load a term as a whole.
#[derive(Clone, Copy, PartialEq, Debug)]
#[repr(C)]
pub struct Term {
    /// `|q - c|^2` for L2, `-<q, c>` for the inner product.
    pub(super) add: f32,
    /// By what `f_error` becomes the error of a tier 0 estimate.
    pub(super) bound: f32,
    /// By what `f_error_ex` and `f_error` become the two parts of the error of a tier 1 estimate.
    pub(super) bound_code: f32,
    pub(super) bound_query: f32,
}

impl Term {
    /// What is added to `f_add`: `|q - c|^2` for L2, `-<q, c>` for the inner product.
    pub const fn add(&self) -> f32 {
        self.add
    }

    /// For a centre that does not exist: estimates are not numbers.
    pub(super) const NONE: Self = Self { add: f32::NAN, bound: f32::NAN, bound_code: f32::NAN, bound_query: f32::NAN };
}

/// A rotated query, rounded to a few bits a component for tier 0 and to 8 for tier 1.
///
/// For tier 0 a component is `a w` with odd `w` of magnitude below `2^bits`: `w` is `2 u - (2^bits - 1)`, and `u` the
/// number whose bits are kept in planes. The grid is symmetric around 0, so that the sum over signs `s` needs no count
/// of the code's own ones: `sum s_i w_i = D (2^bits - 1) - 2 sum_p 2^p popcount(code ^ plane_p)`.
///
/// The step is Max's for normal components; `a` makes the rounding error orthogonal to the query, as RaBitQ does for
/// the code. Rounding is to the nearest and not random (section 3.3.1 of the first paper), which halves its error. In
/// return its error is not independent of a vector in nearly the direction of the query: with 4 bits the estimate is
/// then off by some hundredths of the bound, with vectors unrelated to the query not at all.
#[derive(Clone, Debug)]
pub struct Query {
    codec: Codec,
    bits: u8,
    eps0: f32,
    /// `|q|^2`.
    square: f32,
    /// `u` for each component.
    pub(super) levels: Vec<u8>,
    /// The bits of `u`, plane by plane from the lowest, 64 components in a word.
    pub(super) planes: Vec<u64>,
    /// `a / 2`: half a code's sum over signs, in units of the query.
    pub(super) scale: f32,
    /// The length of what rounding lost.
    lost: f32,
    /// Components in 8 bits for tier 1, their sum, half their unit, and the length of what rounding lost.
    pub(super) bytes: Vec<i8>,
    pub(super) byte_sum: i32,
    pub(super) byte_scale: f32,
    byte_lost: f32,
}

impl Query {
    /// Room for queries against codes of the shape `codec`, with [`QUERY_BITS`] and [`EPS0`]; a query of zeros until
    /// [`Query::prepare`] is called.
    pub fn new(codec: Codec) -> Self {
        Self::with(codec, QUERY_BITS, EPS0)
    }

    /// As [`Query::new`], with `bits` bits a component against tier 0, and bounds `eps0` standard deviations away.
    ///
    /// # Panics
    /// When `bits` is not in 1 to 8.
    pub fn with(codec: Codec, bits: u8, eps0: f32) -> Self {
        assert!((1..=8).contains(&bits), "queries of {bits} bits; allowed are 1 to 8");
        let dim = codec.dim();
        let mut query = Self {
            codec,
            bits,
            eps0,
            square: 0.0,
            levels: vec![0; dim],
            planes: vec![0; dim / 64 * usize::from(bits)],
            scale: 0.0,
            lost: 0.0,
            bytes: vec![0; dim],
            byte_sum: 0,
            byte_scale: 0.0,
            byte_lost: 0.0,
        };
        query.prepare(&vec![0.0; dim]);
        query
    }

    /// The shape of the codes it is for.
    pub const fn codec(&self) -> &Codec {
        &self.codec
    }

    /// Bits a component against tier 0.
    pub const fn bits(&self) -> u8 {
        self.bits
    }

    /// The bits of the rounded components `u`, plane by plane from the lowest, 64 components in a word: what a device
    /// needs besides [`Query::unit_half`] and [`Term::add`]. With the signs of a row as words of the same order, the
    /// product `p` is `D (2^bits - 1) - 2 sum_p 2^p popcount(signs ^ plane_p)`, and the key of tier 0
    /// `(f_add + add) + f_rescale * (unit_half * p)`, each operation rounded by itself.
    pub fn planes(&self) -> &[u64] {
        &self.planes
    }

    /// Half the unit `a` of the rounded components.
    pub const fn unit_half(&self) -> f32 {
        self.scale
    }

    /// Takes in a rotated query. Nothing is allocated.
    ///
    /// # Panics
    /// When it has not the dimension of the codes.
    pub fn prepare(&mut self, rotated: &[f32]) {
        assert_eq!(rotated.len(), self.codec.dim(), "dimension of the query");
        let mut lanes = [0.0; LANES];
        let mut largest = [0.0f32; LANES];
        for q in rotated.as_chunks::<LANES>().0 {
            for j in 0..LANES {
                lanes[j] += q[j] * q[j];
                largest[j] = if q[j].abs() > largest[j] { q[j].abs() } else { largest[j] };
            }
        }
        self.square = fold(lanes);
        self.round_to_planes(rotated);
        self.round_to_bytes(rotated, largest.into_iter().fold(0.0, f32::max));
    }

    /// The error of a vector rounded to `a w`: `a` and the length of `q - a w`, given `<w, q>` and `<w, w>`.
    fn unit(&self, product: f32, square: f32) -> (f32, f32) {
        // A query of zeros has no unit and needs none.
        let unit = if self.square == 0.0 { 0.0 } else { self.square / product };
        let lost = unit * unit * square - self.square;
        (unit, if lost < 0.0 { 0.0 } else { lost.sqrt() })
    }

    fn round_to_planes(&mut self, rotated: &[f32]) {
        let most = ((1u32 << self.bits) - 1) as f32;
        let step = STEPS[usize::from(self.bits) - 1] * (self.square / rotated.len() as f32).sqrt();
        let inverse = if step > 0.0 { 1.0 / step } else { 0.0 };
        let mut products = [0.0; LANES];
        let mut squares = [0.0; LANES];
        for (q, levels) in rotated.as_chunks::<LANES>().0.iter().zip(self.levels.as_chunks_mut::<LANES>().0) {
            for j in 0..LANES {
                let level = round(clamp(q[j] * inverse + 0.5 * most, 0.0, most));
                let w = 2 * level - most as i32;
                levels[j] = level as u8;
                products[j] += w as f32 * q[j];
                squares[j] += w as f32 * w as f32;
            }
        }
        let (unit, lost) = self.unit(fold(products), fold(squares));
        (self.scale, self.lost) = (0.5 * unit, lost);
        let words = rotated.len() / 64;
        for (word, levels) in self.levels.as_chunks::<64>().0.iter().enumerate() {
            for place in 0..usize::from(self.bits) {
                self.planes[place * words + word] = plane(levels, place);
            }
        }
    }

    fn round_to_bytes(&mut self, rotated: &[f32], largest: f32) {
        let inverse = if largest > 0.0 { 127.0 / largest } else { 0.0 };
        let mut products = [0.0; LANES];
        let mut squares = [0.0; LANES];
        let mut sums = [0i32; LANES];
        for (q, bytes) in rotated.as_chunks::<LANES>().0.iter().zip(self.bytes.as_chunks_mut::<LANES>().0) {
            for j in 0..LANES {
                let byte = round(clamp(q[j] * inverse, -127.0, 127.0));
                bytes[j] = byte as i8;
                products[j] += byte as f32 * q[j];
                squares[j] += byte as f32 * byte as f32;
                sums[j] += byte;
            }
        }
        let (unit, lost) = self.unit(fold(products), fold(squares));
        self.byte_sum = sums.into_iter().sum();
        (self.byte_scale, self.byte_lost) = (0.5 * unit, lost);
    }

    /// The term of a centre at squared distance `distance_sq` from the query, with inner product `product` with it,
    /// both before or after the rotation. L2 does not look at the product, but the other metrics at both.
    ///
    /// The bound covers the rounding of the query too: its part of the error of tier 0 is `lost / sin(angle)` where the
    /// code's is `|q - c|`, with the angle between a vector and its sign code, whose sine is nearly the same for all.
    pub fn term(&self, distance_sq: f32, product: f32) -> Term {
        let add = if self.codec.metric() == Metric::L2 { distance_sq } else { -product };
        let spread = distance_sq + self.lost * self.lost / SIGN_LOSS;
        let cotangent = ((1.0 - SIGN_LOSS) / SIGN_LOSS).sqrt();
        Term {
            add,
            bound: self.eps0 * spread.max(0.0).sqrt(),
            bound_code: self.eps0 * distance_sq.max(0.0).sqrt(),
            bound_query: self.eps0 * self.byte_lost * cotangent,
        }
    }

    /// The term of a centre at the origin.
    pub fn origin(&self) -> Term {
        self.term(self.square, 0.0)
    }

    /// What a sum of exclusive-or counts has to be taken from, so that twice the rest is the sum over signs.
    pub(super) const fn most(&self) -> i32 {
        (self.codec.dim() as i32) * ((1 << self.bits) - 1)
    }
}

/// As `f32::clamp`, but what is not a number becomes `low`.
#[inline(always)]
pub(super) fn clamp(x: f32, low: f32, high: f32) -> f32 {
    let x = if x > low { x } else { low };
    if x < high { x } else { high }
}

/// The nearest integer, of two the even one, of a magnitude below 2^22: the low bits of a float whose unit is 1.
#[inline(always)]
pub(super) fn round(x: f32) -> i32 {
    const UNIT: f32 = 12_582_912.0;
    (x + UNIT).to_bits() as i32 - UNIT.to_bits() as i32
}

/// The lanes of a sum, folded in halves.
fn fold(mut lanes: [f32; LANES]) -> f32 {
    let mut half = LANES / 2;
    while half > 0 {
        for j in 0..half {
            lanes[j] += lanes[j + half];
        }
        half /= 2;
    }
    lanes[0]
}

/// The bits at `place` of 64 bytes, that of byte 0 lowest.
#[inline(always)]
pub(super) fn plane(bytes: &[u8; 64], place: usize) -> u64 {
    let mut word = 0;
    for (i, eight) in bytes.as_chunks::<8>().0.iter().enumerate() {
        let bits = u64::from_le_bytes(*eight) >> place & 0x0101_0101_0101_0101;
        // The product gathers the lowest bit of each byte in its highest byte.
        word |= bits.wrapping_mul(0x0102_0408_1020_4080) >> 56 << (8 * i);
    }
    word
}
