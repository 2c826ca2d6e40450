//! MAX_SIM against the plain double loop over the kernel's pairs, which have tests of their own.
use super::MaxSim;
use crate::{Binary, Kernel, Metric, Rows, rng::Rng};

/// The definition, in `f64` over the keys of pairs.
fn reference<E: crate::Element>(kernel: &Kernel<E>, queries: Rows<'_, E>, list: Rows<'_, E>) -> f32 {
    let nearest = |query: &[E]| list.iter().map(|row| kernel.pair(query, row)).fold(f32::INFINITY, f32::min);
    queries.iter().map(|query| f64::from(nearest(query))).sum::<f64>() as f32
}

/// Offsets of lists of these lengths, after a few rows that are in no list.
fn offsets(lengths: &[u32]) -> Vec<u32> {
    let mut offsets = vec![2];
    offsets.extend(lengths.iter().scan(2, |end, len| {
        *end += len;
        Some(*end)
    }));
    offsets
}

const LENGTHS: [u32; 16] = [3, 0, 1, 64, 65, 0, 0, 20, 20, 24, 1, 130, 63, 2, 0, 5];

fn check<E: crate::Element>(metric: Metric, dim: usize, mut random: impl FnMut() -> E) {
    let offsets = offsets(&LENGTHS);
    let rows = *offsets.last().unwrap() as usize + 1;
    let data: Vec<E> = (0..rows * dim).map(|_| random()).collect();
    let base = Rows::new(&data, dim).unwrap();
    for count in [0, 1, 5, 32, 33, 70] {
        let query: Vec<E> = (0..count * dim).map(|_| random()).collect();
        let queries = Rows::new(&query, dim).unwrap();
        for run in MaxSim::<E>::all(metric) {
            let list = |i: usize| base.slice(offsets[i] as usize..offsets[i + 1] as usize);
            let want: Vec<f32> = (0..LENGTHS.len()).map(|i| reference(run.kernel(), queries, list(i))).collect();
            let mut keys = vec![f32::NAN; LENGTHS.len()];
            run.rows(queries, base, &offsets, &mut keys);
            assert_eq!(keys, want, "{} {metric} of {count}", run.kernel().isa());
            for (i, want) in want.iter().enumerate() {
                assert_eq!(run.pair(queries, list(i)), *want, "{} {metric} list {i}", run.kernel().isa());
            }
            let ids = [15, 4, 4, 0, 1, 11];
            let mut keys = [f32::NAN; 6];
            run.gather(queries, base, &offsets, &ids, &mut keys);
            assert_eq!(keys, ids.map(|id| want[id as usize]), "{} {metric} by id", run.kernel().isa());
        }
    }
}

#[test]
fn sums_of_the_nearest_are_the_definition() {
    let mut rng = Rng::new(31);
    for metric in [Metric::L2, Metric::Ip, Metric::Cosine] {
        check::<f32>(metric, 9, || rng.normal());
    }
    for metric in [Metric::Hamming, Metric::Jaccard, Metric::Tanimoto] {
        check::<Binary>(metric, 6, || Binary(rng.next_u64() as u8));
    }
}

#[test]
fn a_known_case_has_the_known_score() {
    let queries = [1.0, 0.0, 0.0, 2.0];
    let list = [3.0, 1.0, -1.0, 4.0, 0.0, 0.0];
    let (queries, list) = (Rows::new(&queries, 2).unwrap(), Rows::new(&list, 2).unwrap());
    let ip = MaxSim::<f32>::new(Metric::Ip).unwrap();
    assert_eq!(Metric::Ip.score(ip.pair(queries, list)), 3.0 + 8.0);
    let l2 = MaxSim::<f32>::new(Metric::L2).unwrap();
    assert_eq!(l2.pair(queries, list), 1.0 + 4.0);
}

#[test]
fn empty_lists_are_far_and_empty_queries_near() {
    let (some, none) = ([1.0, 2.0], []);
    let (some, none) = (Rows::new(&some, 2).unwrap(), Rows::new(&none, 2).unwrap());
    for metric in [Metric::L2, Metric::Ip] {
        let run = MaxSim::<f32>::new(metric).unwrap();
        assert_eq!((run.pair(some, none), run.pair(none, some), run.pair(none, none)), (f32::INFINITY, 0.0, 0.0));
        let mut keys = [f32::NAN; 3];
        run.rows(some, some, &[0, 0, 1, 1], &mut keys);
        assert_eq!(keys, [f32::INFINITY, run.pair(some, some), f32::INFINITY]);
        run.rows(none, some, &[0, 0, 1, 1], &mut keys);
        assert_eq!(keys, [0.0; 3]);
        run.rows(some, some, &[1], &mut []);
    }
}

#[test]
fn nan_is_never_the_nearest() {
    let list = [f32::NAN, 0.0, 1.0, 1.0];
    let query = [1.0, 1.0];
    let (list, query) = (Rows::new(&list, 2).unwrap(), Rows::new(&query, 2).unwrap());
    for run in MaxSim::<f32>::all(Metric::Ip) {
        assert_eq!(run.pair(query, list), -2.0);
        assert_eq!(run.pair(query, list.slice(0..1)), f32::INFINITY);
    }
}

#[test]
fn infinitely_far_from_one_vector_is_infinitely_far() {
    let (plus, minus) = (f32::INFINITY, f32::NEG_INFINITY);
    // By IP with the row 1: keys of plus infinity, minus infinity and -1.
    let (far, near, some) = (minus, plus, 1.0);
    let row = [1.0, 1.0];
    let row = Rows::new(&row, 1).unwrap();
    let offsets = [0, 1, 2];
    for (queries, want) in [
        (vec![far, near], plus),
        (vec![near, far], plus),
        (vec![near, near, some], minus),
        (vec![near, some, far, near], plus),
        // In different blocks of query vectors.
        ([vec![near; 40], vec![far], vec![near; 40]].concat(), plus),
        (vec![-f32::MAX; 3], plus),
        (vec![f32::MAX; 3], minus),
    ] {
        let queries = Rows::new(&queries, 1).unwrap();
        for run in MaxSim::<f32>::all(Metric::Ip) {
            let mut keys = [f32::NAN; 2];
            run.rows(queries, row, &offsets, &mut keys);
            assert_eq!(keys, [want; 2], "{}", run.kernel().isa());
            run.gather(queries, row, &offsets, &[1, 0], &mut keys);
            assert_eq!(keys, [want; 2], "{}", run.kernel().isa());
            assert_eq!(run.pair(queries, row.slice(0..1)), want, "{}", run.kernel().isa());
        }
    }
}

#[test]
fn a_long_sum_is_rounded_once() {
    // 1000 times 0.1 in `f32` sums drifts; the sum in `f64` does not.
    let queries = vec![0.1f32; 1000];
    let run = MaxSim::<f32>::new(Metric::Ip).unwrap();
    let key = run.pair(Rows::new(&queries, 1).unwrap(), Rows::new(&[1.0], 1).unwrap());
    assert_eq!(key, (-1000.0 * f64::from(0.1f32)) as f32);
}

#[test]
#[should_panic(expected = "offsets of lists descend")]
fn descending_offsets_are_refused() {
    let rows = [0.0; 4];
    let rows = Rows::new(&rows, 1).unwrap();
    MaxSim::<f32>::new(Metric::Ip).unwrap().rows(rows, rows, &[0, 2, 1], &mut [0.0; 2]);
}

#[test]
#[should_panic(expected = "rows 0..5 of 4")]
fn offsets_past_the_rows_are_refused() {
    let rows = [0.0; 4];
    let rows = Rows::new(&rows, 1).unwrap();
    MaxSim::<f32>::new(Metric::Ip).unwrap().rows(rows, rows, &[0, 5], &mut [0.0; 1]);
}

#[test]
#[should_panic(expected = "list 2 of 2")]
fn unknown_lists_are_refused() {
    let rows = [0.0; 4];
    let rows = Rows::new(&rows, 1).unwrap();
    MaxSim::<f32>::new(Metric::Ip).unwrap().gather(rows, rows, &[0, 2, 4], &[1, 2], &mut [0.0; 2]);
}
