//! The interval of keys that a search admits, for range search and iterators.

/// Keys from `lower` (inclusive) to `upper` (exclusive), in key space, where smaller is nearer.
///
/// An infinite `upper` admits every key from `lower` up, infinity included, so that [`KeyRange::ALL`] refuses nothing
/// but NaN. A NaN bound admits nothing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KeyRange {
    /// The least key admitted.
    pub lower: f32,
    /// The least key no longer admitted.
    pub upper: f32,
}

impl KeyRange {
    /// The range that admits every key.
    pub const ALL: Self = Self { lower: f32::NEG_INFINITY, upper: f32::INFINITY };

    /// Whether the range refuses nothing but NaN.
    pub fn is_all(&self) -> bool {
        self.lower == f32::NEG_INFINITY && self.upper == f32::INFINITY
    }

    /// Whether `key` lies in the range; NaN never does.
    pub fn contains(&self, key: f32) -> bool {
        key >= self.lower && (key < self.upper || self.upper == f32::INFINITY)
    }

    /// The range of the keys that both ranges admit.
    pub fn and(self, other: Self) -> Self {
        // A NaN bound, which admits nothing, stays: the comparison with it is false.
        let lower = if self.lower >= other.lower || self.lower.is_nan() { self.lower } else { other.lower };
        let upper = if self.upper <= other.upper || self.upper.is_nan() { self.upper } else { other.upper };
        Self { lower, upper }
    }

    /// The largest key admitted, or NaN where there is none: then `key <= last` is what `upper` asks for.
    pub(crate) fn last(&self) -> f32 {
        if self.upper == f32::INFINITY {
            f32::INFINITY
        } else if self.upper == f32::NEG_INFINITY {
            f32::NAN
        } else {
            self.upper.next_down()
        }
    }
}

impl Default for KeyRange {
    fn default() -> Self {
        Self::ALL
    }
}
