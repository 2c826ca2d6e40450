//! When an answer is as good as the oracle's.
use elanus_kernels::backend::tolerance;
use elanus_kernels::{Bitmap, ElementType, Metric};

/// Squared lengths.
pub(super) struct Squares {
    pub(super) queries: Vec<f32>,
    pub(super) rows: Vec<f32>,
}

impl Squares {
    /// By how much keys of each query may differ.
    pub(super) fn tolerances(&self, element: ElementType, metric: Metric, dim: usize) -> Vec<f32> {
        let longest = self.rows.iter().copied().fold(0.0, f32::max);
        self.queries.iter().map(|square| tolerance(element, metric, dim, *square, longest)).collect()
    }
}

fn near(got: f32, want: f32, loose: f32) -> bool {
    got == want || (got - want).abs() <= loose || (got.is_nan() && want.is_nan())
}

/// Compares keys of a matrix with one line for each query.
pub(super) fn keys(about: &str, got: &[f32], want: &[f32], loose: &[f32]) {
    let rows = want.len() / loose.len().max(1);
    for (i, (got, want)) in got.iter().zip(want).enumerate() {
        let (query, row) = (i / rows.max(1), i % rows.max(1));
        assert!(near(*got, *want, loose[query]), "{about}: query {query}, row {row}: key {got}, the CPU's {want}");
    }
}

/// Compares lists of neighbors: as many, each admitted once, each with its own key, each place as good as the oracle's.
/// Where keys are exact, ids are the same too.
pub(super) fn lists(
    about: &str,
    got: &[Vec<(u32, f32)>],
    want: &[Vec<(u32, f32)>],
    all: &[f32],
    rows: usize,
    keep: Option<&Bitmap>,
    loose: &[f32],
) {
    for (query, ((got, want), loose)) in got.iter().zip(want).zip(loose).enumerate() {
        let about = format!("{about}: query {query}");
        assert_eq!(got.len(), want.len(), "{about}: neighbors");
        if *loose == 0.0 {
            assert_eq!(got, want, "{about}");
        }
        let mut ids: Vec<u32> = got.iter().map(|(id, _)| *id).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), got.len(), "{about}: a row twice");
        for (place, ((id, key), (_, best))) in got.iter().zip(want).enumerate() {
            assert!(keep.is_none_or(|keep| keep.get(*id as usize)), "{about}: row {id} is filtered out");
            let own = all[query * rows + *id as usize];
            assert!(near(*key, own, *loose), "{about}: row {id} has key {key}, the CPU's {own}");
            assert!(near(*key, *best, *loose), "{about}: place {place} has key {key}, the CPU's {best}");
        }
    }
}

/// Compares the nearest row of each query.
pub(super) fn nearest(about: &str, places: &[u32], keys: &[f32], all: &[f32], rows: usize, loose: &[f32]) {
    for (query, ((place, key), loose)) in places.iter().zip(keys).zip(loose).enumerate() {
        let own = &all[query * rows..][..rows];
        let (best, least) = own
            .iter()
            .enumerate()
            .fold((0, f32::INFINITY), |best, (row, key)| if *key < best.1 { (row, *key) } else { best });
        assert!((*place as usize) < rows, "{about}: query {query} is assigned to row {place} of {rows}");
        assert!(near(*key, own[*place as usize], *loose), "{about}: query {query}: key {key} of row {place}");
        assert!(near(*key, least, *loose), "{about}: query {query}: key {key}, the least is {least}");
        assert!(*loose > 0.0 || *place as usize == best, "{about}: query {query}: row {place}, the first is {best}");
    }
}
