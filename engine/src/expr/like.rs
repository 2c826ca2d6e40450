//! Patterns of `like`: `%` is any run of characters, `_` is one, a backslash takes the next one as it is.

use regex::{Regex, RegexBuilder};

/// Longest pattern of `like` and of a regular expression, in bytes.
pub(crate) const PATTERN_LENGTH_MAX: usize = 65_535;
/// Most memory that a compiled regular expression may take, in bytes; it bounds the time per character too.
const REGEX_SIZE_MAX: usize = 1 << 20;
/// Deepest nesting of a regular expression.
const REGEX_NEST_MAX: u32 = 100;

/// A compiled pattern.
#[derive(Debug, Clone)]
pub(crate) enum Like {
    /// Pieces that stand between the `%`, without a `_` in any.
    Pieces(Pieces),
    /// Everything else.
    Regex(Regex),
}

/// A pattern without `_`: how a text begins, what it holds in this order, how it ends.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Pieces {
    Whole(Box<str>),
    Around { head: Box<str>, inner: Vec<Box<str>>, tail: Box<str> },
}

enum Part {
    Char(char),
    One,
    Any,
}

impl Like {
    /// Compiles a pattern.
    ///
    /// # Errors
    /// If it is too long or too large, or ends in a lone backslash.
    pub(crate) fn new(pattern: &str) -> Result<Self, String> {
        if pattern.len() > PATTERN_LENGTH_MAX {
            return Err(format!("the pattern is longer than {PATTERN_LENGTH_MAX} bytes"));
        }
        let parts = parts(pattern)?;
        if parts.iter().any(|part| matches!(part, Part::One)) {
            return regex(&as_regex(&parts)).map(Self::Regex);
        }
        Ok(Self::Pieces(pieces(&parts)))
    }

    /// Whether it matches the whole text.
    pub(crate) fn matches(&self, text: &str) -> bool {
        match self {
            Self::Pieces(pieces) => pieces.matches(text),
            Self::Regex(regex) => regex.is_match(text),
        }
    }
}

impl Pieces {
    fn matches(&self, text: &str) -> bool {
        match self {
            Self::Whole(whole) => text == &**whole,
            Self::Around { head, inner, tail } => {
                let rest = text.strip_prefix(&**head).and_then(|rest| rest.strip_suffix(&**tail));
                let Some(mut rest) = rest else { return false };
                // The leftmost place of each piece leaves the most room for those after it.
                for piece in inner {
                    let Some(at) = rest.find(&**piece) else { return false };
                    rest = &rest[at + piece.len()..];
                }
                true
            }
        }
    }
}

fn parts(pattern: &str) -> Result<Vec<Part>, String> {
    let mut chars = pattern.chars();
    let mut parts = Vec::new();
    while let Some(c) = chars.next() {
        parts.push(match c {
            '%' => Part::Any,
            '_' => Part::One,
            '\\' => Part::Char(chars.next().ok_or("the pattern ends in a lone backslash")?),
            _ => Part::Char(c),
        });
    }
    Ok(parts)
}

fn pieces(parts: &[Part]) -> Pieces {
    let mut pieces: Vec<Box<str>> = parts
        .split(|part| matches!(part, Part::Any))
        .map(|piece| piece.iter().filter_map(|part| if let Part::Char(c) = part { Some(*c) } else { None }).collect())
        .map(String::into_boxed_str)
        .collect();
    let tail = pieces.pop().unwrap_or_default();
    if pieces.is_empty() {
        return Pieces::Whole(tail);
    }
    let head = pieces.remove(0);
    pieces.retain(|piece| !piece.is_empty());
    Pieces::Around { head, inner: pieces, tail }
}

fn as_regex(parts: &[Part]) -> String {
    let mut source = String::from(r"(?s)\A");
    for part in parts {
        match part {
            Part::Any => source.push_str(".*"),
            Part::One => source.push('.'),
            Part::Char(c) => source.push_str(&regex::escape(c.encode_utf8(&mut [0; 4]))),
        }
    }
    source.push_str(r"\z");
    source
}

/// Compiles a regular expression within the limits.
///
/// # Errors
/// If it is malformed or too large.
pub(crate) fn regex(source: &str) -> Result<Regex, String> {
    if source.len() > 2 * PATTERN_LENGTH_MAX {
        return Err(format!("the pattern is longer than {PATTERN_LENGTH_MAX} bytes"));
    }
    RegexBuilder::new(source)
        .size_limit(REGEX_SIZE_MAX)
        .dfa_size_limit(REGEX_SIZE_MAX)
        .nest_limit(REGEX_NEST_MAX)
        .build()
        .map_err(|error| {
            if let regex::Error::CompiledTooBig(limit) = error {
                return format!("the pattern compiles to more than {limit} bytes");
            }
            format!("the pattern is malformed: {}", last_line(&error.to_string()))
        })
}

/// The regex crate draws its errors over several lines; the last one says what is wrong.
fn last_line(message: &str) -> String {
    let last = message.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("unknown");
    last.trim().trim_start_matches("error: ").to_owned()
}

#[cfg(test)]
mod tests;
