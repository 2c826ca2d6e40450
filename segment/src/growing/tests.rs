//! Growing segments against the model, the number of chunks, and readers beside a writer.

use super::*;
use crate::column::ColumnData;
use crate::sample::{self, Model};
use crate::schema::Field;
use elanus_kernels::rng::Rng;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Random appends, deletes and reads.
fn run(seed: u64, key: DataType) {
    let schema = sample::schema(key);
    let growing = Growing::new(Arc::clone(&schema));
    let (mut rng, mut model, mut ts) = (Rng::new(seed), Model::default(), 10);
    let mut pinned = Vec::new();
    for _ in 0..40 {
        ts += rng.below(3);
        let count = [1, 1, 1, 2, 7, 60][rng.below(6) as usize];
        let keys: Vec<i64> = (0..count).map(|_| rng.below(50) as i64).collect();
        match rng.below(10) {
            0..5 => {
                let batch = sample::batch(&schema, &keys, &mut rng);
                model.append(&keys, &batch, &schema, ts);
                let rows = growing.append(batch, ts);
                assert_eq!((rows.len(), rows.end as usize), (keys.len(), model.rows.len()));
            }
            5..8 => assert_eq!(growing.delete(&sample::keys(&schema, &keys), ts), model.delete(&keys, ts)),
            // An upsert: what is deleted at a time does not hit what is inserted at it, in whichever order they come.
            8 => {
                let batch = sample::batch(&schema, &keys[..1], &mut rng);
                let old = sample::keys(&schema, &keys[..1]);
                if rng.below(2) == 0 {
                    assert_eq!(growing.delete(&old, ts), model.delete(&keys[..1], ts));
                    model.append(&keys[..1], &batch, &schema, ts);
                    growing.append(batch, ts);
                } else {
                    model.append(&keys[..1], &batch, &schema, ts);
                    growing.append(batch, ts);
                    assert_eq!(growing.delete(&old, ts), model.delete(&keys[..1], ts));
                }
            }
            _ => pinned.push((growing.view(), model.clone(), ts)),
        }
        for at in [0, ts.saturating_sub(rng.below(20)), ts, u64::MAX] {
            model.check(&growing.view(), &schema, at);
        }
    }
    model.check_values(&growing.view(), &schema);
    assert_eq!(growing.len(), model.rows.len());
    assert_eq!(growing.first_timestamp(), model.rows.first().map(|row| row.ts));
    assert_eq!(growing.last_timestamp(), model.rows.last().map(|row| row.ts));
    for (view, model, then) in pinned {
        model.check_values(&view, &schema);
        for at in [0, then, u64::MAX] {
            model.check(&view, &schema, at);
        }
    }
}

#[test]
fn agrees_with_the_model() {
    for seed in 0..20 {
        run(seed, DataType::Int64);
        run(seed, DataType::VarChar);
    }
}

fn narrow() -> Arc<Schema> {
    let fields = vec![Field::new("id", DataType::Int64).primary(), Field::new("v", DataType::FloatVector).dim(2)];
    Arc::new(Schema::new("", fields, false).unwrap())
}

/// Rows whose vectors can be told from their keys.
fn rows(schema: &Schema, keys: Range<i64>) -> Batch {
    let data = keys.clone().flat_map(|key| [key as f32, 1.0]).collect();
    let columns =
        vec![Column::full(ColumnData::Int64(keys.collect())), Column::full(ColumnData::FloatVector { dim: 2, data })];
    Batch::new(schema, columns).unwrap()
}

#[test]
fn few_chunks_whatever_the_batches() {
    let schema = narrow();
    let of = |sizes: &mut dyn Iterator<Item = i64>| {
        let growing = Growing::new(Arc::clone(&schema));
        let mut next = 0;
        for size in sizes {
            growing.append(rows(&schema, next..next + size), 1);
            next += size;
        }
        (growing.view().blocks().len(), growing.len())
    };
    let (blocks, len) = of(&mut (0..30_000).map(|_| 1));
    assert!(len == 30_000 && blocks <= 20, "{blocks} chunks of one-row batches");
    let (blocks, _) = of(&mut (0..30).map(|_| 9000));
    assert_eq!(blocks, 30, "large batches are not copied");
    // The worst order: each large batch ends a run of halves.
    let (blocks, _) = of(&mut (0..10).flat_map(|_| (0..13).rev().map(|power| 1 << power)));
    assert!(blocks <= 10 * 13, "{blocks} chunks of falling batches");
    let mut rng = Rng::new(3);
    let (blocks, len) = of(&mut (0..3000).map(|_| rng.below(100) as i64));
    assert!(blocks <= 2 * len / CHUNK_ROWS_MAX + 14, "{blocks} chunks of {len} rows in random batches");
}

/// Counts the rows that somebody looks at.
#[derive(Debug)]
struct Counting {
    keys: Arc<dyn KeyRows>,
    count: AtomicUsize,
}

impl KeyRows for Counting {
    fn visit(&self, key: KeyRef<'_>, visit: &mut dyn FnMut(u32) -> ControlFlow<()>) {
        self.keys.visit(key, &mut |row| {
            self.count.fetch_add(1, Ordering::Relaxed);
            visit(row)
        });
    }
}

#[test]
fn one_key_over_and_over_is_not_walked_through() {
    let schema = narrow();
    let growing = Growing::new(Arc::clone(&schema));
    let key = Keys::Int(vec![7]);
    for ts in 1..5000 {
        assert_eq!(growing.delete(&key, ts), usize::from(ts > 1));
        growing.append(rows(&schema, 7..8), ts);
    }
    let visited = Arc::new(Counting { keys: Arc::clone(&growing.view().keys), count: AtomicUsize::new(0) });
    let view = View { keys: Arc::clone(&visited) as Arc<dyn KeyRows>, ..growing.view() };
    assert_eq!(view.lookup(KeyRef::Int(7), 5000), [4998]);
    assert_eq!(view.after_delete(&key, 5000).1, 1);
    let count = visited.count.load(Ordering::Relaxed);
    assert!(count <= 4, "{count} rows were looked at");
    assert_eq!(growing.lookup(KeyRef::Int(7), 5000), Some(4998));
    assert_eq!(growing.lookup(KeyRef::Int(7), 100), Some(99));
    assert_eq!(growing.view().count_visible(5000), 1);
}

#[test]
fn refuses_what_it_cannot_keep() {
    let schema = narrow();
    let growing = Growing::new(Arc::clone(&schema));
    growing.append(rows(&schema, 0..1), 5);
    let other = sample::schema(DataType::Int64);
    let batch = sample::batch(&other, &[1], &mut Rng::new(1));
    let panics = |batch: Batch, ts| {
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| growing.append(batch, ts))).is_err()
    };
    assert!(panics(rows(&schema, 1..2), 4), "time may not go back");
    assert!(panics(batch, 6), "a batch of another schema");
    assert_eq!(growing.append(Batch::empty(&schema), 6), 1..1);
    assert_eq!(growing.delete(&Keys::Str(vec!["0".into()]), 9), 0, "keys of another type match nothing");
    assert_eq!(growing.len(), 1);
    assert!(growing.size_bytes() >= 8 + 8 + 8);
}

#[test]
fn readers_beside_a_writer_see_whole_states() {
    let schema = narrow();
    let growing = Growing::new(Arc::clone(&schema));
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let mut last = 0;
                loop {
                    let is_over = done.load(Ordering::Acquire);
                    let view = growing.view();
                    assert!(view.rows() >= last, "a later view has no fewer rows");
                    last = view.rows();
                    check_state(&view);
                    if is_over {
                        break;
                    }
                }
            });
        }
        // At time t: keys of t come, and those of t - 1 go.
        for ts in 1..600_i64 {
            growing.append(rows(&schema, ts * 3..ts * 3 + 3), ts as u64);
            assert_eq!(
                growing.delete(&Keys::Int((ts * 3 - 3..ts * 3).collect()), ts as u64),
                if ts > 1 { 3 } else { 0 }
            );
        }
        done.store(true, Ordering::Release);
    });
    assert_eq!(growing.len(), 599 * 3);
}

fn check_state(view: &View) {
    let mut next = 0_u32;
    for block in view.blocks() {
        assert_eq!(block.start(), next);
        next += block.len() as u32;
        let crate::column::ValuesView::Int64(keys) = block.column(0).values else { panic!("not keys") };
        let Some(elanus_kernels::AnyRows::F32(vectors)) = block.column(1).vectors() else { panic!("not vectors") };
        for (place, (&key, &ts)) in keys.iter().zip(block.timestamps()).enumerate() {
            assert_eq!((vectors.row(place)[0], key / 3), (key as f32, ts as i64));
        }
    }
    assert_eq!(next as usize, view.rows());
    let now = view.rows() as u64 / 3;
    for ts in [now.saturating_sub(1), now] {
        let seen = view.count_visible(ts);
        // The delete that belongs to the newest rows may not have come yet.
        assert!(seen == 3 || (ts == now && seen == 6) || ts == 0, "{seen} rows at {ts} of {now}");
        assert_eq!(view.visible(ts).map_or(view.rows(), |bits| bits.count_ones()), seen);
    }
    if now > 0 {
        let newest = view.rows() as u32 - 1;
        assert_eq!(view.lookup_newest(KeyRef::Int(i64::from(newest) + 3), now), Some(newest));
        assert_eq!(view.lookup_newest(KeyRef::Int(i64::from(newest) + 6), u64::MAX), None, "rows of later views");
    }
}
