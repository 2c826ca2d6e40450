//! A whole run on a small made-up set leaves readable results.

use clap::Parser;

use super::*;

fn arguments(words: &[&str]) -> Args {
    Args::try_parse_from(["elanus-bench", "--dataset", "synthetic-1500x8"].iter().chain(words)).unwrap()
}

#[test]
fn results_are_written() {
    let folder = std::env::temp_dir().join(format!("elanus-bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let (json, plot) = (folder.join("out.json"), folder.join("out.svg"));
    let files = ["--json", json.to_str().unwrap(), "--plot", plot.to_str().unwrap()];
    let words = "--build M=8 --sweep ef=10,40 --threads 1,2 --rounds 1 --query-count 20 --element f16";
    let words: Vec<&str> = words.split(' ').chain(files).collect();
    run(&arguments(&words)).unwrap();
    let report: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(json).unwrap()).unwrap();
    let points = report["points"].as_array().unwrap();
    assert_eq!(points.len(), 4);
    assert_eq!((&report["rows"], &report["queries"]), (&1500.into(), &20.into()));
    for point in points {
        assert!(point["recall"].as_f64().unwrap() > 0.8, "{point}");
        assert!(point["qps"].as_f64().unwrap() > 0.0 && point["p99_us"].as_f64() >= point["p50_us"].as_f64());
    }
    let drawing = std::fs::read_to_string(plot).unwrap();
    assert!(drawing.starts_with("<svg") && drawing.contains("2 threads"));
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn refusals_reach_the_user() {
    let refusal = |words: &[&str]| run(&arguments(words)).unwrap_err().to_string();
    assert_eq!(refusal(&["--build", "M=1"]), "index parameters refused");
    assert_eq!(refusal(&["--sweep", "nprobe=1"]), "unknown search parameter \"nprobe\": known are ef, recall");
    assert_eq!(refusal(&["--sweep", "ef=5"]), "parameter ef is 5, less than k, which is 10");
}

#[test]
fn exports_are_read_back() {
    let folder = std::env::temp_dir().join(format!("elanus-export-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    run(&arguments(&["--export", folder.to_str().unwrap()])).unwrap();
    let file = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let head: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(file("set.json")).unwrap()).unwrap();
    assert_eq!((&head["name"], &head["metric"]), (&"synthetic-1500x8".into(), &"L2".into()));
    let (base, queries, truth) = (file("base.fbin"), file("queries.fbin"), file("truth.ibin"));
    let words = ["elanus-bench", "--base", &base, "--queries", &queries, "--truth", &truth];
    let data = Data::load(&Args::try_parse_from(words).unwrap()).unwrap();
    let whole = Data::load(&arguments(&[])).unwrap();
    assert_eq!((data.set.base, data.set.queries), (whole.set.base, whole.set.queries));
    std::fs::remove_dir_all(folder).unwrap();
}
