//! Sparse products on every instruction set against a map from index to value.
use std::collections::BTreeMap;

use super::{SparseError, SparseIp, SparseQuery, SparseRows, SparseVector};
use crate::{ISAS, KernelError, rng::Rng};

type Owned = (Vec<u32>, Vec<f32>);

fn view(v: &Owned) -> SparseVector<'_> {
    SparseVector::new(&v.0, &v.1).unwrap()
}

/// A vector of about `len` components below `space`, which may be more than 32 bits' worth to reach the largest index.
fn vector(rng: &mut Rng, len: usize, space: u64) -> Owned {
    let mut map = BTreeMap::new();
    for _ in 0..len {
        map.insert(rng.below(space).min(u64::from(u32::MAX)) as u32, rng.normal());
    }
    map.into_iter().unzip()
}

/// The key by the definition: products in ascending order of the index, in `f64`.
fn reference(a: &Owned, b: &Owned) -> f32 {
    let other: BTreeMap<u32, f32> = b.0.iter().copied().zip(b.1.iter().copied()).collect();
    let mut sum = 0.0;
    for (index, value) in a.0.iter().zip(&a.1) {
        if let Some(other) = other.get(index) {
            sum += f64::from(*value) * f64::from(*other);
        }
    }
    0.0 - sum as f32
}

fn say_skipped() {
    for isa in SparseIp::sets().chain(SparseQuery::sets()).filter(|isa| !isa.is_available()) {
        println!("SKIPPED: sparse on {} (needs {})", isa.name(), isa.summary());
    }
    assert_eq!(SparseIp::all().last().unwrap().isa(), "scalar");
}

#[track_caller]
fn agrees(a: &Owned, b: &Owned) {
    let want = reference(a, b).to_bits();
    for run in SparseIp::all() {
        assert_eq!(run.pair(view(a), view(b)).to_bits(), want, "{} {a:?} {b:?}", run.isa());
        assert_eq!(run.pair(view(b), view(a)).to_bits(), want, "{} {b:?} {a:?}", run.isa());
    }
    let offsets = [0, b.0.len() as u32, b.0.len() as u32];
    let rows = SparseRows::new(&offsets, &b.0, &b.1).unwrap();
    for query in SparseQuery::all(view(a)) {
        let mut keys = [f32::NAN; 2];
        query.rows(rows, &mut keys);
        assert_eq!(keys.map(f32::to_bits), [want, 0], "{} query {a:?} {b:?}", query.isa());
    }
}

#[test]
fn products_are_the_definition_at_every_length() {
    say_skipped();
    let mut rng = Rng::new(41);
    for len in 0..=40 {
        for other in [0, 1, 2, 7, 8, 9, 15, 16, 17, 31, 33, 40, 255, 256, 257, 300] {
            let space = [50, 400, 30_522, 1 << 32][rng.below(4) as usize];
            agrees(&vector(&mut rng, len, space), &vector(&mut rng, other, space));
        }
    }
}

#[test]
fn long_and_unlike_vectors_agree() {
    let mut rng = Rng::new(42);
    for (len, other, space) in
        [(1, 5000, 6000), (10, 1000, 30_000), (700, 900, 2000), (2000, 2000, 4000), (300, 3000, 1 << 32)]
    {
        agrees(&vector(&mut rng, len, space), &vector(&mut rng, other, space));
    }
    let all = vector(&mut rng, 20_000, 3000);
    assert!(all.0.len() > 2900, "nearly every index: {}", all.0.len());
    agrees(&all, &all);
}

#[test]
fn the_ends_of_the_index_space_are_indices_like_others() {
    let max = u32::MAX;
    let edge: Owned = (vec![0, 1, max - 1, max], vec![2.0, 3.0, 5.0, 7.0]);
    agrees(&edge, &edge);
    agrees(&edge, &(vec![max], vec![1.0]));
    agrees(&(vec![0], vec![1.0]), &edge);
    agrees(&(vec![max], vec![0.0]), &edge);
    // An index that is not in the query but passes its filters, whichever slot it begins at.
    let mut rng = Rng::new(43);
    for _ in 0..200 {
        let near = (0..8).map(|i| max - 8 * 32_768 + i * 32_768).collect();
        agrees(&(vec![5, max], vec![rng.normal(), 3.0]), &(near, vec![1.0; 8]));
    }
    let alike: Owned = ((0..500).map(|i| i << 15).collect(), vec![1.5; 500]);
    agrees(&alike, &(vec![1 << 15, 499 << 15, 500 << 15, 501 << 15], vec![1.0; 4]));
}

/// The factor that undoes the multiplication of the hash, modulo 2^32 (Newton's iteration).
fn unhash() -> u32 {
    let factor = 0x9e37_79b1u32;
    (0..5).fold(factor, |inverse, _| inverse.wrapping_mul(2u32.wrapping_sub(factor.wrapping_mul(inverse))))
}

#[test]
fn indices_chosen_against_the_hash_are_found_in_bounded_time() {
    let mut rng = Rng::new(45);
    // With probing without bound the first pair takes minutes: all of the indices hash to the same few slots, or to
    // slots without a gap, which a row's absent indices then walk through.
    for (len, gap) in [(300_000, 1), (300_000, 1 << 11), (40, 1), (600, 1 << 20)] {
        let crafted = |values: std::ops::Range<u32>, rng: &mut Rng| -> Owned {
            let indices = values.map(|i| i.wrapping_mul(gap).wrapping_mul(unhash()));
            indices.map(|index| (index, rng.normal())).collect::<BTreeMap<_, _>>().into_iter().unzip()
        };
        let query = crafted(0..len, &mut rng);
        let row = crafted(len / 2..len + len / 2, &mut rng);
        assert!(query.0.len() == len as usize && (query.0).contains(&0));
        agrees(&query, &row);
        agrees(&row, &query);
    }
    // The largest index among crowded ones.
    let mut indices: Vec<u32> = (0..40u32).map(|i| u32::MAX.wrapping_sub(i.wrapping_mul(unhash()))).collect();
    indices.sort_unstable();
    let values: Vec<f32> = (0..40).map(|_| rng.normal()).collect();
    agrees(&(indices.clone(), values.clone()), &(indices.clone(), values.clone()));
    agrees(&(indices, values), &(vec![u32::MAX], vec![2.0]));
}

#[test]
fn negative_zero_tiny_and_huge_values_are_exact() {
    let values = vec![-0.0, f32::MIN_POSITIVE, -f32::MAX, f32::MAX, f32::from_bits(1), -1.0];
    let a: Owned = ((0..6).collect(), values.clone());
    agrees(&a, &a);
    agrees(&a, &((0..6).collect(), values.iter().map(|v| -v).collect()));
    let huge: Owned = (vec![3, 9], vec![f32::MAX, f32::MAX]);
    let run = SparseIp::new().unwrap();
    assert_eq!(run.pair(view(&huge), view(&huge)), f32::NEG_INFINITY, "a sum past the range is infinite");
    let (plus, minus): (Owned, Owned) = ((vec![1], vec![1.0]), (vec![1], vec![-0.0]));
    assert_eq!(run.pair(view(&plus), view(&minus)).to_bits(), 0, "zero has no sign");
    // Cancellation that `f32` sums would lose.
    let ones: Owned = ((0..3).collect(), vec![1.0; 3]);
    let far: Owned = ((0..3).collect(), vec![1e30, 1.0, -1e30]);
    agrees(&ones, &far);
}

#[test]
fn many_rows_agree_with_pairs_in_any_order() {
    let mut rng = Rng::new(44);
    let query = vector(&mut rng, 120, 2000);
    let (mut offsets, mut indices, mut values) = (vec![0], vec![], vec![]);
    let mut want = Vec::new();
    // Rows long enough that the candidates of one are looked up in several goes, and empty ones.
    for i in 0..400 {
        let row = vector(&mut rng, [0, 3, 100, 200, 3000][i % 5], 2000);
        want.push(reference(&query, &row));
        indices.extend(&row.0);
        values.extend(&row.1);
        offsets.push(indices.len() as u32);
    }
    let rows = SparseRows::new(&offsets, &indices, &values).unwrap();
    assert_eq!((rows.len(), rows.is_empty(), rows.row(0).is_empty()), (400, false, true));
    let ids: Vec<u32> = (0..900).map(|_| rng.below(400) as u32).collect();
    for run in SparseQuery::all(view(&query)) {
        let mut keys = vec![f32::NAN; 400];
        run.rows(rows, &mut keys);
        assert_eq!(keys, want, "{}", run.isa());
        let mut keys = vec![f32::NAN; ids.len()];
        run.gather(rows, &ids, &mut keys);
        let named: Vec<f32> = ids.iter().map(|id| want[*id as usize]).collect();
        assert_eq!(keys, named, "{} by id", run.isa());
        run.gather(rows, &[], &mut []);
    }
}

#[test]
fn faults_are_named_by_place() {
    let new = |indices: &[u32], values: &[f32]| SparseVector::new(indices, values).map(|v| v.len()).unwrap_err();
    assert_eq!(new(&[1, 2], &[1.0]), SparseError::Lengths { indices: 2, values: 1 });
    assert_eq!(new(&[1, 3, 3], &[1.0; 3]), SparseError::Order { position: 2 });
    assert_eq!(new(&[4, 3], &[1.0; 2]), SparseError::Order { position: 1 });
    assert_eq!(new(&[1, 2], &[1.0, f32::NAN]), SparseError::NotFinite { position: 1 });
    assert_eq!(new(&[1], &[f32::INFINITY]), SparseError::NotFinite { position: 0 });
    let rows = |offsets: &[u32]| SparseRows::new(offsets, &[1, 2, 2, 5], &[1.0; 4]).map(|rows| rows.len());
    assert_eq!(rows(&[0, 2, 4]), Ok(2));
    assert_eq!(rows(&[0, 3, 4]), Err(SparseError::Order { position: 2 }));
    assert_eq!(rows(&[0, 2]), Err(SparseError::Offset { position: 1 }));
    assert_eq!(rows(&[1, 2, 4]), Err(SparseError::Offset { position: 0 }));
    assert_eq!(rows(&[0, 5, 4]), Err(SparseError::Offset { position: 2 }));
    assert_eq!(rows(&[]), Err(SparseError::Offset { position: 0 }));
    assert!(SparseRows::new(&[0], &[], &[]).unwrap().is_empty());
    let text = SparseError::Order { position: 2 }.to_string();
    assert_eq!(text, "index at 2 is not above the one before it");
}

#[test]
fn sets_are_found_or_refused() {
    let empty = SparseVector::new(&[], &[]).unwrap();
    for isa in ISAS {
        let refused = |result: Result<&'static str, KernelError>| result.is_err() != isa.is_available();
        assert!(refused(SparseIp::on(isa).map(|run| run.isa())), "{}", isa.name());
        assert!(refused(SparseQuery::on(isa, empty).map(|run| run.isa())), "{}", isa.name());
    }
    assert!(SparseQuery::new(empty).is_ok());
}

#[test]
#[should_panic(expected = "row 2 of 2")]
fn unknown_rows_are_refused() {
    let rows = SparseRows::new(&[0, 1, 1], &[4], &[1.0]).unwrap();
    let query = SparseQuery::new(rows.row(0)).unwrap();
    query.gather(rows, &[0, 2], &mut [0.0; 2]);
}
