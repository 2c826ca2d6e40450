//! Hostile texts: compiling ends with a filter or an error, never a panic.

use super::{Templates, compile, table};
use elanus_kernels::rng::Rng;

const WORDS: [&str; 64] = [
    "n",
    "id",
    "doc",
    "name",
    "flag",
    "$meta",
    "color",
    "v",
    "price",
    "tiny",
    "and",
    "OR",
    "not",
    "!",
    "in",
    "like",
    "=~",
    "!~",
    "exists",
    "is",
    "null",
    "IS NOT NULL",
    "true",
    "False",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    ",",
    "'a%'",
    "\"b\"",
    "r'\\d'",
    "1",
    "0",
    "-1",
    "2.5",
    "1e308",
    "9223372036854775808",
    "==",
    "!=",
    "<",
    "<=",
    ">",
    ">=",
    "+",
    "-",
    "*",
    "/",
    "%",
    "**",
    "&",
    "|",
    "^",
    "~",
    "<<",
    "json_contains",
    "array_length",
    "text_match",
    "[\"a\"]",
    "[0]",
    "in [1, 2]",
    "\u{e9}",
];

#[test]
fn random_words_never_panic() {
    let (schema, table, templates) = (table::schema(), table::fixed(), Templates::new());
    let mut rng = Rng::new(6);
    let mut compiled = 0;
    for _ in 0..60_000 {
        let length = 1 + rng.next_u64() % 9;
        let words: Vec<&str> = (0..length).map(|_| WORDS[(rng.next_u64() % 64) as usize]).collect();
        let text = words.join(if rng.next_u64().is_multiple_of(4) { "" } else { " " });
        match compile(&text, &schema, &templates) {
            Ok(filter) => {
                compiled += 1;
                assert!(filter.eval(&table).is_ok(), "{text}");
            }
            Err(error) => {
                assert!(text.is_char_boundary(error.position), "{text}: {error}");
                assert!(text.is_char_boundary(error.position + error.length), "{text}: {error}");
                assert!(!error.message.is_empty() && !error.to_string().contains('\n'), "{text}: {error}");
            }
        }
    }
    assert!(compiled > 300, "{compiled}");
}

#[test]
fn random_characters_never_panic() {
    let schema = table::schema();
    let mut rng = Rng::new(7);
    let alphabet: Vec<char> = ("a1 .\"'\\()[]{}=<>!~&|^+-*/%_$,urxeE0\u{e9}\u{1f600}\n").chars().collect();
    for _ in 0..60_000 {
        let length = rng.next_u64() % 24;
        let any = |_| alphabet[(rng.next_u64() % alphabet.len() as u64) as usize];
        let text: String = (0..length).map(any).collect();
        if let Err(error) = compile(&text, &schema, &Templates::new()) {
            assert!(text.get(error.position..error.position + error.length).is_some(), "{text:?}: {error:?}");
        }
    }
}

#[test]
fn cut_texts_never_panic() {
    let whole = "not (n in [1, 0x2F, -3] or name like \"a\\u00e9%\") and doc[\"a\"][0] >= {t} and exists $meta['k'] \
                 or json_contains_any(doc['list'], [1, \"x\", [true]]) and 1 < price + 2 ** 3 <= 5.5e1";
    for end in 0..whole.len() {
        if let Some(text) = whole.get(..end) {
            let _ = compile(text, &table::schema(), &Templates::new());
        }
    }
}

#[test]
fn nesting_is_refused_and_not_followed() {
    let run = || {
        let schema = table::schema();
        let deep = |open: &str, core: &str, close: &str, levels: usize| {
            format!("{}{core}{}", open.repeat(levels), close.repeat(levels))
        };
        let shapes = [("(", "n > 1", ")"), ("not (", "flag", ")"), ("-(", "n", ") > 1"), ("[", "1", "]")];
        for (open, core, close) in shapes {
            let text = deep(open, core, close, 100_000);
            assert!(compile(&text, &schema, &Templates::new()).is_err(), "{open}");
        }
        let filter = compile(&deep("not (", "flag", ")", 120), &schema, &Templates::new()).expect("120 are few enough");
        assert!(filter.eval(&table::fixed()).is_ok());
        // Both operators differ in kind, so that no level is folded away.
        let text = deep("(ok or (flag and ", "n > 1", "))", 60);
        let filter = compile(&text, &schema, &Templates::new()).expect("they are few enough");
        assert!(filter.eval(&table::fixed()).is_ok());
        let sums = format!("n{} > 1", " + 1".repeat(200));
        assert!(compile(&sums, &schema, &Templates::new()).is_ok_and(|filter| filter.eval(&table::fixed()).is_ok()));
    };
    let thread = std::thread::Builder::new().stack_size(2 << 20).spawn(run).expect("a thread starts");
    thread.join().expect("it neither overflows nor fails");
}

#[test]
fn nested_chains_cost_no_more_than_their_text() {
    let text = format!("{}n{}", "(1 < ".repeat(100), " < 5)".repeat(100));
    let error = compile(&text, &table::schema(), &Templates::new()).expect_err("a condition is no number");
    assert!(error.message.contains("cannot compare"), "{error}");
}
