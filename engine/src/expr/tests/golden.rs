//! Recorded cases: `testdata/filter.txt` has an expression and the rows of the fixed table, or the error, on each line.

use super::{Templates, reference, table};
use crate::expr::compile;

const RECORDED: &str = include_str!("../../../testdata/filter.txt");
const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/filter.txt");

fn answer(expression: &str) -> String {
    match compile(expression, &table::schema(), &Templates::new()) {
        Ok(filter) => {
            let found = filter.eval(&table::fixed()).expect("the table is sound");
            let rows: Vec<String> = found.iter_ones().map(|row| row.to_string()).collect();
            rows.join(" ")
        }
        Err(error) => format!("error at {}..{}: {}", error.position, error.position + error.length, error.message),
    }
}

#[test]
#[allow(clippy::disallowed_methods, reason = "recording writes the file that the test reads")]
fn recorded_cases_hold() {
    let mut recorded = String::new();
    for line in RECORDED.lines() {
        match line.split_once(" => ").map_or(line, |(expression, _)| expression).trim_end_matches(" =>") {
            comment if comment.is_empty() || comment.starts_with('#') => recorded.push_str(line),
            expression => recorded.push_str(format!("{expression} => {}", answer(expression)).trim_end()),
        }
        recorded.push('\n');
    }
    if std::env::var_os("GOLDEN").is_some_and(|value| value == "write") {
        std::fs::write(PATH, &recorded).expect("the file can be written");
        return;
    }
    for (line, (want, got)) in RECORDED.lines().zip(recorded.lines()).enumerate() {
        assert_eq!(got, want, "line {}; GOLDEN=write records anew", line + 1);
    }
}

#[test]
fn the_plain_reading_agrees_with_the_record() {
    let (schema, table) = (table::schema(), table::fixed());
    let mut compared = 0;
    for line in RECORDED.lines().filter(|line| !line.starts_with('#')) {
        let expression = line.split_once(" =>").map_or(line, |(expression, _)| expression);
        if expression.is_empty() || compile(expression, &schema, &Templates::new()).is_err() {
            continue;
        }
        let want: Vec<String> =
            reference::rows(expression, &schema, &table.rows).iter().map(usize::to_string).collect();
        assert_eq!(answer(expression), want.join(" "), "{expression}");
        compared += 1;
    }
    assert!(compared > 100, "{compared}");
}
