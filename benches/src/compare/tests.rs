//! What the script is started with, and what is said when something is missing.

use clap::Parser;

use super::*;
use crate::args::{Args, Command as Subcommand};

fn arguments(line: &str) -> CompareArgs {
    let words = ["elanus-bench", "compare"].into_iter().chain(line.split(' '));
    match Args::try_parse_from(words).unwrap().command {
        Some(Subcommand::Compare(args)) => args,
        None => panic!("the line names the subcommand"),
    }
}

#[test]
fn options_reach_the_script() {
    let args = arguments("--dataset x --out o --peers hnswlib,svs --threads 1,2 --k 10 --minutes 2.5 -- --rounds 3");
    let words: Vec<String> = words(&args, Path::new("d")).into_iter().map(|word| word.into_string().unwrap()).collect();
    let text = words.join(" ");
    assert!(text.starts_with("--data d --out o --k 10 --threads 1,2 --build-threads "), "{text}");
    assert!(text.ends_with("--peers hnswlib,svs --minutes 2.5 --rounds 3"), "{text}");
}

#[test]
fn a_source_is_needed_and_one_alone() {
    let read = |line: &str| Args::try_parse_from(["elanus-bench", "compare"].into_iter().chain(line.split(' ')));
    for line in ["--out o", "--out o --dataset x --base a --queries b", "--out o --base a", "--dataset x"] {
        assert!(read(line).is_err(), "{line}");
    }
    assert!(read("--out o --base a --queries b --truth t --metric IP").is_ok());
}

#[test]
fn what_is_missing_is_named() {
    let refusal = |line: &str| compare(&arguments(line)).unwrap_err().to_string();
    let text = refusal("--dataset x --out o --script absent.py");
    assert!(text.contains("no script absent.py"), "{text}");
    let text = refusal("--dataset x --out o --module absent.so");
    assert!(text.contains("absent.so") && text.contains("cargo build --release -p elanus-index-py"), "{text}");
    let text = refusal("--dataset x --out o --module Cargo.toml --python absent-python");
    assert!(text.contains("cannot run absent-python") && text.contains("requirements.txt"), "{text}");
}

#[test]
fn an_interpreter_that_cannot_be_used_says_why() {
    // Whatever it is, it does not know these options.
    let text = probe(Path::new("false")).unwrap_err().to_string();
    assert!(text.contains("cannot be used") && text.contains("venv"), "{text}");
}
