//! Errors: what each says, and where it points.

use super::{Templates, compile, table};

#[test]
fn the_message_shows_the_place() {
    let error = compile("price > and tag == 'a'", &table::schema(), &Templates::new()).expect_err("`and` is no value");
    let want = "cannot parse expression: expected a value or a field, found `and` at position 8: \
                price > >>>and<<< tag == 'a'";
    assert_eq!(error.to_string(), want);
    assert_eq!((error.position, error.length), (8, 3));
}

#[test]
fn long_texts_are_cut_around_the_place() {
    let text = format!("{} and\nnope(1) and {}", "n == 1 and".repeat(9).trim_end_matches(" and"), "n == 1 ".repeat(9));
    let error = compile(&text, &table::schema(), &Templates::new()).expect_err("a number follows `1`").to_string();
    assert!(error.lines().count() == 1 && error.contains("...") && error.len() < 250, "{error}");
    let text = "name == '\u{e9}\u{e9}\u{e9}' \u{2030} n";
    let error = compile(text, &table::schema(), &Templates::new()).expect_err("the sign has no meaning");
    assert_eq!((error.position, error.length), (17, 3));
}

#[test]
fn a_text_that_is_too_long_is_refused_before_it_is_read() {
    let text = " ".repeat((8 << 20) + 1);
    let error = compile(&text, &table::schema(), &Templates::new()).expect_err("the text is too long");
    assert_eq!(error.message, "the text is longer than 8388608 bytes");
}

#[test]
fn without_a_dynamic_field_names_must_exist() {
    let mut schema = table::schema();
    schema.fields.pop();
    let error = compile("n > 1 and color == 'red'", &schema, &Templates::new()).expect_err("color does not exist");
    assert_eq!(error.message, "field color does not exist, and the collection has no dynamic field");
    assert_eq!((error.position, error.length), (10, 5));
    assert!(compile("$meta['a'] == 1", &schema, &Templates::new()).is_err());
}
