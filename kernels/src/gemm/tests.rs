//! Search, assignment and scores against the kernel, pair by pair, over kind and hostile data; and the bounds
//! themselves.
mod hard;
mod scores;

use self::scores::scores_are_near;
use super::*;
use crate::{Bitmap, F16, Neighbor, element::Bf16, rng::Rng};

const METRICS: [Metric; 3] = [Metric::L2, Metric::Ip, Metric::Cosine];

/// Kinds of data, each hard in its own way.
const KINDS: usize = 11;

/// `count` vectors of a kind.
fn data(kind: usize, count: usize, dim: usize, rng: &mut Rng) -> Vec<f32> {
    let mut values: Vec<f32> = (0..count * dim).map(|_| rng.normal()).collect();
    let special = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX, -f32::MAX, 1e-42, 3e18];
    for (i, row) in values.chunks_exact_mut(dim).enumerate() {
        let odd = i % 5 == 3;
        match kind {
            0 => {}
            // Duplicates: ties, broken by the id.
            1 => row.iter_mut().for_each(|v| *v = (*v).signum() * if i % 3 == 0 { 1.0 } else { 2.0 }),
            // All nearly equal.
            2 => row.iter_mut().for_each(|v| *v = 1.0 + *v * 1e-7),
            // Far from the origin.
            3 => row.iter_mut().for_each(|v| *v += 1000.0),
            4 => row.iter_mut().for_each(|v| *v *= if odd { 1e18 } else { 1e12 }),
            5 => row.iter_mut().for_each(|v| *v *= if odd { 1e-30 } else { 1e-21 }),
            6 if odd => row[rng.below(dim as u64) as usize] = special[i / 5 % special.len()],
            7 if odd => row.fill(0.0),
            // One component outweighs the others: bad for bytes.
            8 => row[0] *= 1e4,
            // Norms of all sizes.
            9 => {
                let factor = 10f32.powi((rng.below(24) as i32) - 12);
                row.iter_mut().for_each(|v| *v *= factor);
            }
            // Small whole numbers: bytes are exact, and ties many.
            10 => row.iter_mut().for_each(|v| *v = (*v * 2.0).round()),
            _ => {}
        }
    }
    values
}

fn bits(found: &[Neighbor]) -> Vec<(u32, u32)> {
    found.iter().map(|one| (one.id, one.key.to_bits())).collect()
}

fn plain<E: Number>(
    gemm: &Gemm<E>,
    query: &[E],
    base: Rows<'_, E>,
    first_id: u32,
    keep: Option<BitmapView<'_>>,
    k: usize,
) -> Vec<(u32, u32)> {
    let mut keys = vec![0.0; base.len()];
    gemm.kernel().rows(query, base, &mut keys);
    let mut kept = TopK::new(k);
    kept.push_block(first_id, &keys, keep);
    bits(&kept.into_sorted())
}

#[derive(Clone, Copy)]
struct Case<'a> {
    first_id: u32,
    keep: Option<BitmapView<'a>>,
    k: usize,
    /// The format to begin with.
    format: usize,
}

/// Searches, compares with the kernel, and returns the format that the search ended with.
fn check<E: Number>(gemm: &Gemm<E>, queries: Rows<'_, E>, base: Rows<'_, E>, case: Case<'_>, what: &str) -> usize {
    let packed = gemm.pack(queries);
    let mut out = vec![TopK::new(case.k); queries.len()];
    let mut scratch = Scratch::default();
    let Case { first_id, keep, k, format } = case;
    let format = gemm.sweep(format, &packed, base, first_id, keep, &mut scratch, &mut out);
    for (i, found) in out.into_iter().enumerate() {
        let want = plain(gemm, queries.row(i), base, first_id, keep, k);
        let metric = gemm.kernel().metric();
        let (dim, rows) = (base.dim(), base.len());
        assert_eq!(
            bits(&found.into_sorted()),
            want,
            "{what} {metric} {}: query {i} of {}, {rows} rows, dim {dim}, k {k}",
            gemm.isa(),
            queries.len()
        );
    }
    format
}

const PLAIN: Case<'_> = Case { first_id: 0, keep: None, k: 5, format: 0 };

/// Runs `body` for the code of every instruction set this CPU has, for all three metrics.
fn everywhere<E: Number>(mut body: impl FnMut(&Gemm<E>)) {
    static SAID: std::sync::Once = std::sync::Once::new();
    SAID.call_once(|| {
        for isa in Gemm::<E>::sets().filter(|isa| !isa.is_available()) {
            println!("SKIPPED: gemm on {} (needs {})", isa.name(), isa.summary());
        }
    });
    for metric in METRICS {
        for gemm in Gemm::<E>::all(metric) {
            body(&gemm);
        }
    }
}

#[test]
fn every_kind_of_data_gives_the_neighbors_of_the_kernel() {
    let mut rng = Rng::new(1);
    for kind in 0..KINDS {
        for (dim, count) in [(1, 150), (7, 70), (33, 130)] {
            let base = data(kind, count, dim, &mut rng);
            let mut queries = base[..9 * dim].to_vec();
            queries.extend(data(kind, 21, dim, &mut rng));
            let (base, queries) = (Rows::new(&base, dim).unwrap(), Rows::new(&queries, dim).unwrap());
            everywhere::<f32>(|gemm| {
                for format in 0..FORMATS.len() {
                    check(gemm, queries, base, Case { format, ..PLAIN }, &format!("kind {kind}"));
                }
            });
        }
    }
}

#[test]
fn every_shape_is_searched() {
    let mut rng = Rng::new(2);
    let values = data(0, 1100, 130, &mut rng);
    let at = |start: usize, count: usize, dim: usize| Rows::new(&values[start..start + count * dim], dim).unwrap();
    everywhere::<f32>(|gemm| {
        for dim in (1..=34).chain([63, 64, 65, 96, 127, 129]) {
            check(gemm, at(1, 15, dim), at(3 + dim, 40, dim), PLAIN, "dims");
        }
        for count in [0, 1, 11, 12, 13, 14, 15, 28, 29] {
            check(gemm, at(2, count, 20), at(5, 70, 20), PLAIN, "queries");
        }
        for rows in [0, 1, 15, 16, 17, 31, 32, 33, 63, 64, 65, 1023, 1024, 1025] {
            check(gemm, at(2, 14, 5), at(7, rows, 5), PLAIN, "rows");
        }
        for k in [0, 1, 2, 33, 299, 300, 301, 5000] {
            check(gemm, at(2, 13, 9), at(1, 300, 9), Case { k, ..PLAIN }, "k");
        }
    });
}

#[test]
fn the_dimensions_of_embeddings_are_searched() {
    let mut rng = Rng::new(3);
    for dim in [100, 200, 384, 768, 1024, 1536, 3072] {
        let values = data(0, 60, dim, &mut rng);
        let rows = Rows::new(&values, dim).unwrap();
        everywhere::<f32>(|gemm| {
            check(gemm, rows.slice(40..54), rows.slice(0..50), PLAIN, "embeddings");
        });
    }
}

#[test]
fn rows_that_are_left_out_are_not_found() {
    let mut rng = Rng::new(4);
    let values = data(6, 700, 12, &mut rng);
    let rows = Rows::new(&values, 12).unwrap();
    let last = u32::MAX - 699;
    for share in [0, 1, 50, 99, 100] {
        let mut keep = Bitmap::new(760);
        (0..760).for_each(|i| keep.set(i, rng.below(100) < share));
        let keep = Some(keep.view());
        everywhere::<f32>(|gemm| {
            check(gemm, rows.slice(0..20), rows, Case { keep, first_id: last, ..PLAIN }, "keep");
            check(gemm, rows.slice(0..3), rows, Case { keep, first_id: last, ..PLAIN }, "keep, few queries");
        });
    }
}

#[test]
fn a_format_that_leaves_too_many_pairs_is_given_up() {
    let mut rng = Rng::new(5);
    let (easy, hard) = (data(0, 3000, 24, &mut rng), data(2, 3000, 24, &mut rng));
    let few = Case { k: 1, ..PLAIN };
    everywhere::<f32>(|gemm| {
        let first = gemm.codes.iter().position(Option::is_some).unwrap();
        let easy = Rows::new(&easy, 24).unwrap();
        assert_eq!(check(gemm, easy.slice(0..40), easy, few, "easy"), first);
        if gemm.kernel().metric() == Metric::Cosine {
            // All angles are the same to the last bits.
            let hard = Rows::new(&hard, 24).unwrap();
            assert_eq!(check(gemm, hard.slice(0..40), hard, few, "hard"), FORMATS.len());
        }
    });
}

#[test]
fn parts_on_threads_make_the_whole() {
    let mut rng = Rng::new(6);
    let values = data(1, 900, 16, &mut rng);
    let base = Rows::new(&values, 16).unwrap();
    let gemm = Gemm::<f32>::new(Metric::L2).unwrap();
    let packed = gemm.pack(base.slice(0..30));
    let part = |range: std::ops::Range<usize>| {
        let mut out = vec![TopK::new(7); 30];
        let first = range.start as u32;
        gemm.search(&packed, base.slice(range), first, None, &mut Scratch::default(), &mut out);
        out
    };
    let (mut left, right) = std::thread::scope(|scope| {
        let right = scope.spawn(|| part(500..900));
        (part(0..500), right.join().unwrap())
    });
    for (i, (left, right)) in left.iter_mut().zip(&right).enumerate() {
        left.merge(right);
        assert_eq!(bits(&left.clone().into_sorted()), plain(&gemm, base.row(i), base, 0, None, 7));
    }
}

/// Every element type that has a kernel.
fn elements<E: Number>(scale: f32) {
    let mut rng = Rng::new(7);
    let values: Vec<E> = (0..400 * 50).map(|_| E::from_f32((rng.normal() * scale).abs())).collect();
    let rows = Rows::new(&values, 50).unwrap();
    let mut tried = false;
    everywhere::<E>(|gemm| {
        tried = true;
        for format in 0..FORMATS.len() {
            check(gemm, rows.slice(0..20), rows, Case { format, ..PLAIN }, "elements");
        }
        scores_are_near(gemm, rows.slice(0..17), rows.slice(0..101));
    });
    if !tried {
        println!("SKIPPED: gemm over {}, which has no kernels", E::TYPE);
    }
}

#[test]
fn every_element_type_is_searched() {
    elements::<F16>(1.0);
    elements::<Bf16>(1.0);
    elements::<i8>(40.0);
    elements::<u8>(60.0);
}

#[test]
fn rows_are_assigned_to_the_first_of_the_nearest() {
    let mut rng = Rng::new(9);
    for kind in 0..KINDS {
        let dim = 24;
        let rows = data(kind, 90, dim, &mut rng);
        let mut centroids = data(kind, 70, dim, &mut rng);
        centroids.extend_from_within(..20 * dim);
        let (rows, centroids) = (Rows::new(&rows, dim).unwrap(), Rows::new(&centroids, dim).unwrap());
        everywhere::<f32>(|gemm| {
            let (mut ids, mut keys) = (vec![9; rows.len()], vec![9.0; rows.len()]);
            gemm.assign(rows, centroids, &mut Scratch::default(), &mut ids, &mut keys);
            for (i, row) in rows.iter().enumerate() {
                let want = plain(gemm, row, centroids, 0, None, 1);
                let (id, key) = want.first().copied().unwrap_or((0, f32::NAN.to_bits()));
                assert_eq!((ids[i], keys[i].to_bits()), (id, key), "{kind} {i} {}", gemm.isa());
            }
        });
    }
    // More rows than are assigned together.
    let rows = data(0, ASSIGN_ROWS + 5, 2, &mut rng);
    let rows = Rows::new(&rows, 2).unwrap();
    let gemm = Gemm::<f32>::new(Metric::L2).unwrap();
    let (mut ids, mut keys) = (vec![0; rows.len()], vec![0.0; rows.len()]);
    gemm.assign(rows, rows.slice(0..40), &mut Scratch::default(), &mut ids, &mut keys);
    for i in (0..rows.len()).rev().take(40).chain(0..40) {
        assert_eq!(vec![(ids[i], keys[i].to_bits())], plain(&gemm, rows.row(i), rows.slice(0..40), 0, None, 1));
    }
}

#[test]
fn no_queries_take_no_memory_however_wide_they_are() {
    let rows = Rows::<f32>::new(&[], isize::MAX as usize / 4).unwrap();
    for metric in [Metric::L2, Metric::Ip, Metric::Cosine] {
        let (gemm, mut scratch) = (Gemm::<f32>::new(metric).unwrap(), Scratch::default());
        let packed = gemm.pack(rows);
        assert!(packed.is_empty());
        gemm.search(&packed, rows, 0, None, &mut scratch, &mut []);
        gemm.scores(&packed, rows, &mut scratch, &mut []);
    }
}

#[test]
fn lower_bounds_are_below_the_keys_and_not_far() {
    let mut rng = Rng::new(10);
    for kind in [0, 1, 2, 3, 4, 7, 8, 9, 10] {
        for dim in [3, 100] {
            let values = data(kind, 70, dim, &mut rng);
            let rows = Rows::new(&values, dim).unwrap();
            everywhere::<f32>(|gemm| {
                for format in 0..FORMATS.len() {
                    bounds_hold(gemm, format, rows.slice(0..16), rows.slice(13..70), kind);
                }
            });
        }
    }
}

/// Every pair passes the limit of its own key, and fails that of a key which is nearer by more than twice its error.
fn bounds_hold(gemm: &Gemm<f32>, format: usize, queries: Rows<'_, f32>, base: Rows<'_, f32>, kind: usize) {
    let Some(code) = &gemm.codes[format] else { return };
    let packed = gemm.pack(queries);
    let mut memory = Memory::default();
    let pass = packed.pass(format, code, &mut memory.room);
    memory.positions.extend(0..base.len() as u32);
    let batch = Batch { kernel: gemm.kernel(), queries, base };
    pass.pack(&batch, true, &mut memory);
    let (limits, mut masks, mut bounds) = ([f32::NAN; 32], [0; 32], Box::new([0.0; 1024]));
    let rows = &memory.rows;
    for (q, query) in queries.iter().enumerate() {
        for (r, row) in base.iter().enumerate() {
            if r % code.rows == 0 {
                pass.tile(q / code.queries, rows, r / code.rows, &limits, &mut bounds, &mut masks);
            }
            if rows.base[r].is_infinite() || pass.queries.base[q].is_infinite() {
                continue;
            }
            let key = gemm.kernel().pair(query, row);
            let bound = bounds[q % code.queries * code.rows + r % code.rows];
            let what = format!("kind {kind} {:?} {} {}", code.format, gemm.kernel().metric(), gemm.isa());
            assert!(bound <= packed.frame.limit(pass.queries.term[q], key), "{what}: {bound} for {key}");
            let error = pass.queries.norm[q] * rows.error[r] + pass.queries.error[q] * rows.norm[r];
            let size = pass.queries.norm[q] * pass.queries.norm[q] + rows.norm[r] * rows.norm[r];
            let (norm, one) = (gemm.kernel().norm(query) + gemm.kernel().norm(row), 1.0 + size);
            let unit = gemm.kernel().metric() == Metric::Cosine;
            let length = if unit { one } else { norm * norm + size };
            // What is too small for products counts absolutely.
            let slack = base.dim() as f32 * 2f32.powi(-115);
            let nearer = key - 2.0 * error - 1e-3 * length - slack;
            let nearer = if gemm.kernel().metric() == Metric::L2 && nearer < 0.0 { continue } else { nearer };
            assert!(bound > packed.frame.limit(pass.queries.term[q], nearer), "{what}: {bound} is far below {key}");
        }
    }
}

#[test]
fn of_equal_infinite_keys_the_smaller_id_is_kept() {
    let mut values = data(0, 40, 8, &mut Rng::new(11));
    values.iter_mut().for_each(|v| *v = v.abs() * 1e3 + 1.0);
    values[30 * 8..31 * 8].fill(f32::MAX);
    let rows = Rows::new(&values, 8).unwrap();
    for gemm in Gemm::<f32>::all(Metric::Ip) {
        let mut out = vec![TopK::new(1); 20];
        out.iter_mut().for_each(|kept| assert!(kept.push(1000, f32::NEG_INFINITY)));
        gemm.search(&gemm.pack(rows.slice(0..20)), rows, 0, None, &mut Scratch::default(), &mut out);
        for kept in out {
            assert_eq!(bits(&kept.into_sorted()), [(30, f32::NEG_INFINITY.to_bits())], "{}", gemm.isa());
        }
    }
}

#[test]
#[should_panic(expected = "different dimension")]
fn rows_of_another_dimension_are_refused() {
    let gemm = Gemm::<f32>::new(Metric::L2).unwrap();
    let packed = gemm.pack(Rows::new(&[0.0; 6], 3).unwrap());
    let base = Rows::new(&[0.0; 6], 2).unwrap();
    gemm.search(&packed, base, 0, None, &mut Scratch::default(), &mut [TopK::new(1), TopK::new(1)]);
}

#[test]
fn metrics_without_products_are_refused() {
    let refused = Gemm::<f32>::new(Metric::Hamming).unwrap_err();
    assert_eq!(refused, KernelError::Unsupported { metric: Metric::Hamming, element: ElementType::F32 });
}
