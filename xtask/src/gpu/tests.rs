//! Options, dates, and a table from results, whole or in part.
use super::{Options, table};
use serde_json::json;

#[test]
fn options_are_read_or_refused() {
    let parse = |args: &[&str]| Options::parse(&args.iter().map(|arg| (*arg).to_owned()).collect::<Vec<_>>());
    assert_eq!(parse(&["--device", "cuda:0"]).unwrap().device.as_deref(), Some("cuda:0"));
    assert!(parse(&["--pack", "x"]).unwrap().pack.is_some());
    assert!(parse(&["--pack", "x", "--record", "y"]).unwrap_err().contains("two steps"));
    assert!(parse(&["--pack"]).unwrap_err().contains("--pack"));
    assert!(parse(&["--fast"]).unwrap_err().contains("--fast"));
}

#[test]
fn dates_are_those_of_the_calendar() {
    for (seconds, want) in [(0, "1970-01-01"), (951_782_400, "2000-02-29"), (1_795_132_800, "2026-11-20")] {
        assert_eq!(table::date(seconds), want);
    }
}

#[test]
fn a_table_has_every_case_and_says_what_was_skipped() {
    let results = json!({
        "device": "NVIDIA X", "place": "cuda:0", "driver": "1.2", "commit": "abc", "seconds_since_1970": 86_400,
        "read_bytes_per_ns": 2000.0, "upload_bytes_per_ns": 20.0, "round_trip_us": 30.0,
        "suite": { "answers": 12, "skipped": ["a", "b"] },
        "sweep": [
            { "case": "L2 over 10 x 768 bf16", "batch": 8, "median_us": 5.0, "qps": 1.6e6, "bytes_per_ns": 1000.0,
              "multiply_adds_per_ns": 100_000.0 },
            { "case": "L2 over 10 x 768 f16", "skipped": "out of time" },
        ],
        "turns": {
            "torch": "2.11",
            "limits": { "copy_read_bytes_per_ns": 1000.0, "copy_bytes_per_ns": 2000.0,
                        "bf16_multiply_adds_per_ns": 400_000.0 },
            "cases": [{ "rows": 10, "batch": 8, "us": 5.0, "torch_us": 10.0, "ratio": 2.0, "equal": 1.0 }],
        },
    });
    let text = table::render(&results).unwrap();
    for want in ["### NVIDIA X, 1970-01-02", "| 8 | 5.0 | 1600000 | 50 % | 25 % |", "out of time", "| 2.00 | 1.0000 |"]
    {
        assert!(text.contains(want), "{want} is missing in {text}");
    }
    let mut part = results;
    part["turns"] = json!({ "skipped": "no PyTorch" });
    assert!(table::render(&part).unwrap().contains("no PyTorch"));
    part["device"] = json!(null);
    assert!(table::render(&part).unwrap_err().contains("device"));
}
