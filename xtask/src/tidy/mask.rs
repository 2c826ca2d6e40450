//! Rust text with comments and strings blanked out, so that rules about code see code only.

/// Two versions of one text, each byte at its old place.
#[derive(Debug)]
pub(super) struct Masked {
    /// Comments blanked; strings kept.
    without_comments: String,
    /// Comments and the insides of strings and characters blanked.
    code: String,
}

impl Masked {
    pub(super) fn of(text: &str) -> Self {
        let mut lexer = Lexer { bytes: text.as_bytes(), at: 0, kept: text.as_bytes().to_vec(), code: Vec::new() };
        lexer.code.clone_from(&lexer.kept);
        lexer.run();
        // Only whole comments and strings are blanked, so no character is cut.
        let lossy = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self { without_comments: lossy(&lexer.kept), code: lossy(&lexer.code) }
    }

    pub(super) fn code(&self) -> &str {
        &self.code
    }

    /// Lines that hold more than blanks and comments.
    pub(super) fn code_line_count(&self) -> usize {
        count_lines(&self.without_comments)
    }

    /// The same count within a range of bytes.
    pub(super) fn code_lines_within(&self, range: std::ops::Range<usize>) -> usize {
        self.without_comments.get(range).map_or(0, count_lines)
    }

    pub(super) fn line_of(&self, at: usize) -> usize {
        self.code.as_bytes().iter().take(at).filter(|b| **b == b'\n').count() + 1
    }

    /// Line numbers on which `word` stands alone in the code.
    pub(super) fn lines_with_word(&self, word: &str) -> Vec<usize> {
        let lines = self.code.lines().enumerate();
        lines.filter(|(_, line)| words(line).any(|(_, w)| w == word)).map(|(i, _)| i + 1).collect()
    }
}

fn count_lines(text: &str) -> usize {
    text.lines().filter(|line| !line.trim().is_empty()).count()
}

pub(super) fn is_word_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

/// Identifiers, keywords and numbers of a masked text, with their offsets.
pub(super) fn words(code: &str) -> impl Iterator<Item = (usize, &str)> {
    let bytes = code.as_bytes();
    let mut at = 0;
    std::iter::from_fn(move || {
        while at < bytes.len() && !is_word_byte(bytes[at]) {
            at += 1;
        }
        let start = at;
        while at < bytes.len() && is_word_byte(bytes[at]) {
            at += 1;
        }
        (start < at).then(|| (start, &code[start..at]))
    })
}

struct Lexer<'a> {
    bytes: &'a [u8],
    at: usize,
    kept: Vec<u8>,
    code: Vec<u8>,
}

impl Lexer<'_> {
    fn run(&mut self) {
        while self.at < self.bytes.len() {
            let rest = &self.bytes[self.at..];
            if rest.starts_with(b"//") {
                let length = rest.iter().position(|b| *b == b'\n').unwrap_or(rest.len());
                self.blank_comment(length);
            } else if rest.starts_with(b"/*") {
                self.blank_comment(block_comment_length(rest));
            } else if let Some(length) = self.raw_string_length() {
                self.blank_text(length);
            } else if rest[0] == b'"' {
                self.blank_text(quoted_length(rest, b'"'));
            } else if rest[0] == b'\'' && is_character(rest) {
                self.blank_text(quoted_length(rest, b'\''));
            } else {
                self.at += 1;
            }
        }
    }

    fn blank_comment(&mut self, length: usize) {
        let end = (self.at + length).min(self.bytes.len());
        blank(&mut self.kept[self.at..end]);
        blank(&mut self.code[self.at..end]);
        self.at = end;
    }

    fn blank_text(&mut self, length: usize) {
        let end = (self.at + length).min(self.bytes.len());
        blank(&mut self.code[self.at..end]);
        self.at = end;
    }

    /// The length of a raw string that begins here, be it `r"` or `br##"`.
    fn raw_string_length(&self) -> Option<usize> {
        if self.at > 0 && is_word_byte(self.bytes[self.at - 1]) {
            return None;
        }
        let rest = &self.bytes[self.at..];
        let prefix = usize::from(matches!(rest.first(), Some(b'b' | b'c')));
        if rest.get(prefix) != Some(&b'r') {
            return None;
        }
        let hashes = rest[prefix + 1..].iter().take_while(|b| **b == b'#').count();
        let open = prefix + 1 + hashes;
        if rest.get(open) != Some(&b'"') {
            return None;
        }
        let mut close = vec![b'"'];
        close.resize(1 + hashes, b'#');
        let inside = &rest[open + 1..];
        let length = inside.windows(close.len()).position(|w| w == close).map_or(inside.len(), |p| p + close.len());
        Some(open + 1 + length)
    }
}

fn blank(bytes: &mut [u8]) {
    for byte in bytes.iter_mut().filter(|b| **b != b'\n') {
        *byte = b' ';
    }
}

fn block_comment_length(rest: &[u8]) -> usize {
    let (mut at, mut depth) = (2, 1);
    while depth > 0 && at < rest.len() {
        if rest[at..].starts_with(b"/*") {
            (at, depth) = (at + 2, depth + 1);
        } else if rest[at..].starts_with(b"*/") {
            (at, depth) = (at + 2, depth - 1);
        } else {
            at += 1;
        }
    }
    at
}

fn quoted_length(rest: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while at < rest.len() {
        if rest[at] == b'\\' {
            at += 2;
        } else if rest[at] == quote {
            return at + 1;
        } else {
            at += 1;
        }
    }
    at
}

/// Tells `'a'` from the lifetime `'a`.
fn is_character(rest: &[u8]) -> bool {
    match rest.get(1) {
        None => false,
        Some(b'\\') => true,
        Some(first) if *first < 0x80 => rest.get(2) == Some(&b'\''),
        Some(_) => rest.iter().skip(2).take(4).any(|b| *b == b'\''),
    }
}
