//! The graph's own promises, and baselines of the work that builds and searches of pinned seeds do.
#![allow(clippy::disallowed_methods, reason = "the baselines are rewritten in place when that is asked for")]

use std::collections::BTreeMap;

use elanus_kernels::TopK;
use elanus_kernels::rng::Rng;

use super::recipe::{Ground, Recipe};
use super::*;
use crate::graph::links::{self, Numbering, used};
use crate::testing::Fixture;
use crate::{Cancel, KeyRange, Scratch, Search, Stage, Stats, no_progress};

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/golden.json");

fn built(fixture: &Fixture, m: usize, ef_construction: usize, seed: u64) -> HnswIndex {
    let given = vec![("M".to_owned(), m.to_string()), ("efConstruction".to_owned(), ef_construction.to_string())];
    let spec = Spec::new(&HNSW, fixture.element, fixture.dim, fixture.metric, given).unwrap();
    let cx = BuildCx { pool: None, seed, cancel: &Cancel::new(), progress: &no_progress, device: None };
    HnswIndex::build(&spec, Recipe { ground: Ground::Rows, ..HNSW.recipe(&spec) }, fixture.rows(), None, &cx).unwrap()
}

fn search(index: &HnswIndex, fixture: &Fixture, query: usize, k: usize, ef: usize) -> (Vec<u32>, Stats) {
    let given = [("ef".to_owned(), ef.to_string())];
    let params = crate::parse(params::HNSW, Stage::Search, &given).unwrap();
    let search = Search { k, params: &params, filter: None, range: KeyRange::ALL, cancel: &Cancel::new() };
    let mut out = TopK::new(k);
    let query = fixture.query(query);
    let stats = index.search(fixture.rows(), query, &search, &mut Scratch::new(), &mut out).unwrap();
    (out.into_sorted().iter().map(|found| found.id).collect(), stats)
}

/// Small whole numbers, whose sums of products are exact in f32, so that every instruction set gives the same graph.
fn whole_numbers(metric: Metric) -> Fixture {
    let mut rng = Rng::new(77);
    let (dim, rows) = (12, 3000);
    let mut draw = |count: usize| -> Vec<f32> { (0..count * dim).map(|_| rng.below(41) as f32 - 20.0).collect() };
    let (rows, queries) = (draw(rows), draw(100));
    Fixture::new(ElementType::F32, metric, dim, &rows, &queries)
}

#[test]
fn the_work_of_pinned_seeds_does_not_change() {
    let mut now: BTreeMap<String, u64> = BTreeMap::new();
    for metric in [Metric::L2, Metric::Cosine] {
        let fixture = whole_numbers(metric);
        for (m, ef_construction) in [(8, 40), (16, 100)] {
            let index = built(&fixture, m, ef_construction, 5);
            let graph = index.graph.as_ref().unwrap();
            let name = format!("{} M {m} efConstruction {ef_construction}", metric.name());
            let links = graph.base.as_slice().iter().filter(|link| **link != links::EMPTY).count();
            now.insert(format!("{name}: links"), links as u64);
            now.insert(format!("{name}: levels"), graph.upper.len() as u64 + 1);
            for ef in [10, 80, 600] {
                let mut stats = Stats::default();
                (0..fixture.query_count()).for_each(|query| stats.add(search(&index, &fixture, query, 10, ef).1));
                now.insert(format!("{name}, ef {ef}: hops"), stats.hops);
                now.insert(format!("{name}, ef {ef}: distances"), stats.distances);
            }
        }
    }
    if std::env::var_os("GOLDEN").is_some_and(|value| value == "write") {
        std::fs::write(GOLDEN, serde_json::to_string_pretty(&now).unwrap() + "\n").unwrap();
    }
    let text = std::fs::read_to_string(GOLDEN).unwrap();
    let golden: BTreeMap<String, u64> = serde_json::from_str(&text).unwrap();
    assert_eq!(now, golden, "the graph changed; if that is meant, run with GOLDEN=write");
}

#[test]
fn every_node_is_reached_and_has_links_within_bounds() {
    for metric in elanus_kernels::METRICS.iter().filter(|metric| HNSW.supports(ElementType::F32, **metric)) {
        let fixture = Fixture::clustered(ElementType::F32, *metric, 3000, 6, 9);
        let index = built(&fixture, 4, 30, 1);
        let graph = index.graph.as_ref().unwrap();
        let mut reached = vec![false; fixture.len()];
        let mut queue = vec![graph.entry];
        while let Some(row) = queue.pop() {
            if !std::mem::replace(&mut reached[row as usize], true) {
                queue.extend(graph.ground().neighbours(row));
            }
        }
        assert_eq!(reached.iter().filter(|is| !**is).count(), 0, "{metric}");
        for (row, links) in graph.base.as_slice().chunks(8).enumerate() {
            let links = used(links);
            assert!(!links.is_empty() && !links.contains(&(row as u32)));
            let mut distinct = links.to_vec();
            distinct.sort_unstable();
            distinct.dedup();
            assert_eq!(distinct.len(), links.len(), "row {row} is linked twice to one row");
        }
        for i in 0..graph.upper.len() {
            let level = graph.upper(i);
            assert!(level.numbering.node(graph.entry).is_some());
            assert!((0..level.len() as u32).all(|node| level.neighbours(node).len() <= 4));
        }
    }
}

#[test]
fn wider_searches_find_more_and_work_more() {
    let fixture = Fixture::clustered(ElementType::F32, Metric::L2, 4000, 16, 10);
    let index = built(&fixture, 6, 40, 1);
    let (mut recalls, mut work) = (Vec::new(), Vec::new());
    for ef in [10, 20, 60, 200, 513, 700] {
        let (mut hits, mut distances) = (0, 0);
        for query in 0..fixture.query_count() {
            let (found, stats) = search(&index, &fixture, query, 10, ef);
            let last = *fixture.nearest(query, 10, |_| true).last().unwrap();
            hits += found.iter().filter(|id| fixture.key(query, **id as usize) <= last + 1e-4).count();
            distances += stats.distances;
        }
        recalls.push(hits as f64 / (10 * fixture.query_count()) as f64);
        work.push(distances);
    }
    assert!(recalls.is_sorted_by(|a, b| *a <= *b + 0.005), "{recalls:?}");
    assert!(work.is_sorted(), "{work:?}");
    assert!(recalls[1] < 0.995 && recalls[5] > 0.999, "{recalls:?}");
}

#[test]
fn other_seeds_give_other_graphs() {
    let fixture = Fixture::clustered(ElementType::F32, Metric::L2, 500, 6, 11);
    let bytes = |seed| {
        let mut bytes = Vec::new();
        built(&fixture, 4, 20, seed).save(&mut bytes).unwrap();
        bytes
    };
    assert!(bytes(1) == bytes(1) && bytes(1) != bytes(2));
}

#[test]
fn the_inner_product_finds_long_rows() {
    // Lengths over three orders of magnitude.
    let mut rng = Rng::new(12);
    let mut draw = |count: usize, spread: f32| -> Vec<f32> {
        let mut row = || {
            let length = (spread * rng.normal()).exp();
            (0..16).map(|_| length * rng.normal()).collect::<Vec<f32>>()
        };
        (0..count).flat_map(|_| row()).collect()
    };
    let (rows, queries) = (draw(3000, 1.0), draw(50, 0.0));
    let fixture = Fixture::new(ElementType::F32, Metric::Ip, 16, &rows, &queries);
    let index = built(&fixture, 16, 200, 1);
    let mut hits = 0;
    for query in 0..fixture.query_count() {
        let last = *fixture.nearest(query, 10, |_| true).last().unwrap();
        let (found, _) = search(&index, &fixture, query, 10, 64);
        hits += found.iter().filter(|id| fixture.key(query, **id as usize) <= last + 1e-3).count();
    }
    assert!(hits >= 490, "{hits} of 500");
}

#[test]
fn a_recall_that_is_asked_for_is_found() {
    let fixture = Fixture::clustered(ElementType::F32, Metric::L2, 17_000, 24, 3);
    let spec = Spec::new(&HNSW, fixture.element, fixture.dim, fixture.metric, Vec::new()).unwrap();
    let cx = BuildCx { pool: None, seed: 1, cancel: &Cancel::new(), progress: &no_progress, device: None };
    let index = HNSW.build(&spec, fixture.rows(), None, &cx).unwrap();
    let mut scratch = Scratch::new();
    let mut ask = |recall: &str, k: usize| {
        let given = [("recall".to_owned(), recall.to_owned())];
        let params = crate::parse(params::HNSW, Stage::Search, &given).unwrap();
        let search = Search { k, params: &params, filter: None, range: KeyRange::ALL, cancel: &Cancel::new() };
        let (mut mean, mut work) = (0.0, Stats::default());
        for query in 0..fixture.query_count() {
            let mut out = TopK::new(k);
            let stats = index.search(fixture.rows(), fixture.query(query), &search, &mut scratch, &mut out).unwrap();
            work.add(stats);
            mean += fixture.judge(query, k, &out.into_sorted(), |_| true) / fixture.query_count() as f64;
        }
        (mean, work.distances)
    };
    let ((some, little), (most, more)) = (ask("0.8", 10), ask("0.99", 10));
    assert!(some > 0.75 && most > 0.98, "{some} {most}");
    assert!(little <= more && more < 17_000 * fixture.query_count() as u64 / 4, "{little} {more}");
    assert!(ask("0.95", 100).0 > 0.93);
}

#[test]
fn a_query_too_long_for_codes_is_answered_by_the_vectors() {
    let fixture = Fixture::clustered(ElementType::F32, Metric::L2, 2000, 20, 4);
    let given = [("sq_type", "SQ4U"), ("refine", "true"), ("refine_type", "SQ8")];
    let given = given.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let spec = Spec::new(&HNSW_SQ, fixture.element, fixture.dim, fixture.metric, given).unwrap();
    let cx = BuildCx { pool: None, seed: 1, cancel: &Cancel::new(), progress: &no_progress, device: None };
    let index = HNSW_SQ.build(&spec, fixture.rows(), None, &cx).unwrap();
    let params = crate::parse(params::HNSW_SQ, Stage::Search, &[]).unwrap();
    let search = Search { k: 10, params: &params, filter: None, range: KeyRange::ALL, cancel: &Cancel::new() };
    for length in [1e10, 1e19, 1e30] {
        let (query, mut out) = (vec![length; fixture.dim], TopK::new(10));
        let query = elanus_kernels::Vector::F32(&query);
        index.search(fixture.rows(), query, &search, &mut Scratch::new(), &mut out).unwrap();
        assert_eq!(out.into_sorted().len(), 10, "{length}");
    }
}

#[test]
fn what_fits_the_data_does_not_depend_on_the_threads() {
    let fixture = Fixture::clustered(ElementType::F32, Metric::Cosine, 1500, 192, 12);
    let spec = Spec::new(&HNSW, fixture.element, fixture.dim, fixture.metric, Vec::new()).unwrap();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
    let cancel = Cancel::new();
    let on = |pool| {
        let cx = BuildCx { pool, seed: 3, cancel: &cancel, progress: &no_progress, device: None };
        let index = HnswIndex::build(&spec, HNSW.recipe(&spec), fixture.rows(), None, &cx).unwrap();
        let mut bytes = Vec::new();
        index.save(&mut bytes).unwrap();
        (index.walked.map(|tier| tier.describe()), index.fit, bytes)
    };
    let (one, three) = (on(None), on(Some(&pool)));
    assert_eq!((one.0.as_deref(), one.1), (Some("SQ4"), three.1));
    assert!(one.1.refine > 1.0 && one.2 == three.2, "{:?}", one.1);
}
