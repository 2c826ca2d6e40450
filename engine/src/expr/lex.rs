//! Tokens of the filter language, made one at a time.

mod number;
mod text;

use super::error::Fault;
use super::tree::Span;
use std::borrow::Cow;
use winnow::Parser;
use winnow::combinator::{alt, opt};
use winnow::error::ParserError;
use winnow::stream::{LocatingSlice, Location};
use winnow::token::take_while;

/// Longest text of a filter, in bytes.
pub(crate) const TEXT_LENGTH_MAX: usize = 8 << 20;

/// What is left of the text.
pub(crate) type Input<'a> = LocatingSlice<&'a str>;

/// The operators and brackets, those that begin like another one before it.
const SYMBOLS: [&str; 32] = [
    "**", "==", "=~", "!=", "!~", "<=", "<<", ">=", ">>", "&&", "||", "(", ")", "[", "]", "{", "}", ",", "+", "-", "*",
    "/", "%", "<", ">", "!", "&", "|", "^", "~", "$", "=",
];

/// One token.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Token<'a> {
    Int(u64),
    Float(f64),
    Text(Cow<'a, str>),
    /// A keyword or a name; the parser tells them apart.
    Word(&'a str),
    /// One of `SYMBOLS`.
    Symbol(&'static str),
    End,
}

impl Token<'_> {
    /// How it is called in a message.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Int(value) => format!("number {value}"),
            Self::Float(value) => format!("number {value}"),
            Self::Text(_) => "a string".to_owned(),
            Self::Word(word) => format!("`{word}`"),
            Self::Symbol(symbol) => format!("`{symbol}`"),
            Self::End => "the end".to_owned(),
        }
    }
}

impl<'a> ParserError<Input<'a>> for Fault {
    type Inner = Self;

    fn from_input(input: &Input<'a>) -> Self {
        let rest: &str = input.as_ref();
        Self::new(span(input, rest.chars().next().map_or(0, char::len_utf8)), "this character has no meaning here")
    }

    fn into_inner(self) -> Result<Self, Self> {
        Ok(self)
    }
}

/// The span of the next `length` bytes.
fn span(input: &Input<'_>, length: usize) -> Span {
    let start = input.current_token_start();
    Span { start: start as u32, end: (start + length) as u32 }
}

/// Takes the next token.
pub(crate) fn token<'a>(input: &mut Input<'a>) -> Result<(Token<'a>, Span), Fault> {
    take_while(0.., [' ', '\t', '\r', '\n']).void().parse_next(input)?;
    let before = span(input, 0);
    let rest: &'a str = input.as_ref();
    let Some(first) = rest.chars().next() else { return Ok((Token::End, before)) };
    let is_raw = rest.starts_with("r\"") || rest.starts_with("r'");
    let token = match first {
        _ if is_raw => text::raw(input)?,
        '"' | '\'' => text::quoted(input)?,
        '0'..='9' => number::number(input)?,
        '.' if rest[1..].starts_with(|c: char| c.is_ascii_digit()) => number::number(input)?,
        _ if is_word_part(first) || rest.starts_with("$meta") => {
            (opt('$'), take_while(1.., is_word_part)).take().map(Token::Word).parse_next(input)?
        }
        _ => alt(SYMBOLS.map(|symbol| symbol.value(Token::Symbol(symbol)))).parse_next(input)?,
    };
    Ok((token, before.to(span(input, 0))))
}

fn is_word_part(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

#[cfg(test)]
mod tests;
