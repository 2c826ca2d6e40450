//! Tests of the whole language: recorded cases, errors, hostile texts, and random expressions against a plain reading.

mod errors;
mod golden;
mod hostile;
mod random;
mod reference;
mod table;

use super::*;
use elanus_segment::{DataType, Field};
use table::{Cell, Table};

fn filter(text: &str) -> Filter {
    compile(text, &table::schema(), &Templates::new()).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn rows(text: &str, templates: &Templates) -> Vec<usize> {
    let filter = compile(text, &table::schema(), templates).unwrap_or_else(|error| panic!("{text}: {error}"));
    filter.eval(&table::fixed()).expect("the table is sound").iter_ones().collect()
}

#[test]
fn a_blank_text_takes_every_row() {
    for text in ["", "  \n\t ", "true", "1 < 2", "not false", "true or id > 5"] {
        let filter = filter(text);
        assert!(filter.is_all(), "{text}");
        assert_eq!(filter.fields().len(), usize::from(text.contains("id")), "{text}");
        assert_eq!(filter.eval(&table::fixed()).expect("it evaluates").count_ones(), 20);
        assert_eq!(filter.keys(), None);
    }
    assert!(Filter::all().is_all());
    assert!(!filter("false").is_all() && !filter("id > 0").is_all());
}

#[test]
fn keys_are_found_wherever_they_limit_the_rows() {
    let cases: [(&str, Option<&[i64]>); 16] = [
        ("id == 5", Some(&[5])),
        ("5 == id", Some(&[5])),
        ("id in [7, 5, 5, 7]", Some(&[5, 7])),
        ("id in [5, 7] and n > 3 and flag", Some(&[5, 7])),
        ("id in [5, 7] and id in [7, 9]", Some(&[7])),
        ("id == 5 and id == 6", Some(&[])),
        ("id in []", Some(&[])),
        ("id == 5 or id in [1, 2]", Some(&[1, 2, 5])),
        ("(id == 5 and n > 3) or id == 6", Some(&[5, 6])),
        ("5 <= id <= 5", Some(&[5])),
        ("id == 5 or n == 6", None),
        ("id != 5", None),
        ("id not in [5]", None),
        ("not (id == 5)", None),
        ("id > 5", None),
        ("n == 5", None),
    ];
    for (text, want) in cases {
        let want = want.map(|keys| Keys::Int(keys.to_vec()));
        assert_eq!(filter(text).keys(), want.as_ref(), "{text}");
    }
    assert_eq!(filter("id == 18446744073709551615").keys(), Some(&Keys::Int(vec![])));
    let fields = vec![Field::new("key", DataType::VarChar).max_length(9).primary(), table::vector()];
    let schema = Schema::new("", fields, true).expect("the schema is valid");
    let keys = |text: &str| {
        let filter = compile(text, &schema, &Templates::new()).expect("it compiles");
        filter.keys().cloned()
    };
    let texts = |keys: &[&str]| Some(Keys::Str(keys.iter().map(|key| (*key).to_owned()).collect()));
    assert_eq!(keys("key == 'b'"), texts(&["b"]));
    assert_eq!(keys("key in ['b', 'a'] and other == 1"), texts(&["a", "b"]));
    assert_eq!(keys("key == 'b' or key in ['b', 'a']"), texts(&["a", "b"]));
    assert_eq!(keys("key > 'b'"), None);
}

#[test]
fn fields_are_those_that_are_read() {
    let schema = table::schema();
    let position = |name: &str| schema.position(name).expect("the field exists");
    let cases: [(&str, &[&str]); 6] = [
        ("id == 5", &["id"]),
        ("n > k and name like 'a%'", &["n", "k", "name"]),
        ("color == 'red'", &["$meta"]),
        ("doc['a'] is null or $meta['x'] == 1", &["doc", "$meta"]),
        ("v is null", &[]),
        ("id is null or flag", &["flag"]),
    ];
    for (text, names) in cases {
        let mut want: Vec<usize> = names.iter().map(|name| position(name)).collect();
        want.sort_unstable();
        assert_eq!(filter(text).fields(), want, "{text}");
    }
}

#[test]
fn templates_stand_for_constants_and_lists() {
    let list = |values: &[i64]| TemplateValue::Array(values.iter().map(|value| TemplateValue::Int(*value)).collect());
    let templates: Templates = [
        ("low", TemplateValue::Int(3)),
        ("ids", list(&[100, 105, 9])),
        ("text", TemplateValue::String("red".to_owned())),
        ("half", TemplateValue::Float(0.5)),
        ("yes", TemplateValue::Bool(true)),
        ("pattern", TemplateValue::String("a%".to_owned())),
        ("nested", TemplateValue::Array(vec![list(&[1, 2])])),
        ("nan", TemplateValue::Float(f64::NAN)),
        ("empty", TemplateValue::Array(vec![])),
    ]
    .into_iter()
    .collect();
    let pairs = [
        ("id in {ids}", "id in [100, 105, 9]"),
        ("id not in {ids}", "id not in [100, 105, 9]"),
        ("id in {empty}", "id in []"),
        ("n > {low} + 1", "n > 4"),
        ("{low} < n", "n > 3"),
        ("color == {text}", "color == 'red'"),
        ("ratio > {half}", "ratio > 0.5"),
        ("flag == {yes}", "flag"),
        ("name like {pattern}", "name like 'a%'"),
        ("k in [{low}, 1]", "k in [3, 1]"),
        ("json_contains_any(doc['list'], {ids})", "json_contains_any(doc['list'], [100, 105, 9])"),
        ("json_contains_any(doc['list'], {nested})", "json_contains_any(doc['list'], [[1, 2]])"),
        ("{yes} and flag", "flag"),
    ];
    for (text, plain) in pairs {
        assert_eq!(rows(text, &templates), rows(plain, &Templates::new()), "{text}");
    }
    let fault = |text: &str| compile(text, &table::schema(), &templates).expect_err(text).message;
    assert_eq!(fault("n == {absent}"), "template absent has no value");
    assert_eq!(fault("n == {nan}"), "the value of the template is NaN, which is no finite number");
    assert_eq!(fault("n in {low}"), "expected a list, found an integer");
    assert_eq!(fault("n == {text}"), "operator == cannot compare Int64 field n with a string");
}

#[test]
fn a_column_of_another_type_or_broken_json_is_an_error() {
    let table = table::fixed();
    let mut other = table::schema();
    other.fields.iter_mut().find(|field| field.name == "k").expect("it exists").data_type = DataType::Int64;
    let filter = compile("k == 1", &other, &Templates::new()).expect("it compiles");
    let want = EvalError::Type { field: "k".to_owned(), want: DataType::Int64, got: DataType::Int32 };
    assert_eq!(filter.eval(&table), Err(want));
    let schema = table::schema();
    let mut cells = table.rows.clone();
    cells[3][schema.position("doc").expect("it exists")] = Cell::Text("{\"a\": oops}".to_owned());
    let broken = Table::new(&schema, cells);
    let filter = compile("doc['a'] == 1", &schema, &Templates::new()).expect("it compiles");
    assert_eq!(filter.eval(&broken), Err(EvalError::Json { field: "doc".to_owned(), row: 3, offset: 6 }));
    assert!(filter.matches(&broken, 3).is_err() && filter.matches(&broken, 2).is_ok());
}

#[test]
fn dear_tests_skip_rows_that_are_decided() {
    let schema = table::schema();
    let mut cells = table::fixed().rows.clone();
    cells[3][schema.position("doc").expect("it exists")] = Cell::Text("{broken".to_owned());
    let broken = Table::new(&schema, cells);
    for text in ["doc['a'] == 1 and id != 103", "doc['a'] == 1 or id == 103", "not (doc['a'] == 1 or id == 103)"] {
        assert!(filter(text).eval(&broken).is_ok(), "{text}");
    }
    assert!(filter("doc['a'] == 1 or id == 104").eval(&broken).is_err());
}

#[test]
fn long_lists_and_long_conditions_compile() {
    let ids: Vec<String> = (0..16_384).map(|id| (id * 977).to_string()).collect();
    let many = filter(&format!("id in [{}]", ids.join(",")));
    assert_eq!(many.keys().map(Keys::len), Some(16_384));
    let either = ids.iter().map(|id| format!("id == {id}")).collect::<Vec<_>>().join(" or ");
    assert_eq!(filter(&either).keys(), many.keys());
    let neither = ids.iter().map(|id| format!("n != {id}")).collect::<Vec<_>>().join(" and ");
    assert!(filter(&neither).eval(&table::fixed()).is_ok());
}

#[test]
fn a_vector_field_may_be_asked_whether_it_is_null() {
    let fields = vec![Field::new("id", DataType::Int64).primary(), table::vector().nullable()];
    let schema = Schema::new("", fields, false).expect("the schema is valid");
    let cells = (0..70).map(|row| vec![Cell::Int(row), if row % 3 == 0 { Cell::Null } else { Cell::Float(0.0) }]);
    let table = Table::new(&schema, cells.collect());
    let count = |text: &str| {
        let filter = compile(text, &schema, &Templates::new()).expect("it compiles");
        assert_eq!(filter.fields(), [1]);
        filter.eval(&table).expect("the table is sound").count_ones()
    };
    assert_eq!((count("v is null"), count("v is not null"), count("not v is null")), (24, 46, 46));
}

#[test]
fn integers_of_every_width_are_compared_at_their_ends() {
    let types = [DataType::Int8, DataType::Int16, DataType::Int32, DataType::Int64];
    for data_type in types {
        let fields = vec![Field::new("id", DataType::Int64).primary(), Field::new("x", data_type), table::vector()];
        let schema = Schema::new("", fields, false).expect("the schema is valid");
        let (least, greatest) = data_type.integer_range().expect("it is an integer type");
        let values = [least, least + 1, 0, greatest - 1, greatest];
        let row = |value: &i64| vec![Cell::Int(*value), Cell::Int(*value), Cell::Float(0.0)];
        let table = Table::new(&schema, values.iter().map(row).collect());
        let count = |text: &str| {
            let filter = compile(text, &schema, &Templates::new()).expect("it compiles");
            filter.eval(&table).expect("the table is sound").count_ones()
        };
        for (text, want) in [
            (format!("x >= {least}"), 5),
            (format!("x > {least}"), 4),
            (format!("x < {greatest}"), 4),
            (format!("x <= {greatest}"), 5),
            (format!("x in [{least}, {greatest}, 0]"), 3),
            ("x < 18446744073709551615".to_owned(), 5),
            ("x > -18446744073709551615".to_owned(), 5),
            ("x == 18446744073709551615".to_owned(), 0),
            ("x != 18446744073709551615".to_owned(), 5),
            ("x > 18446744073709551615".to_owned(), 0),
        ] {
            assert_eq!(count(&text), want, "{data_type} {text}");
        }
    }
}
