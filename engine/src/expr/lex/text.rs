//! String literals: quoted with C escapes, and raw.

use super::super::error::Fault;
use super::{Input, Token, span};
use std::borrow::Cow;
use winnow::Parser;
use winnow::combinator::opt;
use winnow::token::{any, one_of, take_till, take_while};

const UNTERMINATED: &str = "the string does not end";

/// Takes a string in single or double quotes.
pub(super) fn quoted<'a>(input: &mut Input<'a>) -> Result<Token<'a>, Fault> {
    let opening = span(input, 1);
    let quote = one_of(['"', '\'']).parse_next(input)?;
    let first: &'a str = take_till(0.., [quote, '\\']).parse_next(input)?;
    let mut text = Cow::Borrowed(first);
    loop {
        let place = span(input, 0);
        match opt(any).parse_next(input)? {
            None => return Err(Fault::new(opening.to(place), UNTERMINATED)),
            Some('\\') => {
                escape(input, text.to_mut()).map_err(|message| Fault::new(place.to(span(input, 0)), message))?
            }
            Some(_) => return Ok(Token::Text(text)),
        }
        let more: &str = take_till(0.., [quote, '\\']).parse_next(input)?;
        text.to_mut().push_str(more);
    }
}

/// Takes `r"..."`, in which a backslash is a backslash.
pub(super) fn raw<'a>(input: &mut Input<'a>) -> Result<Token<'a>, Fault> {
    let opening = span(input, 2);
    let quote = ('r', one_of(['"', '\''])).map(|(_, quote)| quote).parse_next(input)?;
    let text: &'a str = take_till(0.., quote).parse_next(input)?;
    match opt(any).parse_next(input)? {
        Some(_) => Ok(Token::Text(Cow::Borrowed(text))),
        None => Err(Fault::new(opening.to(span(input, 0)), UNTERMINATED)),
    }
}

/// Takes what follows a backslash.
fn escape(input: &mut Input<'_>, text: &mut String) -> Result<(), String> {
    let Ok(Some(letter)) = opt(any::<_, Fault>).parse_next(input) else { return Err(UNTERMINATED.to_owned()) };
    let c = match letter {
        'a' => '\u{7}',
        'b' => '\u{8}',
        'f' => '\u{c}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'v' => '\u{b}',
        '\\' | '"' | '\'' | '?' => letter,
        // Not of C: the escapes of `like`, which keep their backslash so that the pattern sees it.
        '%' | '_' => {
            text.push('\\');
            letter
        }
        '0'..='7' => {
            let more: &str = digits(input, 0, 2, |c| matches!(c, '0'..='7'))?;
            character(&format!("{letter}{more}"), 8)?
        }
        'x' => character(digits(input, 1, 2, |c| c.is_ascii_hexdigit())?, 16)?,
        'u' => unicode(input)?,
        'U' => character(digits(input, 8, 8, |c| c.is_ascii_hexdigit())?, 16)?,
        _ => return Err(format!("unknown escape \\{letter}; write \\\\{letter}, or a raw string r\"...\"")),
    };
    text.push(c);
    Ok(())
}

fn digits<'a>(input: &mut Input<'a>, least: usize, most: usize, is_digit: fn(char) -> bool) -> Result<&'a str, String> {
    take_while(least..=most, is_digit).parse_next(input).map_err(|_: Fault| {
        let least = if least == most { String::new() } else { format!("{least} to ") };
        format!("the escape needs {least}{most} digits")
    })
}

fn character(digits: &str, radix: u32) -> Result<char, String> {
    let number = u32::from_str_radix(digits, radix).ok();
    number.and_then(char::from_u32).ok_or_else(|| format!("the escape names no character: {digits}"))
}

/// Four digits, or two times four that are the halves of a surrogate pair.
fn unicode(input: &mut Input<'_>) -> Result<char, String> {
    let four = |input: &mut Input<'_>| digits(input, 4, 4, |c| c.is_ascii_hexdigit()).map(str::to_owned);
    let first = four(input)?;
    let unit = |digits: &str| u16::from_str_radix(digits, 16).unwrap_or(0);
    let is_pair = (0xd800..0xdc00).contains(&unit(&first));
    if is_pair && opt::<_, _, Fault, _>("\\u").parse_next(input).is_ok_and(|found| found.is_some()) {
        let second = four(input)?;
        let pair = char::decode_utf16([unit(&first), unit(&second)]).next();
        return match pair {
            Some(Ok(c)) => Ok(c),
            Some(Err(_)) | None => Err(format!("\\u{first}\\u{second} is no surrogate pair")),
        };
    }
    character(&first, 16)
}
