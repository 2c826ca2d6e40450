//! What the fuzz targets share: reading shapes and values from the fuzzer's bytes.
use elanus_kernels::rng::Rng;

/// The fuzzer's bytes, consumed from the front; past the end they are zeros.
#[derive(Debug)]
pub struct Source<'a>(&'a [u8]);

impl<'a> Source<'a> {
    /// Reads from `bytes`.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// One byte.
    pub fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    /// A number below `end`, which is at least 1.
    pub fn below(&mut self, end: usize) -> usize {
        (usize::from(self.byte()) << 8 | usize::from(self.byte())) % end
    }

    /// A number below `usual`, or in one of eight cases below `rare`.
    pub fn mostly_below(&mut self, usual: usize, rare: usize) -> usize {
        let end = if self.byte() % 8 == 7 { rare } else { usual };
        self.below(end)
    }

    /// A number.
    pub fn u32(&mut self) -> u32 {
        u32::from_le_bytes([self.byte(), self.byte(), self.byte(), self.byte()])
    }

    /// A larger number.
    pub fn u64(&mut self) -> u64 {
        u64::from(self.u32()) << 32 | u64::from(self.u32())
    }

    /// Whether a byte is odd.
    pub fn coin(&mut self) -> bool {
        self.byte() & 1 == 1
    }

    /// Random numbers that follow from four bytes, for content of which there is too much to be in the input.
    pub fn rng(&mut self) -> Rng {
        Rng::new(u64::from(self.u32()))
    }

    /// Any `f32`, NaN and infinities too.
    pub fn f32(&mut self) -> f32 {
        f32::from_bits(self.u32())
    }

    /// A finite `f32` of moderate size.
    pub fn number(&mut self) -> f32 {
        f32::from(i16::from_le_bytes([self.byte(), self.byte()])) / 64.0
    }

    /// `count` bytes, in a vector of just that size, so that a read past its end is seen.
    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.byte()).collect()
    }

    /// `count` bytes from the input or, to fill more than it has, random ones; in a vector of just that size.
    pub fn filled(&mut self, count: usize) -> Vec<u8> {
        match self.byte() % 4 {
            0 => self.bytes(count),
            1 => vec![self.byte(); count],
            _ => {
                let mut rng = self.rng();
                (0..count).map(|_| rng.next_u64() as u8).collect()
            }
        }
    }

    /// `count` finite values within about 2^50, none of them nearer to 0 than 2^-50 but 0 itself: from the input,
    /// normal ones, a few different ones, zeros with a few others among them, or two magnitudes of which one has a run of
    /// its own, at one of many scales.
    pub fn tame(&mut self, count: usize) -> Vec<f32> {
        let kind = self.byte() % 6;
        let scale = if self.coin() { 1.0 } else { 2f32.powi(i32::from(self.byte() % 81) - 40) };
        match kind {
            0 => (0..count).map(|_| self.number() * scale).collect(),
            1 => {
                let few: [f32; 4] = std::array::from_fn(|_| self.number() * scale);
                let mut rng = self.rng();
                (0..count).map(|_| few[rng.below(4) as usize]).collect()
            }
            2 => {
                let (mut rng, one_in) = (self.rng(), 1 + u64::from(self.byte()));
                let mut draw = |_| if rng.below(one_in) == 0 { (rng.normal() * 64.0).round() * scale } else { 0.0 };
                (0..count).map(&mut draw).collect()
            }
            3 => {
                let (most, run) = ([self.number() * scale, self.number() * scale], 64.min(count));
                let from = self.below(count + 1);
                let (to, mixed, mut rng) = (from + self.below(run + 1), u64::from(self.byte() & 1), self.rng());
                let size = |i: usize| most[usize::from((from..to).contains(&i))];
                (0..count).map(|i| if rng.next_u64() & mixed == 0 { size(i) } else { -size(i) }).collect()
            }
            _ => {
                let mut rng = self.rng();
                (0..count).map(|_| (rng.normal() * 4096.0).round() / 1024.0 * scale).collect()
            }
        }
    }

    /// `count` of any `f32`, drawn in many ways, and whether they are [`Source::tame`].
    pub fn values(&mut self, count: usize) -> (Vec<f32>, bool) {
        match self.byte() % 8 {
            0 => (self.floats(count), false),
            1 => {
                let mut rng = self.rng();
                ((0..count).map(|_| f32::from_bits(rng.next_u64() as u32)).collect(), false)
            }
            2 if count > 0 => {
                let mut values = self.tame(count);
                for _ in 0..self.byte() % 4 {
                    let at = self.below(count);
                    values[at] = self.odd_one();
                }
                (values, false)
            }
            3 => {
                let few: [f32; 6] = std::array::from_fn(|_| self.odd_one());
                let mut rng = self.rng();
                ((0..count).map(|_| few[rng.below(6) as usize]).collect(), false)
            }
            _ => (self.tame(count), true),
        }
    }

    /// A value that arithmetic goes wrong with, if with any.
    pub fn odd_one(&mut self) -> f32 {
        const ODD: [f32; 14] = [
            f32::NAN,
            f32::INFINITY,
            f32::NEG_INFINITY,
            f32::MAX,
            f32::MIN,
            f32::MIN_POSITIVE,
            -0.0,
            1e-45,
            -1e-39,
            1e19,
            -2e19,
            1e-23,
            5e14,
            -1.0,
        ];
        let place = usize::from(self.byte());
        ODD.get(place % 16).copied().unwrap_or_else(|| self.f32())
    }

    /// `count` of any `f32`.
    pub fn floats(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|_| self.f32()).collect()
    }

    /// `count` finite `f32` of moderate size.
    pub fn numbers(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|_| self.number()).collect()
    }
}

/// Whether two keys are the same number to the bit, or both NaN.
pub fn same(a: f32, b: f32) -> bool {
    a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan())
}

/// Whether all keys are the same.
pub fn all_same(a: &[f32], b: &[f32]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(*a, *b))
}

/// The sum of the products of two vectors, nearly exact.
pub fn product(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
}
