//! Merged segments against the models of their sources.

use super::*;
use crate::sample::{self, Model};
use crate::{DataType, Growing, Sealed};
use elanus_index::Blob;
use elanus_kernels::rng::Rng;

struct Case {
    schema: Arc<Schema>,
    segments: Vec<Growing>,
    models: Vec<Model>,
}

impl Case {
    /// Batches in turn to any of the segments, deletes to all of them.
    fn random(seed: u64, key: DataType, count: usize) -> Self {
        let schema = sample::schema(key);
        let segments: Vec<_> = (0..count).map(|_| Growing::new(Arc::clone(&schema))).collect();
        let mut case = Self { schema, segments, models: vec![Model::default(); count] };
        let mut rng = Rng::new(seed);
        for ts in 1..60 {
            let to = rng.below(count as u64) as usize;
            let keys: Vec<i64> = (0..rng.below(6)).map(|_| rng.below(80) as i64).collect();
            let batch = sample::batch(&case.schema, &keys, &mut rng);
            case.models[to].append(&keys, &batch, &case.schema, ts);
            case.segments[to].append(batch, ts);
            case.delete(&[rng.below(80) as i64, rng.below(80) as i64], ts);
        }
        case
    }

    fn delete(&mut self, keys: &[i64], ts: u64) {
        for (segment, model) in self.segments.iter().zip(&mut self.models) {
            assert_eq!(segment.delete(&sample::keys(&self.schema, keys), ts), model.delete(keys, ts));
        }
    }

    fn views(&self) -> Vec<View> {
        self.segments.iter().map(Growing::view).collect()
    }

    /// What the merged file should be: a stable sort by time of the rows that are kept.
    fn merged_model(&self, kept_after: u64) -> Model {
        let mut rows: Vec<_> = self.models.iter().flat_map(|model| model.rows.iter().cloned()).collect();
        rows.sort_by_key(|row| row.ts);
        rows.retain(|row| row.deleted.is_none_or(|at| at > kept_after));
        Model { rows }
    }
}

#[test]
fn keeps_what_can_be_seen_from_the_horizon_on() {
    for seed in 0..10 {
        for (key, count) in [(DataType::Int64, 3), (DataType::VarChar, 2), (DataType::Int64, 1)] {
            for horizon in [0, 30, 59, 100] {
                let mut case = Case::random(seed, key, count);
                let views = case.views();
                let mut out = Vec::new();
                let merged = write(&views, &case.schema, horizon, &mut out).unwrap();
                let model = case.merged_model(horizon);
                assert_eq!((merged.stats.rows, merged.stats.size_bytes), (model.rows.len(), out.len() as u64));
                let sealed = Sealed::open(Blob::from_vec(out)).unwrap();
                sealed.set_tombstones(Arc::new(merged.tombstones.clone())).unwrap();
                for ts in [horizon, horizon + 1, 59, u64::MAX] {
                    model.check(&sealed.view(), &case.schema, ts);
                }
                model.check_values(&sealed.view(), &case.schema);
                rows_went_where_it_says(&case, &merged, &sealed);

                // What is deleted while the file is written is deleted in it too.
                let dropped = model.rows.len();
                case.delete(&[3, 4, 5, 6, 7], 101);
                sealed.set_tombstones(Arc::new(merged.carry(&case.views()))).unwrap();
                let model = case.merged_model(horizon);
                assert_eq!(model.rows.len(), dropped);
                model.check(&sealed.view(), &case.schema, 101);
                model.check(&sealed.view(), &case.schema, horizon);
            }
        }
    }
}

fn rows_went_where_it_says(case: &Case, merged: &Merged, sealed: &Sealed) {
    let mut kept = 0;
    for (number, view) in case.views().iter().enumerate() {
        for row in 0..view.rows() as u32 {
            if let Some(new) = merged.row(number, row) {
                kept += 1;
                let old_row = sample::row_of(view, &case.schema, row);
                assert_eq!(old_row, sample::row_of(&sealed.view(), &case.schema, new));
            }
        }
        assert_eq!(merged.row(number, view.rows() as u32), None);
    }
    assert_eq!(kept, sealed.rows());
    assert_eq!(merged.row(case.segments.len(), 0), None);
}

#[test]
fn merges_what_was_merged() {
    let case = Case::random(77, DataType::Int64, 2);
    let mut first = Vec::new();
    let merged = write(&case.views()[..1], &case.schema, 20, &mut first).unwrap();
    let sealed = Sealed::open(Blob::from_vec(first)).unwrap();
    sealed.set_tombstones(Arc::new(merged.tombstones)).unwrap();
    let mut out = Vec::new();
    let merged = write(&[sealed.view(), case.views()[1].clone()], &case.schema, 40, &mut out).unwrap();
    let sealed = Sealed::open(Blob::from_vec(out)).unwrap();
    sealed.set_tombstones(Arc::new(merged.tombstones)).unwrap();
    case.merged_model(40).check(&sealed.view(), &case.schema, 40);
    case.merged_model(40).check_values(&sealed.view(), &case.schema);
}

#[test]
fn nothing_left_is_an_empty_segment() {
    let mut case = Case::random(5, DataType::Int64, 2);
    case.delete(&(0..80).collect::<Vec<_>>(), 200);
    let mut out = Vec::new();
    let merged = write(&case.views(), &case.schema, 200, &mut out).unwrap();
    assert_eq!((merged.stats.rows, merged.stats.first_timestamp, merged.tombstones.len()), (0, None, 0));
    assert_eq!(Sealed::open(Blob::from_vec(out)).unwrap().rows(), 0);
    let mut out = Vec::new();
    assert_eq!(write(&[], &case.schema, 0, &mut out).unwrap().stats.rows, 0);
    Sealed::open(Blob::from_vec(out)).unwrap();
}
