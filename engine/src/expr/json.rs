//! Reading one place of a JSON text without building a tree.
//!
//! What lies beside the path is skipped by brackets and quotes alone, with a counter in place of recursion; stored
//! texts were checked when they were written. Of a key that occurs twice the first counts.

use super::number::Number;
use super::tree::Step;
use std::borrow::Cow;

/// A value; of arrays and objects only where they are.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Json<'a> {
    Null,
    Bool(bool),
    Number(Number),
    Text(Cow<'a, str>),
    /// The text of the array, brackets included.
    Array(&'a [u8]),
    Object,
}

/// Byte offset at which a text stops being JSON.
pub(crate) type Offset = usize;

/// The value at the end of the path, if the path exists.
///
/// # Errors
/// Where the text is no JSON, as far as it was read.
pub(crate) fn find<'a>(text: &'a [u8], path: &[Step]) -> Result<Option<Json<'a>>, Offset> {
    let mut cursor = Cursor { text, at: 0 };
    for step in path {
        let found = match step {
            Step::Key(key) => cursor.enter_key(key)?,
            Step::At(position) => cursor.enter_position(*position)?,
        };
        if !found {
            return Ok(None);
        }
    }
    cursor.value().map(Some)
}

/// The elements of an array, in order.
pub(crate) struct Elements<'a> {
    cursor: Cursor<'a>,
    is_first: bool,
}

impl<'a> Elements<'a> {
    /// Of the text of an array, brackets included.
    pub(crate) fn new(array: &'a [u8]) -> Self {
        Self { cursor: Cursor { text: array, at: 1 }, is_first: true }
    }

    /// Moves to the next element; `false` after the last.
    fn advance(&mut self) -> Result<bool, Offset> {
        self.cursor.advance(b']', &mut self.is_first)
    }

    /// How many there are.
    pub(crate) fn count(mut self) -> Result<usize, Offset> {
        let mut count = 0;
        while self.advance()? {
            self.cursor.skip()?;
            count += 1;
        }
        Ok(count)
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = Result<Json<'a>, Offset>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.advance() {
            Ok(true) => Some(self.cursor.value()),
            Ok(false) => None,
            Err(offset) => Some(Err(offset)),
        }
    }
}

struct Cursor<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn peek(&mut self) -> Option<u8> {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.text.get(self.at) {
            self.at += 1;
        }
        self.text.get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> Result<(), Offset> {
        if self.peek() != Some(byte) {
            return Err(self.at);
        }
        self.at += 1;
        Ok(())
    }

    /// Moves before the next element or key; `false` after the closing bracket.
    fn advance(&mut self, close: u8, is_first: &mut bool) -> Result<bool, Offset> {
        let was_first = std::mem::take(is_first);
        if self.peek() == Some(close) {
            self.at += 1;
            return Ok(false);
        }
        if !was_first {
            self.take(b',')?;
        }
        Ok(true)
    }

    /// Moves before the value of a key; `false` if this is no object or has no such key.
    fn enter_key(&mut self, key: &str) -> Result<bool, Offset> {
        if self.peek() != Some(b'{') {
            return Ok(false);
        }
        self.at += 1;
        let mut is_first = true;
        while self.advance(b'}', &mut is_first)? {
            self.peek();
            let quoted = self.string()?;
            self.take(b':')?;
            if is_key(quoted, key) {
                return Ok(true);
            }
            self.skip()?;
        }
        Ok(false)
    }

    /// Moves before an element; `false` if this is no array or is shorter.
    fn enter_position(&mut self, position: usize) -> Result<bool, Offset> {
        if self.peek() != Some(b'[') {
            return Ok(false);
        }
        self.at += 1;
        let mut is_first = true;
        let mut left = position;
        while self.advance(b']', &mut is_first)? {
            if left == 0 {
                return Ok(true);
            }
            left -= 1;
            self.skip()?;
        }
        Ok(false)
    }

    /// Takes a string and hands out its text with the quotes.
    fn string(&mut self) -> Result<&'a [u8], Offset> {
        let start = self.at;
        if self.text.get(start) != Some(&b'"') {
            return Err(start);
        }
        let mut at = start + 1;
        loop {
            match self.text.get(at) {
                Some(b'"') => break,
                Some(b'\\') => at += 2,
                Some(_) => at += 1,
                None => return Err(start),
            }
        }
        self.at = at + 1;
        Ok(&self.text[start..self.at])
    }

    /// Takes a number or a word: everything up to a separator.
    fn plain(&mut self) -> Result<&'a [u8], Offset> {
        let rest = &self.text[self.at..];
        let ends = |byte: &u8| matches!(byte, b',' | b']' | b'}' | b' ' | b'\t' | b'\n' | b'\r');
        let length = rest.iter().position(ends).unwrap_or(rest.len());
        if length == 0 {
            return Err(self.at);
        }
        self.at += length;
        Ok(&rest[..length])
    }

    /// Takes a value of any kind and hands out its text.
    fn skip(&mut self) -> Result<&'a [u8], Offset> {
        let first = self.peek();
        let start = self.at;
        match first {
            Some(b'"') => return self.string(),
            Some(b'[' | b'{') => {}
            Some(_) => return self.plain(),
            None => return Err(start),
        }
        let mut open = 0_usize;
        loop {
            match self.text.get(self.at) {
                Some(b'"') => {
                    self.string()?;
                    continue;
                }
                Some(b'[' | b'{') => open += 1,
                Some(b']' | b'}') => open -= 1,
                Some(_) => {}
                None => return Err(start),
            }
            self.at += 1;
            if open == 0 {
                return Ok(&self.text[start..self.at]);
            }
        }
    }

    /// Takes a value.
    fn value(&mut self) -> Result<Json<'a>, Offset> {
        let first = self.peek();
        let start = self.at;
        match first {
            Some(b'"') => {
                let quoted = self.string()?;
                unquote(quoted).map(Json::Text).ok_or(start)
            }
            Some(b'[') => Ok(Json::Array(self.skip()?)),
            Some(b'{') => self.skip().map(|_| Json::Object),
            Some(_) => plain_value(self.plain()?).ok_or(start),
            None => Err(start),
        }
    }
}

fn is_key(quoted: &[u8], key: &str) -> bool {
    let inner = &quoted[1..quoted.len() - 1];
    inner == key.as_bytes() || (inner.contains(&b'\\') && unquote(quoted).is_some_and(|text| text == key))
}

fn unquote(quoted: &[u8]) -> Option<Cow<'_, str>> {
    if quoted.contains(&b'\\') {
        return serde_json::from_slice(quoted).ok().map(Cow::Owned);
    }
    std::str::from_utf8(&quoted[1..quoted.len() - 1]).ok().map(Cow::Borrowed)
}

fn plain_value(word: &[u8]) -> Option<Json<'static>> {
    match word {
        b"null" => return Some(Json::Null),
        b"true" => return Some(Json::Bool(true)),
        b"false" => return Some(Json::Bool(false)),
        _ => {}
    }
    // Only what begins like a JSON number goes to Rust's parsers, which also know `inf` and `+1`.
    let digits = word.strip_prefix(b"-").unwrap_or(word);
    if !digits.first()?.is_ascii_digit() {
        return None;
    }
    let text = std::str::from_utf8(word).ok()?;
    if let Ok(value) = text.parse::<i64>() {
        return Some(Json::Number(Number::Int(i128::from(value))));
    }
    if let Ok(value) = text.parse::<i128>() {
        return Some(Json::Number(Number::Int(value)));
    }
    text.parse().ok().map(|value| Json::Number(Number::Float(value)))
}

#[cfg(test)]
mod tests;
