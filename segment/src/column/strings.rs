//! Values of differing length: offsets into one run of bytes.

/// Owned strings: `offsets[i]..offsets[i + 1]` are the bytes of row `i`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Strings {
    offsets: Vec<u64>,
    bytes: Vec<u8>,
}

/// Borrowed strings.
#[derive(Debug, Clone, Copy)]
pub struct StringsView<'a> {
    offsets: &'a [u64],
    bytes: &'a [u8],
}

impl Default for Strings {
    fn default() -> Self {
        Self { offsets: vec![0], bytes: Vec::new() }
    }
}

impl Strings {
    /// No string, with room for `rows` of them.
    pub fn with_capacity(rows: usize, bytes: usize) -> Self {
        let mut offsets = Vec::with_capacity(rows + 1);
        offsets.push(0);
        Self { offsets, bytes: Vec::with_capacity(bytes) }
    }

    /// Takes offsets and bytes as they are; `None` under the conditions of [`StringsView::new`].
    pub fn from_parts(offsets: Vec<u64>, bytes: Vec<u8>) -> Option<Self> {
        StringsView::new(&offsets, &bytes)?;
        Some(Self { offsets, bytes })
    }

    /// Appends one.
    pub fn push(&mut self, text: &str) {
        self.bytes.extend_from_slice(text.as_bytes());
        self.offsets.push(self.bytes.len() as u64);
    }

    /// The borrowed view.
    pub fn view(&self) -> StringsView<'_> {
        StringsView { offsets: &self.offsets, bytes: &self.bytes }
    }
}

impl<S: AsRef<str>> FromIterator<S> for Strings {
    fn from_iter<I: IntoIterator<Item = S>>(texts: I) -> Self {
        let mut strings = Self::default();
        texts.into_iter().for_each(|text| strings.push(text.as_ref()));
        strings
    }
}

impl<'a> StringsView<'a> {
    /// Checks offsets and text once, so that `get` need not.
    ///
    /// Returns `None` unless the offsets begin at 0, never fall, end at the bytes' length, and cut the bytes into
    /// valid UTF-8.
    pub fn new(offsets: &'a [u64], bytes: &'a [u8]) -> Option<Self> {
        let ends = offsets.first() == Some(&0) && offsets.last() == Some(&(bytes.len() as u64));
        if !ends || !offsets.is_sorted() {
            return None;
        }
        let text = std::str::from_utf8(bytes).ok()?;
        let cut = offsets.iter().all(|&at| text.is_char_boundary(at as usize));
        cut.then_some(Self { offsets, bytes })
    }

    /// Parts that were checked before. Wrong ones make `get` panic, no more.
    pub(crate) fn checked_before(offsets: &'a [u64], bytes: &'a [u8]) -> Self {
        Self { offsets, bytes }
    }

    /// Strings.
    pub fn len(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Offsets into `bytes`, one more than there are strings.
    pub fn offsets(&self) -> &'a [u64] {
        self.offsets
    }

    /// All bytes, one string after the other.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Bytes of one string.
    ///
    /// # Panics
    /// If there is no such row.
    pub fn get_bytes(&self, row: usize) -> &'a [u8] {
        &self.bytes[self.offsets[row] as usize..self.offsets[row + 1] as usize]
    }

    /// One string.
    ///
    /// # Panics
    /// If there is no such row.
    pub fn get(&self, row: usize) -> &'a str {
        std::str::from_utf8(self.get_bytes(row)).expect("strings are cut at character borders")
    }
}
