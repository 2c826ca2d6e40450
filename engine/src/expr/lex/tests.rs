//! Tests of the tokens.

use super::*;

/// All tokens of a text but the end.
fn tokens(text: &str) -> Result<Vec<Token<'_>>, Fault> {
    let mut input = Input::new(text);
    let mut tokens = Vec::new();
    loop {
        let (token, _) = token(&mut input)?;
        if token == Token::End {
            return Ok(tokens);
        }
        tokens.push(token);
    }
}

fn one(text: &str) -> Token<'_> {
    let mut found = tokens(text).expect("the text has tokens");
    assert_eq!(found.len(), 1, "{text}");
    found.remove(0)
}

#[test]
fn numbers_of_every_form() {
    let ints = [
        ("0", 0),
        ("7", 7),
        ("0755", 0o755),
        ("0x1F", 31),
        ("0XfF", 255),
        ("0b101", 5),
        ("0B1", 1),
        ("18446744073709551615", u64::MAX),
    ];
    for (text, want) in ints {
        assert_eq!(one(text), Token::Int(want), "{text}");
    }
    let floats = [
        ("1.5", 1.5),
        (".5", 0.5),
        ("1.", 1.0),
        ("1e3", 1000.0),
        ("1E-3", 0.001),
        ("1.5e+2", 150.0),
        ("0.1", 0.1),
        ("0x1p3", 8.0),
        ("0x1.8p-1", 0.75),
        ("0x.8P1", 1.0),
        ("0x1p-1074", 5e-324),
    ];
    for (text, want) in floats {
        assert_eq!(one(text), Token::Float(want), "{text}");
    }
}

#[test]
fn wrong_numbers_are_named_whole() {
    let cases = [
        ("12ab", "12ab is no number"),
        ("08", "08 is no octal number, as its leading 0 says"),
        ("0b12", "0b12 is no number"),
        ("0x", "0x is no number"),
        ("0xg", "0xg is no number"),
        ("1..2", "1..2 is no number"),
        ("1e", "1e is no number"),
        ("1e999", "1e999 is too large for a number"),
        ("0x1.8", "0x1.8 is no number: a hexadecimal float needs a p"),
        ("0x1p99999", "0x1p99999 is too large for a number"),
        ("0x11111111111111p0", "0x11111111111111p0 has more than the 13 hexadecimal digits that a double holds"),
        ("18446744073709551616", "18446744073709551616 is too large for an integer"),
        ("1_000", "1_000 is no number"),
    ];
    for (text, want) in cases {
        let fault = tokens(text).expect_err(text);
        assert_eq!(fault.message, want);
        assert_eq!((fault.span.start, fault.span.end as usize), (0, text.len()), "{text}");
    }
}

#[test]
fn a_sign_belongs_to_an_exponent_only() {
    let want = vec![Token::Int(1), Token::Symbol("-"), Token::Int(2)];
    assert_eq!(tokens("1-2"), Ok(want));
    assert_eq!(tokens("0x1e-2"), Ok(vec![Token::Int(30), Token::Symbol("-"), Token::Int(2)]));
    assert_eq!(tokens("1e-2"), Ok(vec![Token::Float(0.01)]));
}

#[test]
fn strings_with_escapes() {
    let cases = [
        (r#""plain""#, "plain"),
        (r"'it\'s'", "it's"),
        (r#"'say "hi"'"#, r#"say "hi""#),
        (r#""a\n\t\r\b\f\v\a\\\"\?""#, "a\n\t\r\u{8}\u{c}\u{b}\u{7}\\\"?"),
        (r#""\x41\101\0""#, "AA\0"),
        (r#""\u00e9\U0001F600\ud83d\ude00""#, "\u{e9}\u{1f600}\u{1f600}"),
        (r#""50\%\_""#, r"50\%\_"),
        (r#"r"\d+\""#, r"\d+\"),
        ("r'a\\nb'", r"a\nb"),
        ("\"\"", ""),
    ];
    for (text, want) in cases {
        assert_eq!(one(text), Token::Text(want.into()), "{text}");
    }
}

#[test]
fn wrong_strings_point_at_the_place() {
    let cases = [
        (r#"  "open"#, 2, 7, "the string does not end"),
        (r#""a\"#, 2, 3, "the string does not end"),
        (r#"r"open"#, 0, 6, "the string does not end"),
        (r#""ab\qc""#, 3, 5, r#"unknown escape \q; write \\q, or a raw string r"...""#),
        (r#""\x""#, 1, 3, "the escape needs 1 to 2 digits"),
        (r#""\u12""#, 1, 3, "the escape needs 4 digits"),
        (r#""\ud800x""#, 1, 7, "the escape names no character: d800"),
        (r#""\ud800\u0041""#, 1, 13, r"\ud800\u0041 is no surrogate pair"),
        (r#""\Uffffffff""#, 1, 11, "the escape names no character: ffffffff"),
    ];
    for (text, start, end, want) in cases {
        let fault = tokens(text).expect_err(text);
        assert_eq!((fault.span.start, fault.span.end, &*fault.message), (start, end, want), "{text}");
    }
}

#[test]
fn every_symbol_is_taken_whole() {
    for symbol in SYMBOLS {
        assert_eq!(tokens(symbol), Ok(vec![Token::Symbol(symbol)]));
    }
    let fault = tokens("a # b").expect_err("# has no meaning");
    assert_eq!((fault.span.start, fault.span.end, &*fault.message), (2, 3, "this character has no meaning here"));
}

#[test]
fn words_and_the_dynamic_field() {
    assert_eq!(tokens("r _a1 $meta"), Ok(vec![Token::Word("r"), Token::Word("_a1"), Token::Word("$meta")]));
    assert_eq!(tokens("$x"), Ok(vec![Token::Symbol("$"), Token::Word("x")]));
}
