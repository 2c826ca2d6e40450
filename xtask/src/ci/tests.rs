//! Tests of options, counts and the reading of cargo's messages.

use std::path::PathBuf;

use super::python::number_after;
use super::steps::{STEPS, test_binaries};
use super::{Done, Options, Row, TestCount, passed};

fn parse(args: &[&str]) -> Result<Options, String> {
    let args: Vec<String> = args.iter().map(|a| (*a).to_owned()).collect();
    Options::parse(&args, STEPS)
}

#[test]
fn names_of_steps_are_checked() {
    let options = parse(&["--skip", "neon,wire", "--verbose"]).expect("both are steps");
    assert_eq!(options.left_out("neon"), Some("left out by --skip"));
    assert_eq!(options.left_out("fmt"), None);
    let options = parse(&["--only", "fmt"]).expect("a step");
    assert_eq!(options.left_out("tidy"), Some("left out by --only"));
    assert_eq!(options.left_out("fmt"), None);
    assert!(parse(&["--skip", "nothing"]).is_err_and(|e| e.contains("no step `nothing`") && e.contains("clippy")));
    assert!(parse(&["--skip"]).is_err());
    assert!(parse(&["fmt"]).is_err_and(|e| e.contains("unexpected argument `fmt`")));
}

#[test]
fn names_of_steps_are_distinct() {
    for (index, step) in STEPS.iter().enumerate() {
        assert!(STEPS[..index].iter().all(|s| s.name != step.name), "{}", step.name);
    }
}

#[test]
fn passed_tests_are_added_up() {
    let mut count = TestCount::default();
    count.read("test result: ok. 12 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s");
    count.read("test result: FAILED. 3 passed; 1 failed; 0 ignored");
    count.read("test one ... ok");
    count.read("test result: ok. 1 passed; 0 failed");
    assert_eq!(count.passed, 13);
    let row = |done| Row { name: "x", done, took: std::time::Duration::ZERO };
    assert_eq!(passed(&[row(Done::Passed(2)), row(Done::Skipped(String::new())), row(Done::Passed(3))]), 5);
}

#[test]
fn python_says_how_many_tests_ran() {
    assert_eq!(number_after("Ran 14 tests in 2.255s", "Ran "), 14);
    assert_eq!(number_after("OK (skipped=3)", "OK (skipped="), 3);
    for line in ["OK", "Ran", "Ran  1 test", "FAILED (failures=1)", "xRan 1 test"] {
        assert_eq!((number_after(line, "Ran "), number_after(line, "OK (skipped=")), (0, 0), "{line}");
    }
}

#[test]
fn test_binaries_are_found_in_cargo_messages() {
    let messages = r#"{"reason":"compiler-artifact","package_id":"path+file:///r/kernels#elanus-kernels@0.1.0","manifest_path":"/r/kernels/Cargo.toml","profile":{"test":true},"executable":"/t/a"}
{"reason":"compiler-artifact","package_id":"path+file:///r/kernels#elanus-kernels@0.1.0","manifest_path":"/r/kernels/Cargo.toml","profile":{"test":false},"executable":"/t/b"}
{"reason":"compiler-artifact","package_id":"path+file:///r/elanus-index#0.1.0","manifest_path":"/r/elanus-index/Cargo.toml","profile":{"test":true},"executable":"/t/c"}
{"reason":"compiler-artifact","package_id":"path+file:///r/engine#elanus@0.1.0","manifest_path":"/r/engine/Cargo.toml","profile":{"test":true},"executable":"/t/d"}
{"reason":"build-finished","success":true}"#;
    let found = test_binaries(messages, &["elanus-kernels", "elanus-index"]).expect("well formed");
    let want = [("/r/kernels", "/t/a"), ("/r/elanus-index", "/t/c")];
    assert_eq!(found, want.map(|(folder, binary)| (PathBuf::from(folder), PathBuf::from(binary))));
    assert!(test_binaries("{not json", &[]).is_err());
}
