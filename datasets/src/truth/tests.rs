//! Exact neighbours against a plain sort, ties, bad input, recall and the file of earlier results.

use std::num::NonZeroUsize;

use super::*;
use crate::error::Problem;
use crate::file::write_whole;
use crate::synth::uniform;

const METRICS: [Metric; 3] = [Metric::L2, Metric::Ip, Metric::Cosine];

fn threads(n: usize) -> NonZeroUsize {
    NonZeroUsize::new(n).unwrap()
}

fn rows(data: &[f32], dim: usize) -> Rows<'_, f32> {
    Rows::new(data, dim).unwrap()
}

/// The definition, word for word.
fn plain_key(metric: Metric, a: &[f32], b: &[f32]) -> f64 {
    let pairs = || a.iter().zip(b).map(|(&a, &b)| (f64::from(a), f64::from(b)));
    let dot: f64 = pairs().map(|(a, b)| a * b).sum();
    let (aa, bb): (f64, f64) = (pairs().map(|(a, _)| a * a).sum(), pairs().map(|(_, b)| b * b).sum());
    if metric == Metric::L2 {
        return pairs().map(|(a, b)| (a - b) * (a - b)).sum();
    }
    if metric == Metric::Ip { -dot } else { -dot / (aa * bb).sqrt() }
}

#[test]
fn metrics_that_are_not_over_numbers_are_refused() {
    let base = uniform(4, 2, 1);
    let refused = exact(Metric::Hamming, rows(&base, 2), rows(&base, 2), 1, threads(1)).unwrap_err();
    assert_eq!(refused.to_string(), "metric HAMMING is not defined over f32 vectors");
}

#[test]
fn a_plain_sort_gives_the_same() {
    for dim in [1, 7, 8, 9, 33] {
        // More rows and queries than one block of either.
        let (base, queries) = (uniform(150, dim, 1), uniform(70, dim, 2));
        for metric in METRICS {
            let truth = exact(metric, rows(&base, dim), rows(&queries, dim), 10, threads(3)).unwrap();
            assert_eq!((truth.len(), truth.k()), (70, 10));
            for q in 0..70 {
                let key = |id: u32| plain_key(metric, rows(&queries, dim).row(q), rows(&base, dim).row(id as usize));
                let mut all: Vec<u32> = (0..150).collect();
                all.sort_by(|&a, &b| key(a).total_cmp(&key(b)));
                // Cosines of one dimension are all 1 up to rounding, so keys are compared and not row numbers.
                for (place, &id) in truth.ids(q).iter().enumerate() {
                    let (got, want) = (key(id), key(all[place]));
                    assert!((got - want).abs() < 1e-12, "{metric:?} {dim} query {q} place {place}: {got} {want}");
                }
                if dim > 1 {
                    assert_eq!(truth.ids(q), &all[..10], "{metric:?} {dim} query {q}");
                }
            }
        }
    }
}

#[test]
fn any_number_of_threads_gives_the_same() {
    let (base, queries) = (uniform(300, 20, 3), uniform(100, 20, 4));
    let run = |n| exact(Metric::Cosine, rows(&base, 20), rows(&queries, 20), 50, threads(n)).unwrap();
    let one = run(1);
    assert_eq!(one, run(2));
    assert_eq!(one, run(64));
}

#[test]
fn ties_go_to_the_lower_row() {
    let base = [[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [0.0, -1.0], [0.0, 1.0]].concat();
    for metric in METRICS {
        let truth = exact(metric, rows(&base, 2), rows(&[0.0, 1.0], 2), 5, threads(1)).unwrap();
        assert_eq!(truth.ids(0), [1, 4, 0, 2, 3], "{metric:?}");
    }
}

#[test]
fn signed_zeros_are_ties() {
    let truth = exact(Metric::Ip, rows(&[-0.0, 0.0, -0.0], 1), rows(&[1.0], 1), 3, threads(1)).unwrap();
    assert_eq!(truth.ids(0), [0, 1, 2]);
}

#[test]
fn a_zero_vector_has_cosine_zero() {
    let base = [-1.0, 0.0, 1.0];
    let truth = exact(Metric::Cosine, rows(&base, 1), rows(&[2.0, 0.0], 1), 3, threads(1)).unwrap();
    assert_eq!(truth.ids(0), [2, 1, 0]);
    assert_eq!(truth.ids(1), [0, 1, 2]);
}

#[test]
fn differences_below_f32_still_count() {
    // The squared distances 2^24 and 2^24 + 1 are one number in f32.
    let base = [4096.0, 1.0, 4096.0, 0.0];
    let truth = exact(Metric::L2, rows(&base, 2), rows(&[0.0, 0.0], 2), 2, threads(1)).unwrap();
    assert_eq!(truth.ids(0), [1, 0]);
}

#[test]
fn bad_input_is_refused() {
    let base = [0.0, 1.0, 2.0, 3.0];
    let run = |base: &[f32], queries: &[f32], dim, query_dim, k| {
        let found = exact(Metric::L2, rows(base, dim), rows(queries, query_dim), k, threads(1));
        found.map(|truth| truth.ids).map_err(|error| error.to_string())
    };
    assert_eq!(run(&base, &[0.0], 1, 1, 0).unwrap_err(), "cannot give the 0 nearest of 4 rows");
    assert_eq!(run(&base, &[0.0], 1, 1, 5).unwrap_err(), "cannot give the 5 nearest of 4 rows");
    assert_eq!(run(&base, &[0.0], 2, 1, 1).unwrap_err(), "queries of dimension 1 against a base of 2");
    assert_eq!(
        run(&[0.0, 1.0, f32::NAN, 0.0], &[0.0, 0.0], 2, 2, 1).unwrap_err(),
        "base row 1 holds a value that is not finite"
    );
    assert_eq!(run(&base, &[f32::INFINITY], 1, 1, 1).unwrap_err(), "queries row 0 holds a value that is not finite");
    assert_eq!(run(&base, &[], 1, 1, 2), Ok(vec![]), "no query, no neighbours");
}

#[test]
fn recall_counts_rows_once() {
    let truth = Truth::from_ids(4, vec![1, 2, 3, 4, 5, 6, 7, 8]).unwrap();
    assert_eq!(truth.recall(0, 4, &[4, 3, 2, 1]), 1.0);
    assert_eq!(truth.recall(0, 4, &[1, 1, 1, 1]), 0.25);
    assert_eq!(truth.recall(0, 2, &[3, 4, 1, 2]), 0.0, "only the first two found count");
    assert_eq!(truth.recall(1, 4, &[5]), 0.25);
    assert_eq!(truth.recall(1, 4, &[]), 0.0);
    assert_eq!(Truth::from_ids(0, vec![]), None);
    assert_eq!(Truth::from_ids(3, vec![1, 2]), None);
    assert!(Truth::from_ids(3, vec![]).unwrap().is_empty());
}

#[test]
fn a_file_of_earlier_results() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("near.truth");
    let (mut base, queries) = (uniform(50, 4, 1), uniform(9, 4, 2));
    let run =
        |base: &[f32], metric, k| load_or_compute(Some(&path), metric, rows(base, 4), rows(&queries, 4), k, threads(1));
    let bytes = || {
        let mut input = crate::Input::open(&path).unwrap();
        let mut all = vec![0; input.room() as usize];
        input.fill(&mut all).unwrap();
        all
    };
    let first = run(&base, Metric::L2, 5).unwrap();
    let written = bytes();
    assert_eq!(run(&base, Metric::L2, 5).unwrap(), first);

    // A forged result shows whether the file was read: its checksum is made good again.
    let print = u64::from_le_bytes(written[8..16].try_into().unwrap());
    let forged = cache::encode(&Truth::from_ids(5, vec![7; 45]).unwrap(), print);
    write_whole(&path, &forged).unwrap();
    assert_eq!(run(&base, Metric::L2, 5).unwrap().ids(0), [7; 5]);

    // Other vectors, another metric or another k: computed anew.
    assert_eq!(run(&base, Metric::L2, 4).unwrap().k(), 4);
    write_whole(&path, &forged).unwrap();
    assert_ne!(run(&base, Metric::Ip, 5).unwrap().ids(0), [7; 5]);
    write_whole(&path, &forged).unwrap();
    base[3] += 1e-6;
    assert_ne!(run(&base, Metric::L2, 5).unwrap().ids(0), [7; 5]);
}

#[test]
fn a_damaged_file_is_refused_and_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("near.truth");
    let (base, queries) = (uniform(20, 2, 1), uniform(3, 2, 2));
    let run = || load_or_compute(Some(&path), Metric::L2, rows(&base, 2), rows(&queries, 2), 2, threads(1));
    let whole = {
        run().unwrap();
        let mut input = crate::Input::open(&path).unwrap();
        let mut all = vec![0; input.room() as usize];
        input.fill(&mut all).unwrap();
        all
    };
    for len in 0..whole.len() {
        write_whole(&path, &whole[..len]).unwrap();
        match run() {
            Err(TruthError::Cache(CacheError::Foreign { .. })) => assert!(len < 8, "{len} bytes"),
            Err(TruthError::Cache(CacheError::File(error))) => {
                assert!(len >= 8 && matches!(error.problem, Problem::Truncated { .. }), "{len} bytes: {error}");
            }
            other => panic!("{len} bytes: {other:?}"),
        }
    }
    let mut changed = whole.clone();
    changed[30] ^= 1;
    write_whole(&path, &changed).unwrap();
    assert!(run().unwrap_err().to_string().contains("is damaged: its checksum differs"));
    write_whole(&path, &[&whole[..], &[0]].concat()).unwrap();
    assert!(run().unwrap_err().to_string().contains("expected the end of the file"));
    write_whole(&path, b"a letter to somebody else").unwrap();
    assert!(run().unwrap_err().to_string().contains("is not a file of exact neighbours"));
    let missing = folder.path().join("missing/near.truth");
    let error = load_or_compute(Some(&missing), Metric::L2, rows(&base, 2), rows(&queries, 2), 2, threads(1));
    assert!(matches!(error, Err(TruthError::Cache(CacheError::File(_)))));
}
