//! What searches find: alone, under filters, within ranges.

use elanus_kernels::{Bitmap, ElementType, Metric, TopK};

use super::data::{Ask, Fixture, ask, build_on, search_with, supported};
use crate::{Cancel, IndexFactory, KeyRange, Scratch, Search, Stage};

const K: usize = 10;

/// Finds nearly all true neighbours with default parameters, for every element type and metric.
pub(super) fn finds_the_nearest(factory: &'static dyn IndexFactory) {
    for (element, metric) in supported(factory) {
        let fixture = Fixture::clustered(element, metric, 3000, 24, 1);
        let index = build_on(2, factory, &fixture, None);
        let mut scratch = Scratch::new();
        let (mut recall, queries) = (0.0, fixture.query_count());
        for query in 0..queries {
            let asked = Ask { query, k: K, filter: None, range: KeyRange::ALL };
            let (answer, stats) = ask(&*index, &fixture, asked, &mut scratch).expect("the search succeeds");
            assert_eq!(answer.len(), K);
            assert!(stats.distances > 0 && stats.distances <= 2 * fixture.len() as u64, "{stats:?}");
            recall += fixture.judge(query, K, &answer, |_| true) / queries as f64;
        }
        assert!(recall > 0.979, "{} {element} {metric}: recall {recall}", factory.name());
    }
}

/// An exact index finds all true neighbours.
pub(super) fn flat_is_exact(factory: &'static dyn IndexFactory) {
    for (element, metric) in supported(factory) {
        for dim in [1, 3, 17] {
            let fixture = Fixture::clustered(element, metric, 700, dim, 2);
            let index = build_on(0, factory, &fixture, None);
            if !index.is_exact() || factory.name() == "AUTOINDEX" {
                return;
            }
            for query in 0..fixture.query_count() {
                let answer = search_with(&*index, &fixture, query, K, None, KeyRange::ALL);
                assert_eq!(answer.len(), K);
                assert_eq!(fixture.judge(query, K, &answer, |_| true), 1.0, "{element} {metric} {dim} {query}");
            }
        }
    }
}

/// Nothing but what passes comes back, as much as was asked for, and recall has no dip at any selectivity.
pub(super) fn answers_under_filters(factory: &'static dyn IndexFactory) {
    for (element, metric) in supported(factory) {
        let fixture = Fixture::clustered(element, metric, 3000, 24, 3);
        let index = build_on(2, factory, &fixture, None);
        for percent in [0, 1, 3, 7, 9, 12, 20, 35, 50, 75, 90, 99, 100] {
            let passes = |row: usize| (row * 7919 + 13) % 100 < percent;
            let filter = Bitmap::from_fn(fixture.len(), passes);
            let (mut recall, queries) = (0.0, fixture.query_count());
            for query in 0..queries {
                let answer = search_with(&*index, &fixture, query, K, Some(filter.view()), KeyRange::ALL);
                assert_eq!(answer.len(), K.min(filter.count_ones()), "{percent} % pass");
                recall += fixture.judge(query, K, &answer, passes) / queries as f64;
            }
            assert!(recall > 0.979, "{} {element} {metric} with {percent} %: {recall}", factory.name());
        }
    }
}

/// A filter that passes only rows far from the query.
pub(super) fn answers_under_a_distant_filter(factory: &'static dyn IndexFactory) {
    let fixture = Fixture::clustered(ElementType::F32, Metric::L2, 4000, 24, 4);
    let index = build_on(2, factory, &fixture, None);
    // Queries are of cluster `query % 20`, rows of cluster `row % 20`.
    for query in 0..20 {
        let passes = |row: usize| (row + 20 - query) % 20 >= 12;
        let filter = Bitmap::from_fn(fixture.len(), passes);
        let answer = search_with(&*index, &fixture, query, K, Some(filter.view()), KeyRange::ALL);
        assert_eq!(answer.len(), K);
        let recall = fixture.judge(query, K, &answer, passes);
        assert!(recall >= 0.9, "{} query {query}: {recall}", factory.name());
    }
}

/// Whether a filter made for a query passes a row.
type Passes<'a> = &'a dyn Fn(usize, usize) -> bool;

/// The same among so many rows that a graph is walked under filters, by chance and by what the rows are: those of the
/// query's own cluster first, and those last.
pub(super) fn answers_under_filters_among_many(factory: &'static dyn IndexFactory) {
    let fixture = Fixture::clustered(ElementType::F32, Metric::L2, 12_000, 24, 9);
    let index = build_on(2, factory, &fixture, None);
    for permille in [1, 10, 50, 200, 500, 900] {
        let by_chance = |_: usize, row: usize| row.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32 & 0xffff < permille * 66;
        let near = |query: usize, row: usize| (row + 20 - query % 20) % 20 * 50 < permille.max(50);
        // The query's own cluster is the last of the twenty.
        let far = |query: usize, row: usize| (row + 19 - query % 20) % 20 * 50 < permille.max(50);
        let kinds: [(&str, Passes<'_>); 3] = [("by chance", &by_chance), ("near", &near), ("of other clusters", &far)];
        for (kind, passes) in kinds {
            let (mut recall, queries) = (0.0, fixture.query_count());
            for query in 0..queries {
                let passes = |row: usize| passes(query, row);
                let filter = Bitmap::from_fn(fixture.len(), passes);
                let answer = search_with(&*index, &fixture, query, K, Some(filter.view()), KeyRange::ALL);
                assert_eq!(answer.len(), K.min(filter.count_ones()), "{permille} of 1000 pass, {kind}");
                recall += fixture.judge(query, K, &answer, passes) / queries as f64;
            }
            assert!(recall >= 0.95, "{} with {permille} of 1000, {kind}: {recall}", factory.name());
        }
    }
}

/// Only keys of the range come back, and nearly all of those there are.
pub(super) fn answers_within_ranges(factory: &'static dyn IndexFactory) {
    for (element, metric) in supported(factory) {
        let fixture = Fixture::clustered(element, metric, 3000, 24, 5);
        let index = build_on(2, factory, &fixture, None);
        let filter = Bitmap::from_fn(fixture.len(), |row| row % 3 != 0);
        let (mut recall, mut answers) = (0.0, 0);
        for query in 0..fixture.query_count() {
            let keys = fixture.nearest(query, fixture.len(), |_| true);
            // Between two keys, so that rounding does not decide what lies within.
            let cut = |rank: usize| ((keys[rank - 1] + keys[rank]) / 2.0) as f32;
            for (from, to) in [(0, 8), (0, 150), (5, 25), (60, 100), (1000, 1010)] {
                let lower = if from == 0 { f32::NEG_INFINITY } else { cut(from) };
                let range = KeyRange { lower, upper: cut(to) };
                for filter in [None, Some(filter.view())] {
                    // By the kernel's own key, since the definition's may lie on the other side of a bound by a rounding.
                    let in_range = |row: usize| range.contains(fixture.pair(query, row));
                    let may = |row: usize| in_range(row) && filter.is_none_or(|bits| bits.get(row));
                    let answer = search_with(&*index, &fixture, query, 64, filter, range);
                    recall += fixture.judge(query, 64, &answer, may);
                    answers += 1;
                }
            }
            let nothing = KeyRange { lower: f32::NEG_INFINITY, upper: keys[0] as f32 - 1.0 };
            assert_eq!(search_with(&*index, &fixture, query, 5, None, nothing), []);
            let turned = KeyRange { lower: cut(20), upper: cut(10) };
            assert_eq!(search_with(&*index, &fixture, query, 5, None, turned), []);
        }
        let recall = recall / f64::from(answers);
        // Links by inner product lead to long rows, past which rows of middling keys are found less surely.
        let floor = if metric == Metric::Ip { 0.93 } else { 0.97 };
        assert!(recall >= floor, "{} {element} {metric}: {recall}", factory.name());
    }
}

/// Many queries at once get the answer that each gets alone, under filters and ranges too.
pub(super) fn answers_many_as_each_alone(factory: &'static dyn IndexFactory) {
    for (element, metric) in supported(factory) {
        let fixture = Fixture::clustered(element, metric, 1200, 24, 8);
        let present = Bitmap::from_fn(fixture.len(), |row| row % 11 != 5);
        let filter = Bitmap::from_fn(fixture.len(), |row| row % 3 != 0);
        let index = build_on(1, factory, &fixture, Some(present.view()));
        let params = crate::parse(factory.params(), Stage::Search, &[]).expect("defaults are taken");
        let upper = fixture.nearest(0, 200, |_| true)[199] as f32;
        let within = KeyRange { lower: f32::NEG_INFINITY, upper };
        for (filter, range) in [(None, KeyRange::ALL), (Some(filter.view()), KeyRange::ALL), (None, within)] {
            let search = Search { k: K, params: &params, filter, range, cancel: &Cancel::new() };
            let mut outs = vec![TopK::new(K); fixture.query_count()];
            let scratch = &mut Scratch::new();
            let stats = index.search_many(fixture.rows(), fixture.queries(), &search, scratch, &mut outs);
            assert!(stats.expect("the search succeeds").distances > 0);
            for (query, out) in outs.into_iter().enumerate() {
                assert_eq!(out.into_sorted(), search_with(&*index, &fixture, query, K, filter, range));
            }
        }
    }
}

/// Searches that each begin where the last one ended come to nearly all rows, none of them twice.
pub(super) fn pages_through_all_rows(factory: &'static dyn IndexFactory) {
    for metric in [Metric::L2, Metric::Cosine] {
        let fixture = Fixture::clustered(ElementType::F32, metric, 2500, 24, 6);
        let index = build_on(2, factory, &fixture, None);
        let mut range = KeyRange::ALL;
        let mut seen = Vec::new();
        loop {
            let page = search_with(&*index, &fixture, 0, 100, None, range);
            let Some(last) = page.last() else { break };
            range.lower = last.key.next_up();
            seen.extend(page.iter().map(|found| found.id));
        }
        let found = seen.len();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), found, "a row came twice");
        assert!(found * 100 >= fixture.len() * 98, "{metric}: {found} of {} rows", fixture.len());
    }
}

/// A `k` as large as the index, and larger, gives all rows in order; so does half of it.
pub(super) fn returns_all_rows(factory: &'static dyn IndexFactory) {
    for rows in [2, 64, 65, 1200] {
        let fixture = Fixture::clustered(ElementType::F32, Metric::L2, rows, 24, 7);
        let index = build_on(1, factory, &fixture, None);
        for k in [rows - 1, rows, rows + 1, 10 * rows] {
            let answer = search_with(&*index, &fixture, 0, k, None, KeyRange::ALL);
            assert_eq!(answer.len(), k.min(rows));
            assert_eq!(fixture.judge(0, k, &answer, |_| true), 1.0);
        }
        assert_eq!(search_with(&*index, &fixture, 0, 0, None, KeyRange::ALL), []);
    }
}
