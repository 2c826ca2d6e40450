//! Dense bitmaps over row positions: filters, deletes and visited marks.
#[cfg(test)]
mod tests;

const WORD: usize = u64::BITS as usize;

/// The word that holds bit `i`, and the bit's mask in it.
const fn place(i: usize) -> (usize, u64) {
    (i / WORD, 1 << (i % WORD))
}

/// The mask of the bits in use in the last word of `len` bits.
const fn tail_mask(len: usize) -> u64 {
    match len % WORD {
        0 => u64::MAX,
        used => (1 << used) - 1,
    }
}

/// An owned bitmap. Bits past the length are always clear.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Bitmap {
    words: Vec<u64>,
    len: usize,
}

impl Bitmap {
    /// `len` bits, all clear.
    pub fn new(len: usize) -> Self {
        Self { words: vec![0; len.div_ceil(WORD)], len }
    }

    /// `len` bits, all set.
    pub fn full(len: usize) -> Self {
        let mut bits = Self { words: vec![u64::MAX; len.div_ceil(WORD)], len };
        bits.clear_tail();
        bits
    }

    /// `len` bits, bit `i` being `bit(i)`.
    pub fn from_fn(len: usize, mut bit: impl FnMut(usize) -> bool) -> Self {
        let mut bits = Self::new(len);
        for i in 0..len {
            let (word, mask) = place(i);
            if bit(i) {
                bits.words[word] |= mask;
            }
        }
        bits
    }

    /// Takes words as `len` bits, bit `i` being bit `i % 64` of word `i / 64`; bits past the length are cleared.
    ///
    /// # Panics
    /// When the number of words is not `len` over 64, rounded up.
    pub fn from_words(words: Vec<u64>, len: usize) -> Self {
        assert_eq!(words.len(), len.div_ceil(WORD), "words for {len} bits");
        let mut bits = Self { words, len };
        bits.clear_tail();
        bits
    }

    /// How many bits there are.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no bits.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The bits in words of 64, low bits first.
    pub fn words(&self) -> &[u64] {
        &self.words
    }

    /// The borrowed form.
    pub fn view(&self) -> BitmapView<'_> {
        BitmapView { words: &self.words, len: self.len }
    }

    /// Bit `i`.
    ///
    /// # Panics
    /// When there is no such bit.
    #[inline]
    pub fn get(&self, i: usize) -> bool {
        self.view().get(i)
    }

    /// Sets or clears bit `i`.
    ///
    /// # Panics
    /// When there is no such bit.
    #[inline]
    pub fn set(&mut self, i: usize, value: bool) {
        assert!(i < self.len, "bit {i} of {}", self.len);
        let (word, mask) = place(i);
        if value {
            self.words[word] |= mask;
        } else {
            self.words[word] &= !mask;
        }
    }

    /// Cuts to `len` bits, or grows to it with bits of `value`.
    pub fn resize(&mut self, len: usize, value: bool) {
        let grown_from = self.len;
        self.words.resize(len.div_ceil(WORD), if value { u64::MAX } else { 0 });
        self.len = len;
        if value && len > grown_from && !grown_from.is_multiple_of(WORD) {
            self.words[grown_from / WORD] |= !tail_mask(grown_from);
        }
        self.clear_tail();
    }

    /// How many bits are set.
    pub fn count_ones(&self) -> usize {
        self.view().count_ones()
    }

    /// The positions of the set bits, ascending.
    pub fn iter_ones(&self) -> Ones<'_> {
        self.view().iter_ones()
    }

    /// Keeps the bits that `other` has too.
    ///
    /// # Panics
    /// When the lengths differ.
    pub fn and_with(&mut self, other: BitmapView<'_>) {
        self.combine(other, |a, b| a & b);
    }

    /// Adds the bits that `other` has.
    ///
    /// # Panics
    /// When the lengths differ.
    pub fn or_with(&mut self, other: BitmapView<'_>) {
        self.combine(other, |a, b| a | b);
    }

    /// Clears the bits that `other` has.
    ///
    /// # Panics
    /// When the lengths differ.
    pub fn and_not_with(&mut self, other: BitmapView<'_>) {
        self.combine(other, |a, b| a & !b);
    }

    /// Turns every bit over.
    pub fn invert(&mut self) {
        for word in &mut self.words {
            *word = !*word;
        }
        self.clear_tail();
    }

    fn combine(&mut self, other: BitmapView<'_>, op: impl Fn(u64, u64) -> u64) {
        assert_eq!(self.len, other.len, "bitmaps of different length");
        for (mine, theirs) in self.words.iter_mut().zip(other.words) {
            *mine = op(*mine, *theirs);
        }
        // The view may come from bytes whose unused bits are not clear.
        self.clear_tail();
    }

    fn clear_tail(&mut self) {
        if let Some(last) = self.words.last_mut() {
            *last &= tail_mask(self.len);
        }
    }
}

/// A borrowed bitmap. Bits past the length may hold anything and are never looked at.
#[derive(Clone, Copy, Debug)]
pub struct BitmapView<'a> {
    words: &'a [u64],
    len: usize,
}

impl<'a> BitmapView<'a> {
    /// Views words as `len` bits, bit `i` being bit `i % 64` of word `i / 64`.
    ///
    /// # Panics
    /// When the number of words is not `len` over 64, rounded up.
    pub fn new(words: &'a [u64], len: usize) -> Self {
        assert_eq!(words.len(), len.div_ceil(WORD), "words for {len} bits");
        Self { words, len }
    }

    /// How many bits there are.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no bits.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The bits in words of 64, low bits first; bits past the length may hold anything.
    pub const fn words(&self) -> &'a [u64] {
        self.words
    }

    /// Bit `i`.
    ///
    /// # Panics
    /// When there is no such bit.
    #[inline]
    pub fn get(&self, i: usize) -> bool {
        assert!(i < self.len, "bit {i} of {}", self.len);
        let (word, mask) = place(i);
        self.words[word] & mask != 0
    }

    /// How many bits are set.
    pub fn count_ones(&self) -> usize {
        let Some((last, whole)) = self.words.split_last() else { return 0 };
        let in_whole: usize = whole.iter().map(|word| word.count_ones() as usize).sum();
        in_whole + (last & tail_mask(self.len)).count_ones() as usize
    }

    /// The positions of the set bits, ascending.
    pub fn iter_ones(&self) -> Ones<'a> {
        Ones { view: *self, position: 0, rest: self.word(0) }
    }

    /// The 64 bits from position `at`, the first one lowest; bits past the length are clear.
    #[inline]
    pub fn bits_at(&self, at: usize) -> u64 {
        let (word, shift) = (at / WORD, at % WORD);
        let low = self.word(word) >> shift;
        if shift == 0 { low } else { low | self.word(word + 1) << (WORD - shift) }
    }

    /// The set bits of a word, or none past the end.
    #[inline]
    fn word(&self, i: usize) -> u64 {
        match self.words.get(i) {
            Some(word) if i + 1 == self.words.len() => word & tail_mask(self.len),
            Some(word) => *word,
            None => 0,
        }
    }
}

/// The positions of set bits, ascending.
#[derive(Clone, Debug)]
pub struct Ones<'a> {
    view: BitmapView<'a>,
    position: usize,
    rest: u64,
}

impl Iterator for Ones<'_> {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        while self.rest == 0 {
            self.position += 1;
            if self.position >= self.view.words.len() {
                return None;
            }
            self.rest = self.view.word(self.position);
        }
        let bit = self.rest.trailing_zeros() as usize;
        self.rest &= self.rest - 1;
        Some(self.position * WORD + bit)
    }
}
