//! Number literals: decimal, octal, hexadecimal and binary integers, decimal and hexadecimal floats.

use super::super::error::Fault;
use super::{Input, Token, span};
use winnow::Parser;
use winnow::token::take;

/// Takes a number, which begins at a digit or at a point before one.
pub(super) fn number<'a>(input: &mut Input<'a>) -> Result<Token<'a>, Fault> {
    let length = literal_length(input.as_ref());
    let place = span(input, length);
    let literal: &str = take(length).parse_next(input)?;
    parse(literal).map_err(|what| Fault::new(place, format!("{literal} {what}")))
}

/// Bytes of everything that clings to the number, so that `12ab` is one wrong number and not two tokens.
fn literal_length(rest: &str) -> usize {
    let is_hex = is_prefixed(rest, 'x');
    let exponent = if is_hex { ['p', 'P'] } else { ['e', 'E'] };
    let mut previous = '0';
    let clings = |c: char| {
        let clings = c.is_ascii_alphanumeric()
            || c == '.'
            || c == '_'
            || (matches!(c, '+' | '-') && exponent.contains(&previous));
        previous = c;
        !clings
    };
    rest.find(clings).unwrap_or(rest.len())
}

fn is_prefixed(literal: &str, letter: char) -> bool {
    let mut chars = literal.chars();
    chars.next() == Some('0') && chars.next().is_some_and(|c| c.eq_ignore_ascii_case(&letter))
}

fn parse(literal: &str) -> Result<Token<'static>, &'static str> {
    if is_prefixed(literal, 'x') {
        let digits = &literal[2..];
        return if digits.contains(['.', 'p', 'P']) { hex_float(digits) } else { integer(digits, 16) };
    }
    if is_prefixed(literal, 'b') {
        return integer(&literal[2..], 2);
    }
    if literal.bytes().all(|b| b.is_ascii_digit()) {
        let is_octal = literal.len() > 1 && literal.starts_with('0');
        return integer(literal, if is_octal { 8 } else { 10 });
    }
    let is_float = literal.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-'));
    match literal.parse::<f64>() {
        Ok(value) if is_float && value.is_finite() => Ok(Token::Float(value)),
        Ok(_) if is_float => Err("is too large for a number"),
        Ok(_) | Err(_) => Err("is no number"),
    }
}

fn integer(digits: &str, radix: u32) -> Result<Token<'static>, &'static str> {
    if digits.is_empty() || !digits.chars().all(|c| c.is_digit(radix)) {
        return Err(if radix == 8 { "is no octal number, as its leading 0 says" } else { "is no number" });
    }
    u64::from_str_radix(digits, radix).map(Token::Int).map_err(|_| "is too large for an integer")
}

/// `1.8p3` after the `0x`: hexadecimal digits, perhaps with a point, and a decimal exponent of two.
fn hex_float(literal: &str) -> Result<Token<'static>, &'static str> {
    let (digits, exponent) = literal.split_once(['p', 'P']).ok_or("is no number: a hexadecimal float needs a p")?;
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let is_hex = |part: &str| part.bytes().all(|b| b.is_ascii_hexdigit());
    let exponent: i32 = exponent.parse().map_err(|_| "is no number")?;
    if whole.len() + fraction.len() == 0 || !is_hex(whole) || !is_hex(fraction) {
        return Err("is no number");
    }
    if whole.len() + fraction.len() > 13 {
        return Err("has more than the 13 hexadecimal digits that a double holds");
    }
    let mantissa =
        format!("{whole}{fraction}").chars().fold(0, |sum, c| sum * 16 + u64::from(c.to_digit(16).unwrap_or(0)));
    let exponent = i64::from(exponent) - 4 * fraction.len() as i64;
    let value = scale(mantissa as f64, exponent.clamp(-4_000, 4_000));
    if value.is_finite() { Ok(Token::Float(value)) } else { Err("is too large for a number") }
}

/// `mantissa` times two to the `exponent`, in steps small enough that no step leaves the range by itself.
fn scale(mut mantissa: f64, mut exponent: i64) -> f64 {
    while exponent != 0 {
        let step = exponent.clamp(-512, 512);
        mantissa *= 2_f64.powi(step as i32);
        exponent -= step;
    }
    mantissa
}
