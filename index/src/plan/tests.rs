//! Each way finds what a scan finds, or nearly; nothing comes back that does not pass, and nothing twice.

use std::sync::LazyLock;

use elanus_kernels::rng::Rng;
use elanus_kernels::{Bitmap, Metric, Rows, Vector};

use super::*;
use crate::graph::space::Shaped;
use crate::graph::{Shape, build};
use crate::tier::rows::Lent;
use crate::{BuildCx, no_progress};

const DIM: usize = 8;

/// Rows around twenty centres, row `i` around centre `i % 20`, and a graph over them.
struct World {
    values: Vec<f32>,
    graph: Graph,
    len: usize,
}

/// One that is large enough for walks under filters.
static LARGE: LazyLock<World> = LazyLock::new(|| World::new(12_000));

/// Rows by chance, so many of a hundred.
fn by_chance(len: usize, percent: u64) -> Bitmap {
    let mut rng = Rng::new(percent);
    Bitmap::from_fn(len, |_| rng.below(100) < percent)
}

impl World {
    fn new(len: usize) -> Self {
        let mut rng = Rng::new(7);
        let centres: Vec<f32> = (0..20 * DIM).map(|_| 6.0 * rng.normal()).collect();
        let values: Vec<f32> =
            (0..len * DIM).map(|at| centres[at / DIM % 20 * DIM + at % DIM] + rng.normal()).collect();
        let nodes: Vec<u32> = (0..len as u32).collect();
        let space = Shaped::new(Metric::L2, Rows::new(&values, DIM).unwrap().into(), nodes.iter().copied());
        let cancel = Cancel::new();
        let cx = BuildCx { pool: None, seed: 1, cancel: &cancel, progress: &no_progress, device: None };
        let shape = Shape { m: 8, ef_construction: 40 };
        let graph = build::build(shape, &space, &nodes, &cx).unwrap().unwrap();
        Self { values, graph, len }
    }

    /// Candidates for `query` and the end, by the plan or by a way of the test's.
    fn with<T>(&self, query: u32, run: impl FnOnce(&dyn Keys) -> T) -> T {
        let rows = Rows::new(&self.values, DIM).unwrap();
        run(&*Lent::new(Metric::L2, rows.into(), &[]).bind(Vector::F32(rows.row(query as usize))).unwrap())
    }

    fn find(&self, query: u32, ask: &Ask<'_>, scratch: &mut Scratch) -> (End, Vec<u32>, Stats) {
        let mut stats = Stats::default();
        let end = self.with(query, |tier| find(&self.graph, tier, ask, scratch, &mut stats));
        assert!(scratch.found.is_sorted(), "not in order");
        let ids: Vec<u32> = scratch.found.iter().map(|found| found.node()).collect();
        let mut distinct = ids.clone();
        distinct.sort_unstable();
        distinct.dedup();
        assert_eq!(distinct.len(), ids.len(), "a row came twice");
        assert!(ids.iter().all(|id| ask.keep.has(*id as usize)), "a row came that does not pass");
        (end, ids, stats)
    }

    /// The nearest that pass, by a sort.
    fn nearest(&self, query: u32, keep: Keep<'_>, range: KeyRange, count: usize) -> Vec<u32> {
        let ids: Vec<u32> = (0..self.len as u32).filter(|id| keep.has(*id as usize)).collect();
        let mut keys = vec![0.0; ids.len()];
        self.with(query, |tier| tier.keys(&ids, &mut keys));
        let mut all: Vec<(f32, u32)> = keys.into_iter().zip(ids).filter(|(key, _)| range.contains(*key)).collect();
        all.sort_by(|a, b| a.partial_cmp(b).unwrap());
        all.into_iter().take(count).map(|(_, id)| id).collect()
    }
}

fn recall(found: &[u32], want: &[u32]) -> f64 {
    want.iter().filter(|id| found.contains(id)).count() as f64 / want.len().max(1) as f64
}

fn ask<'a>(world: &World, keep: Keep<'a>, cancel: &'a Cancel) -> Ask<'a> {
    let (rows, matching) = (world.len, keep.count(world.len));
    Ask { keep, matching, rows, nodes: rows, count: 10, width: 20, range: KeyRange::ALL, cancel }
}

#[test]
fn filters_are_answered_at_every_share_and_place() {
    let world = &*LARGE;
    let (cancel, mut scratch) = (Cancel::new(), Scratch::new());
    // Row by row, whole clusters, and all but the clusters around the query.
    let by_cluster = |from: usize, to: usize| Bitmap::from_fn(world.len, move |row| (from..to).contains(&(row % 20)));
    let mut filters: Vec<(String, Bitmap)> = [0, 1, 5, 20, 33, 40, 60, 90, 100]
        .map(|percent| (format!("{percent} %"), by_chance(world.len, percent)))
        .into();
    for (from, to) in [(0, 10), (8, 20), (12, 20), (1, 20), (0, 19)] {
        filters.push((format!("clusters {from} to {to}"), by_cluster(from, to)));
    }
    for (name, filter) in &filters {
        let keep = Keep::new(filter.view(), 0);
        let ask = ask(world, keep, &cancel);
        let mut mean = 0.0;
        for query in 0..40 {
            let (end, found, _) = world.find(query, &ask, &mut scratch);
            assert_eq!(end, End::Done);
            assert!(found.len() >= ask.count.min(ask.matching) && found.len() <= ask.width, "{name}: {}", found.len());
            mean += recall(&found, &world.nearest(query, keep, ask.range, 10)) / 40.0;
        }
        assert!(mean >= 0.97 || ask.matching == 0, "{name}: recall {mean}");
    }
}

#[test]
fn a_walk_compares_far_fewer_than_pass() {
    let world = &*LARGE;
    let (cancel, mut scratch) = (Cancel::new(), Scratch::new());
    for percent in [45, 60, 90] {
        let filter = by_chance(world.len, percent);
        let ask = ask(world, Keep::new(filter.view(), 0), &cancel);
        let work: u64 = (0..20).map(|query| world.find(query, &ask, &mut scratch).2.distances).sum();
        assert!(work / 20 < ask.matching as u64 / 6, "{percent} %: {} of {}", work / 20, ask.matching);
    }
}

#[test]
fn a_walk_among_few_finds_them_or_says_that_it_gave_up() {
    let world = &*LARGE;
    let (cancel, mut scratch) = (Cancel::new(), Scratch::new());
    for percent in [10, 30, 70] {
        let filter = by_chance(world.len, percent);
        let keep = Keep::new(filter.view(), 0);
        let (mut seeds, mut mean) = (Vec::new(), 0.0);
        seeds::spread(keep, world.len, 64, &mut scratch.words, &mut seeds);
        for (query, budget) in (0..30).flat_map(|query| [(query, u64::MAX), (query, 40)]) {
            scratch.found.clear();
            let mut stats = Stats::default();
            let end = world.with(query, |tier| {
                let (walk, ground) = (Walk { tier }, world.graph.ground());
                let start = walk.descend(&world.graph, 0, &mut scratch, &mut stats);
                let cancel = &cancel;
                let inside = Inside { start, seeds: &seeds, keep, width: 20, enough: 8, budget, cancel };
                walk.inside(ground, inside, &mut scratch, &mut stats)
            });
            assert_eq!(end, if budget == 40 { End::Spent } else { End::Done });
            if end == End::Done {
                let found: Vec<u32> = scratch.found.iter().map(|found| found.node()).collect();
                assert!(found.iter().all(|id| filter.get(*id as usize)));
                mean += recall(&found, &world.nearest(query, keep, KeyRange::ALL, 10)) / 30.0;
            }
        }
        assert!(mean > 0.95, "{percent} %: {mean}");
    }
}

#[test]
fn ranges_are_kept_to() {
    let world = &*LARGE;
    let (cancel, mut scratch) = (Cancel::new(), Scratch::new());
    let filter = Bitmap::from_fn(world.len, |row| row % 3 != 1);
    let mut mean = 0.0;
    for query in 0..20 {
        let all = world.nearest(query, Keep::ALL, KeyRange::ALL, 1000);
        let key = |rank: usize| {
            let mut keys = [0.0];
            world.with(query, |tier| tier.keys(&all[rank..=rank], &mut keys));
            keys[0]
        };
        for (from, to) in [(0, 5), (0, 100), (30, 60), (200, 900)] {
            for keep in [Keep::ALL, Keep::new(filter.view(), 0)] {
                let lower = if from == 0 { f32::NEG_INFINITY } else { key(from) };
                let range = KeyRange { lower, upper: key(to) };
                let ask = Ask { range, width: 30, ..ask(world, keep, &cancel) };
                let (end, found, _) = world.find(query, &ask, &mut scratch);
                assert_eq!(end, End::Done);
                assert!(scratch.found.iter().all(|found| range.contains(found.key())));
                mean += recall(&found, &world.nearest(query, keep, range, 10)) / 160.0;
            }
        }
        let range = KeyRange { lower: key(900), upper: key(300) };
        let (_, found, _) = world.find(query, &Ask { range, ..ask(world, Keep::ALL, &cancel) }, &mut scratch);
        assert!(found.is_empty());
    }
    assert!(mean > 0.97, "{mean}");
}

#[test]
fn rows_without_links_are_found_when_they_are_needed() {
    let mut world = World::new(3000);
    // A graph that leads nowhere.
    let base = vec![crate::graph::links::EMPTY; world.graph.base.as_slice().len()];
    world.graph.base = crate::array::Array::Owned(base);
    world.graph.upper.clear();
    let (cancel, mut scratch) = (Cancel::new(), Scratch::new());
    let filter = Bitmap::from_fn(world.len, |row| row % 5 != 1);
    for keep in [Keep::ALL, Keep::new(filter.view(), 0)] {
        let ask = ask(&world, keep, &cancel);
        let (end, found, _) = world.find(3, &ask, &mut scratch);
        assert_eq!((end, found), (End::Done, world.nearest(3, keep, KeyRange::ALL, 20)));
    }
}

#[test]
fn a_cancelled_search_says_so() {
    let world = &*LARGE;
    let (cancel, mut scratch) = (Cancel::new(), Scratch::new());
    cancel.cancel();
    for percent in [10, 25] {
        let filter = by_chance(world.len, percent);
        let ask = Ask { width: 2, count: 2, ..ask(world, Keep::new(filter.view(), 0), &cancel) };
        assert_eq!(world.find(0, &ask, &mut scratch).0, End::Cancelled, "{percent} %");
    }
}

#[test]
fn seeds_come_from_everywhere() {
    let (mut words, mut seeds) = (Vec::new(), Vec::new());
    let filter = Bitmap::from_fn(100_000, |row| row % 10 == 3);
    seeds::spread(Keep::new(filter.view(), 0), filter.len(), 64, &mut words, &mut seeds);
    assert!(seeds.len() >= 60 && seeds.iter().all(|seed| filter.get(*seed as usize)));
    assert!(seeds.windows(2).all(|pair| pair[0] < pair[1] && pair[1] - pair[0] < 4000));
    for len in [0, 1, 63, 65] {
        seeds::spread(Keep::ALL, len, 64, &mut words, &mut seeds);
        assert_eq!(seeds.len(), len.min(seeds.len().max(usize::from(len > 0))), "{len} rows");
    }
}

#[test]
fn a_walk_that_may_stop_works_less_and_one_without_a_node_never_meets_it() {
    use crate::graph::stop::Stop;
    let (world, mut scratch) = (&*LARGE, Scratch::new());
    let mut run = |query: u32, stop: Stop| {
        scratch.found.clear();
        let mut stats = Stats::default();
        world.with(query, |tier| {
            let walk = Walk { tier };
            let start = (world.graph.entry + 1) % world.len as u32;
            walk.stopping(world.graph.ground(), (start, 200), stop, &mut scratch, &mut stats);
        });
        (scratch.found.iter().map(|found| found.node()).collect::<Vec<_>>(), stats.hops)
    };
    let (mut mean, mut hops) = (0.0, [0, 0]);
    for query in (100..140).filter(|query| *query != world.graph.entry + 1) {
        let (all, whole) = run(query, Stop { without: Some(query), ..Stop::NEVER });
        assert!(!all.contains(&query) && all.len() == 200);
        let (some, part) = run(query, Stop { count: 10, factor: 1.5, without: Some(query), ..Stop::NEVER });
        assert!(!some.contains(&query));
        mean += recall(&some[..10], &all[..10]) / 40.0;
        hops = [hops[0] + whole, hops[1] + part];
    }
    assert!(mean > 0.9 && hops[1] * 4 < hops[0] * 3, "{mean}, {hops:?}");
}
