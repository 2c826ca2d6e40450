//! The command line is read as documented.

use super::*;

fn read(words: &[&str]) -> Result<Args, clap::Error> {
    Args::try_parse_from(["elanus-bench"].iter().chain(words))
}

#[test]
fn a_whole_line() {
    let line = "--dataset x --index FLAT --build M=16,efConstruction=200 --sweep ef=16,32 --k 5 --threads 1,3";
    let args = read(&line.split(' ').collect::<Vec<_>>()).unwrap();
    assert_eq!(args.build, [("M".to_owned(), "16".to_owned()), ("efConstruction".to_owned(), "200".to_owned())]);
    assert_eq!(args.sweep, Some(Sweep { name: "ef".to_owned(), values: vec!["16".to_owned(), "32".to_owned()] }));
    assert_eq!((args.index.as_str(), args.k, args.threads), ("FLAT", 5, vec![1, 3]));
}

#[test]
fn refusals() {
    for line in ["", "--base a", "--dataset x --base a --queries b", "--dataset x --index NONE"] {
        assert!(read(&line.split_whitespace().collect::<Vec<_>>()).is_err(), "{line}");
    }
    for line in ["--threads 0", "--threads some", "--build M", "--sweep ef", "--element f64"] {
        let words: Vec<_> = ["--dataset", "x"].into_iter().chain(line.split(' ')).collect();
        assert!(read(&words).is_err(), "{line}");
    }
}

#[test]
fn all_threads_are_at_least_one() {
    assert!(parse_threads("all").unwrap() >= 1);
}
