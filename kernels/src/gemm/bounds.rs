//! How far a coarse key can be from the kernel's key.
//!
//! With a centre `c`, `Q = q - c` and `Y = x - c` (of unit vectors for COSINE), the keys are
//!
//! - L2: `|Q|^2 + |Y|^2 - 2 Q.Y`
//! - IP, COSINE: `(c.c - q.c) + (-x.c) - Q.Y`
//!
//! so a key is a term of the query, a term of the row, and `s` times a product, `s` = 2 or 1. The tile computes the
//! product of `q^` and `y^`, which are `Q` and `Y` rounded to the panel's format. What was lost is measured while
//! packing: with `e_q >= |Q - q^|` and `e_y >= |Y - y^|`, Cauchy and Schwarz give `|Q.Y - q^.y^| <= |Q| e_y + e_q
//! |y^|`. Summing the product in `f32` adds `g |q^| |y^|` with `g = n u / (1 - n u)`, `u = 2^-24`, for sums of `n`
//! terms in any order (Higham, "Accuracy and Stability of Numerical Algorithms", 2002, section 3.1); sums of bytes are
//! exact.
//!
//! The kernel's key is not the true one either: its sums have at most `dim / 16 + 64` roundings one after another, so
//! it is within `f |q| |x|` for IP, `f` times the key for L2 and `4 f` for COSINE, `f = (dim / 16 + 64) u`. The sums of
//! 32 lanes that measure a vector are within `f` of theirs too. Kernels that compute in half precision are coarser than
//! that, and are not bounded. A row's side of the bound is rounded up; its term is rounded to the nearest, after more
//! was taken off than that can add. So a pair whose coarse lower bound passes the threshold is the only kind that can
//! have a key within it. Products that underflow are covered by an absolute slack. All of this needs sums that stay in
//! range: vectors with squares above [`LARGEST`] are not bounded but compared as they are.
use super::{pack::Sums, tile::Format};
use crate::metric::Metric;

/// Unit roundoff of `f32`.
const U: f64 = 1.0 / (1u32 << 24) as f64;

/// Squares up to which vectors are bounded: products of two stay far below the end of the range.
const LARGEST: f32 = 1e30;

/// Squares from which unit vectors are bounded.
const SMALLEST: f32 = 1e-30;

/// Dimensions up to which sums of bytes fit 32 bits and `n u` is small.
pub(super) const DIM_MAX: usize = 1 << 16;

/// What the bounds of all vectors share.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    metric: Metric,
    /// `s`.
    factor: f64,
    /// `f`.
    depth: f64,
    /// Of the centre, and its square.
    norm: f64,
    square: f64,
    /// Norms of components that are too small to be squared.
    floor: f64,
    /// Products that are too small for `f32`.
    slack: f64,
}

/// What a tile needs of one vector. For a row, `base` is its term and the others carry the factor `s`; for a query,
/// `base` is its term.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    pub(super) scale: f32,
    pub(super) norm: f32,
    pub(super) error: f32,
    pub(super) base: f64,
    /// The term as it was measured, not moved to the safe side.
    pub(super) plain: f64,
}

impl Frame {
    pub(super) fn new(metric: Metric, centre: &[f32]) -> Self {
        let dim = centre.len() as f64;
        let square = centre.iter().map(|c| f64::from(*c) * f64::from(*c)).sum::<f64>();
        Self {
            metric,
            factor: if metric == Metric::L2 { 2.0 } else { 1.0 },
            depth: (dim / 16.0 + 64.0) * U,
            norm: square.sqrt(),
            square,
            floor: dim.sqrt() * 2f64.powi(-70),
            slack: dim * 2f64.powi(-118),
        }
    }

    /// Whether vectors are divided by their norms.
    pub(super) fn unit(&self) -> bool {
        self.metric == Metric::Cosine
    }

    /// Whether a vector can be bounded.
    pub(super) fn bounded(&self, sums: &Sums) -> bool {
        let spread = sums.moved <= LARGEST;
        match self.metric {
            Metric::Ip => spread && sums.square <= LARGEST,
            Metric::Cosine => spread && sums.square <= LARGEST && sums.square >= SMALLEST,
            Metric::L2
            | Metric::Hamming
            | Metric::Jaccard
            | Metric::Tanimoto
            | Metric::Substructure
            | Metric::Superstructure
            | Metric::MhJaccard => spread,
        }
    }

    /// Bounds of what was lost and of what was kept.
    fn norms(&self, sums: &Sums) -> (f64, f64) {
        let up = 1.0 + self.depth;
        let moved = f64::from(sums.moved).sqrt() * up + self.floor;
        let unit = if self.metric == Metric::Cosine { self.depth } else { 0.0 };
        let lost = f64::from(sums.residual).sqrt() * up + 4.0 * U * moved + unit + self.floor;
        (lost, moved + lost)
    }

    /// The norm of the vector as it came, for IP.
    fn length(&self, sums: &Sums) -> f64 {
        if self.metric == Metric::Cosine {
            1.0
        } else {
            f64::from(sums.square).sqrt() * (1.0 + self.depth) + self.floor
        }
    }

    pub(super) fn query(&self, sums: &Sums) -> Terms {
        let (lost, kept) = self.norms(sums);
        let (base, plain) = if self.metric == Metric::L2 {
            let square = f64::from(sums.moved);
            (square * (1.0 - 4.0 * self.depth), square)
        } else {
            let (square, product) = (self.square, f64::from(sums.centre));
            let doubt = self.depth * (square + self.length(sums) * self.norm);
            (square - product - doubt, square - product)
        };
        Terms { scale: sums.scale, norm: up(kept), error: up(lost), base: base - self.slack, plain }
    }

    pub(super) fn row(&self, format: Format, sums: &Sums) -> Terms {
        let (lost, kept) = self.norms(sums);
        let dim_u = (self.depth - 64.0 * U) * 16.0;
        // Eight roundings more where the tile puts the terms together.
        let gamma = match format {
            Format::I8 => 16.0 * U,
            Format::Bf16 | Format::F32 => (dim_u + 16.0 * U) * (1.0 + 2.0 * dim_u),
        };
        let mut error = self.factor * (lost + gamma * kept);
        let (base, plain) = if self.metric == Metric::L2 {
            let square = f64::from(sums.moved);
            (square * (1.0 - 4.0 * self.depth), square)
        } else {
            // The kernel's own error is `depth |q| |x|`, and `|q|` at most `|Q|` plus the centre's norm.
            let (length, product) = (self.length(sums), f64::from(sums.centre));
            error += 4.0 * self.depth * length;
            let unit = if self.unit() { 4.0 * self.depth } else { 0.0 };
            (-product - 6.0 * self.depth * length * self.norm - 8.0 * U * product.abs() - unit, -product)
        };
        Terms { scale: self.factor as f32 * sums.scale, norm: up(self.factor * kept), error: up(error), base, plain }
    }

    /// The limit of the tile's lower bounds for a query's term and the worst key that is of interest.
    pub(super) fn limit(&self, base: f64, threshold: f32) -> f32 {
        if threshold.is_infinite() {
            return threshold;
        }
        let mut key = f64::from(threshold);
        if self.metric == Metric::L2 {
            key *= 1.0 + 4.0 * self.depth;
        }
        let limit = key - base + self.slack;
        // A relative step up for the conversion, and the slack for numbers near zero.
        (limit + limit.abs() * 2.0 * U + self.slack) as f32
    }
}

/// To `f32`, not below; and the few roundings of the tile's own error terms.
fn up(value: f64) -> f32 {
    (value * (1.0 + 16.0 * U)) as f32
}
