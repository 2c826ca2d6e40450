//! Bits of the rows of one chunk, and tests of three values over them.

/// Words of a mask.
pub(crate) const WORDS: usize = 32;
/// Rows of a chunk: few enough that masks and intermediate numbers stay in the nearest cache.
pub(crate) const ROWS: usize = WORDS * 64;

/// One bit for each row of a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mask(pub(crate) [u64; WORDS]);

impl Mask {
    pub(crate) const NONE: Self = Self([0; WORDS]);
    pub(crate) const ALL: Self = Self([u64::MAX; WORDS]);

    /// The first `rows` rows.
    pub(crate) fn first(rows: usize) -> Self {
        let mut mask = Self::NONE;
        for (position, word) in mask.0.iter_mut().enumerate() {
            let left = rows.saturating_sub(64 * position);
            *word = if left >= 64 { u64::MAX } else { (1 << left) - 1 };
        }
        mask
    }

    #[inline]
    pub(crate) fn and(mut self, other: &Self) -> Self {
        self.0.iter_mut().zip(&other.0).for_each(|(word, other)| *word &= other);
        self
    }

    #[inline]
    pub(crate) fn or(mut self, other: &Self) -> Self {
        self.0.iter_mut().zip(&other.0).for_each(|(word, other)| *word |= other);
        self
    }

    /// Without the rows of the other.
    #[inline]
    pub(crate) fn without(mut self, other: &Self) -> Self {
        self.0.iter_mut().zip(&other.0).for_each(|(word, other)| *word &= !other);
        self
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }

    #[inline]
    pub(crate) fn set(&mut self, row: usize) {
        self.0[row / 64] |= 1 << (row % 64);
    }

    /// The rows, ascending.
    pub(crate) fn rows(&self) -> impl Iterator<Item = usize> + '_ {
        self.0.iter().enumerate().flat_map(|(position, &word)| {
            std::iter::successors((word != 0).then_some(word), |rest| Some(rest & (rest - 1)).filter(|rest| *rest != 0))
                .map(move |rest| 64 * position + rest.trailing_zeros() as usize)
        })
    }

    /// The rows whose value passes; `values` are those of the chunk.
    #[inline]
    pub(crate) fn of_values<T: Copy>(values: &[T], test: impl Fn(T) -> bool) -> Self {
        let mut mask = Self::NONE;
        for (word, values) in mask.0.iter_mut().zip(values.chunks(64)) {
            *word = match <&[T; 64]>::try_from(values) {
                Ok(values) => pack(values, &test),
                Err(_) => values.iter().rev().fold(0, |word, &value| word << 1 | u64::from(test(value))),
            };
        }
        mask
    }
}

/// Sixty-four tests as a word: bytes first, which compilers make wide comparisons of, then eight bytes at a time to
/// eight bits by a multiplication that moves bit 8i to bit 56 + i and lets no two of them meet.
#[inline]
fn pack<T: Copy>(values: &[T; 64], test: impl Fn(T) -> bool) -> u64 {
    let bytes: [u8; 64] = std::array::from_fn(|row| u8::from(test(values[row])));
    let mut word = 0;
    for (position, bytes) in bytes.as_chunks::<8>().0.iter().enumerate() {
        word |= (u64::from_le_bytes(*bytes).wrapping_mul(0x0102_0408_1020_4080) >> 56) << (8 * position);
    }
    word
}

/// Rows for which a test is true, and rows for which it is false; it is unknown for the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tri {
    pub(crate) yes: Mask,
    pub(crate) no: Mask,
}

impl Tri {
    /// The same for every row.
    pub(crate) fn of(value: bool) -> Self {
        if value { Self { yes: Mask::ALL, no: Mask::NONE } } else { Self { yes: Mask::NONE, no: Mask::ALL } }
    }

    /// True for the rows of `yes`, false for the other `known` ones.
    #[inline]
    pub(crate) fn known(yes: &Mask, known: &Mask) -> Self {
        Self { yes: yes.and(known), no: known.without(yes) }
    }

    pub(crate) fn not(self) -> Self {
        Self { yes: self.no, no: self.yes }
    }

    /// Takes what a test says of one row.
    #[inline]
    pub(crate) fn set(&mut self, row: usize, value: Option<bool>) {
        match value {
            Some(true) => self.yes.set(row),
            Some(false) => self.no.set(row),
            None => {}
        }
    }

    pub(crate) const UNKNOWN: Self = Self { yes: Mask::NONE, no: Mask::NONE };
}

#[cfg(test)]
mod tests;
