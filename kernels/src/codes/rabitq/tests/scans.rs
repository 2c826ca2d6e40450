//! Every instruction set against plain Rust, and plain Rust against sums in 64 bits.
use super::{Coded, codec, dims, normals};
use crate::{
    Metric,
    codes::rabitq::{BLOCK, BlockQuery, Codec, Estimator, Fit, Query, Records, Term, layout},
    rng::Rng,
};

/// Bits of floats, in which all that are not numbers are the same.
fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|x| if x.is_nan() { u32::MAX } else { x.to_bits() }).collect()
}

type Found = (Vec<u32>, Vec<u32>);

fn run(count: usize, scan: impl FnOnce(&mut [f32], &mut [f32])) -> Found {
    let (mut keys, mut errors) = (vec![7.0; count], vec![7.0; count]);
    scan(&mut keys, &mut errors);
    (bits(&keys), bits(&errors))
}

/// The estimates by the text of the module, products in 64 bits.
fn tier0_reference(codec: &Codec, query: &Query, records: Records<'_>, ids: &[u32], terms: &[Term]) -> Found {
    run(ids.len(), |keys, errors| {
        for (i, id) in ids.iter().enumerate() {
            let record = records.get(*id as usize);
            let most = (1i64 << query.bits()) - 1;
            let product: i64 = (0..codec.dim())
                .map(|j| {
                    let w = 2 * i64::from(query.levels[j]) - most;
                    if record[j / 8] >> (j % 8) & 1 == 1 { w } else { -w }
                })
                .sum();
            let term = terms.get(layout::centre(&record[codec.plane_bytes()..])).copied().unwrap_or(Term::NONE);
            let [f_add, f_rescale, f_error] = layout::factors(&record[codec.plane_bytes()..]);
            keys[i] = (f_add + term.add) + f_rescale * (query.scale * product as f32);
            errors[i] = f_error * term.bound;
        }
    })
}

#[test]
fn what_is_published_for_devices_gives_the_key() {
    let mut rng = Rng::new(12);
    let codec = codec(Metric::Ip, 192, 1);
    let coded = Coded::new(codec, Fit::Fast, &[vec![0.0; 192]], 20, &mut rng);
    let mut query = Query::new(codec);
    query.prepare(&normals(192, &mut rng));
    let (term, words) = (query.origin(), codec.dim() / 64);
    let records = codec.records(&coded.tier0, codec.record_bytes());
    let found = run(20, |keys, _| {
        for (i, key) in keys.iter_mut().enumerate() {
            let record = records.get(i);
            let mut product = 192 * ((1 << query.bits()) - 1);
            for (at, plane) in query.planes().iter().enumerate() {
                let signs = record[at % words * 8..][..8].try_into().unwrap();
                product -= 2 * (((u64::from_le_bytes(signs) ^ plane).count_ones() as i32) << (at / words));
            }
            let [f_add, f_rescale, _] = layout::factors(&record[codec.plane_bytes()..]);
            *key = (f_add + term.add()) + f_rescale * (query.unit_half() * product as f32);
        }
    });
    let all: Vec<u32> = (0..20).collect();
    assert_eq!(found.0, tier0_reference(&codec, &query, records, &all, &[term]).0);
}

/// The products of tier 1 in 64 bits.
fn tier1_reference(codec: &Codec, query: &Query, tier0: Records<'_>, tier1: Records<'_>, terms: &[Term]) -> Vec<u32> {
    let keys: Vec<f32> = (0..tier0.len())
        .map(|i| {
            let (record, refine) = (tier0.get(i), tier1.get(i));
            let most = (1i64 << codec.bits()) - 1;
            let product: i64 = (0..codec.dim())
                .map(|j| {
                    let bit = |bytes: &[u8]| i64::from(bytes[j / 8] >> (j % 8) & 1);
                    let planes = (0..codec.extra()).map(|plane| bit(&refine[plane * codec.plane_bytes()..]));
                    let code = planes.fold(bit(record), |code, bit| 2 * code + bit);
                    (2 * code - most) * i64::from(query.bytes[j])
                })
                .sum();
            let term = terms.get(layout::centre(&record[codec.plane_bytes()..])).copied().unwrap_or(Term::NONE);
            let [f_add, f_rescale, _] = layout::factors(&refine[codec.extra() * codec.plane_bytes()..]);
            (f_add + term.add) + f_rescale * (query.byte_scale * product as f32)
        })
        .collect();
    bits(&keys)
}

fn skipped() {
    for isa in Estimator::sets().filter(|isa| !isa.is_available()) {
        println!("SKIPPED: {} is not available", isa.name());
    }
}

#[test]
fn tier_0_is_the_same_on_every_set() {
    skipped();
    let mut rng = Rng::new(11);
    for dim in dims() {
        let codec = codec(Metric::L2, dim, 1);
        let centres = [normals(dim, &mut rng), normals(dim, &mut rng)];
        let coded = Coded::new(codec, Fit::Fast, &centres, 67, &mut rng);
        // Records at odd addresses, with gaps, the last one at the end of the buffer.
        let stride = codec.record_bytes() + 5;
        let mut room = vec![0xa5; 67 * stride - 5 + 1];
        for (i, record) in coded.tier0.chunks_exact(codec.record_bytes()).enumerate() {
            room[1 + i * stride..][..record.len()].copy_from_slice(record);
        }
        for planes in [1, 2, 4, 5, 8] {
            let mut query = Query::with(codec, planes, 1.9);
            query.prepare(&normals(dim, &mut rng));
            let terms = [query.term(3.0, 0.5), query.term(700.0, -0.5)];
            for count in [0, 1, 7, 8, 9, 64, 65, 67] {
                let end = if count == 0 { 0 } else { count * stride - 5 };
                let records = codec.records(&room[1..][..end], stride);
                assert_eq!(records.len(), count);
                let all: Vec<u32> = (0..count as u32).collect();
                let ids: Vec<u32> = (0..count).map(|_| rng.below(count as u64) as u32).collect();
                let want = tier0_reference(&codec, &query, records, &all, &terms);
                let want_some = tier0_reference(&codec, &query, records, &ids, &terms);
                for estimator in Estimator::all() {
                    let got = run(count, |keys, errors| estimator.rows(&query, records, &terms, keys, errors));
                    assert!(got == want, "rows, {:?} at {dim}, {planes} planes, {count}", estimator.isas());
                    let got = run(count, |keys, errors| {
                        estimator.gather(&query, records, &ids, &terms, keys, errors);
                    });
                    assert!(got == want_some, "gather, {:?} at {dim}, {planes} planes, {count}", estimator.isas());
                }
            }
        }
    }
}

#[test]
fn tier_1_is_the_same_on_every_set() {
    let mut rng = Rng::new(12);
    for (i, dim) in dims().enumerate() {
        for b in [2 + i as u8 % 7, 4, 8] {
            let codec = codec(Metric::Ip, dim, b);
            let coded = Coded::new(codec, Fit::Fast, &[normals(dim, &mut rng)], 11, &mut rng);
            let tier0 = codec.records(&coded.tier0, codec.record_bytes());
            let tier1 = codec.refinements(&coded.tier1, codec.refine_bytes());
            let mut query = Query::new(codec);
            query.prepare(&normals(dim, &mut rng));
            let terms = [query.term(30.0, 2.0)];
            let want = tier1_reference(&codec, &query, tier0, tier1, &terms);
            let ids: Vec<u32> = (0..11).collect();
            let mut all_errors = Vec::new();
            for estimator in Estimator::all() {
                let (keys, errors) = run(11, |keys, errors| {
                    estimator.refine(&query, tier0, tier1, &ids, &terms, keys, errors);
                });
                assert!(keys == want, "{:?} at {dim}, {b} bits", estimator.isas());
                all_errors.push(errors);
            }
            assert!(all_errors.iter().all(|errors| *errors == all_errors[0]));
        }
    }
}

/// The largest products there can be: every code bit set, every byte 127 or -127.
#[test]
fn the_largest_products_do_not_overflow() {
    let codec = codec(Metric::Ip, crate::codes::rotate::DIM_MAX, 8);
    let (mut record, mut refine) = (vec![255; codec.record_bytes()], vec![255; codec.refine_bytes()]);
    record[codec.plane_bytes() + 12..].fill(0);
    let at = codec.extra() * codec.plane_bytes();
    for (f, value) in [0.0f32, 1.0, 0.0].into_iter().enumerate() {
        refine[at + 4 * f..][..4].copy_from_slice(&value.to_le_bytes());
        record[codec.plane_bytes() + 4 * f..][..4].copy_from_slice(&value.to_le_bytes());
    }
    let (tier0, tier1) = (codec.records(&record, record.len()), codec.refinements(&refine, refine.len()));
    for sign in [1.0, -1.0] {
        let mut query = Query::with(codec, 8, 1.9);
        query.prepare(&vec![sign; codec.dim()]);
        let want = tier1_reference(&codec, &query, tier0, tier1, &[query.origin()]);
        let want0 = tier0_reference(&codec, &query, tier0, &[0], &[query.origin()]);
        let mut block = vec![0; codec.block_bytes()];
        codec.pack_block(tier0, 0, &mut block);
        for estimator in Estimator::all() {
            let terms = [query.origin()];
            let (keys, _) = run(1, |keys, errors| estimator.refine(&query, tier0, tier1, &[0], &terms, keys, errors));
            assert_eq!(keys, want);
            assert_eq!(run(1, |keys, errors| estimator.rows(&query, tier0, &terms, keys, errors)), want0);
            let blocks = BlockQuery::new(&estimator, &query);
            assert_eq!(run(1, |keys, errors| blocks.scan(&block, terms[0], keys, errors)), want0);
        }
    }
}

/// Blocks of `count` records.
fn packed(codec: &Codec, records: Records<'_>) -> Vec<u8> {
    let mut blocks = vec![0; records.len().div_ceil(BLOCK) * codec.block_bytes()];
    for (b, block) in blocks.chunks_exact_mut(codec.block_bytes()).enumerate() {
        codec.pack_block(records, b * BLOCK, block);
    }
    blocks
}

#[test]
fn blocks_give_what_records_give() {
    let mut rng = Rng::new(13);
    for dim in dims() {
        let codec = codec(Metric::L2, dim, 1);
        let coded = Coded::new(codec, Fit::Fast, &[normals(dim, &mut rng)], 131, &mut rng);
        for (count, planes) in [(131, 4), (64, 3), (65, 1), (1, 2), (130, 6), (128, 8), (0, 4)] {
            let records = codec.records(&coded.tier0[..count * codec.record_bytes()], codec.record_bytes());
            let mut blocks = vec![0];
            blocks.extend(packed(&codec, records));
            let queries: Vec<Query> = (0..6)
                .map(|i| {
                    let mut q = normals(dim, &mut rng);
                    if i == 2 {
                        // All weights at their largest, so that a unit's sum passes 255: several parts.
                        q = q.iter().map(|q| q.signum()).collect();
                        q[0] = 0.25;
                        q[dim / 2..].iter_mut().for_each(|q| *q *= 0.01);
                    }
                    let mut query = Query::with(codec, planes, 1.9);
                    query.prepare(&q);
                    query
                })
                .collect();
            let terms: Vec<Term> = queries.iter().map(Query::origin).collect();
            let all: Vec<u32> = (0..count as u32).collect();
            let want: Vec<Found> =
                (0..6).map(|q| tier0_reference(&codec, &queries[q], records, &all, &terms[q..q + 1])).collect();
            for estimator in Estimator::all() {
                let prepared: Vec<BlockQuery> =
                    queries.iter().map(|query| BlockQuery::new(&estimator, query)).collect();
                for q in 0..6 {
                    let got = run(count, |keys, errors| prepared[q].scan(&blocks[1..], terms[q], keys, errors));
                    assert!(got == want[q], "{:?} at {dim}, {planes} planes, {count}", estimator.isas());
                    let got = run(count, |keys, _| prepared[q].keys(&blocks[1..], terms[q], keys));
                    assert!(got.0 == want[q].0, "keys, {:?} at {dim}, {planes} planes, {count}", estimator.isas());
                }
                for some in [0, 1, 4, 6] {
                    let of: Vec<&BlockQuery> = prepared[..some].iter().collect();
                    let got = run(some * count, |keys, errors| {
                        BlockQuery::scan_many(&of, &blocks[1..], count, &terms[..some], keys, errors);
                    });
                    let joined: Found = (
                        want[..some].iter().flat_map(|want| want.0.clone()).collect(),
                        want[..some].iter().flat_map(|want| want.1.clone()).collect(),
                    );
                    assert!(got == joined, "{some}: {:?} at {dim}, {planes} planes, {count}", estimator.isas());
                }
            }
        }
    }
}

#[test]
fn blocks_are_handed_over_in_order() {
    let mut rng = Rng::new(16);
    let codec = codec(Metric::L2, 128, 1);
    let mut query = Query::new(codec);
    query.prepare(&normals(128, &mut rng));
    let prepared = BlockQuery::new(&Estimator::new().unwrap(), &query);
    for rows in [0usize, 1, 64, 511, 512, 513, 1300] {
        let blocks: Vec<u8> = (0..rows.div_ceil(BLOCK) * codec.block_bytes()).map(|_| rng.next_u64() as u8).collect();
        let want = run(rows, |keys, errors| prepared.scan(&blocks, query.origin(), keys, errors));
        let got = run(rows, |keys, errors| {
            let mut next = 0;
            prepared.for_each_block(&blocks, rows, query.origin(), |first, some_keys, some_errors| {
                assert_eq!(first, next);
                next += some_keys.len();
                keys[first..next].copy_from_slice(some_keys);
                errors[first..next].copy_from_slice(some_errors);
            });
            assert_eq!(next, rows);
        });
        assert!(got == want, "{rows}");
    }
}

#[test]
fn a_query_whose_sums_do_not_fit_is_cut_into_parts() {
    let codec = codec(Metric::L2, 128, 1);
    let estimator = Estimator::new().unwrap();
    let mut rng = Rng::new(14);
    let mut query = Query::new(codec);
    query.prepare(&normals(128, &mut rng));
    assert_eq!(BlockQuery::new(&estimator, &query).parts.len(), 1);
    // One unit of equal components, the others 0: its weights are 13 each.
    let spikes: Vec<f32> = (0..128).map(|i| if i < 24 { 1.0 } else { 0.0 }).collect();
    query.prepare(&spikes);
    assert!(BlockQuery::new(&estimator, &query).parts.len() > 1);
}

#[test]
fn any_bytes_give_some_number() {
    let mut rng = Rng::new(15);
    for dim in [64, 192, 768] {
        let codec = codec(Metric::L2, dim, 4);
        for round in 0..4 {
            let mut bytes = |len: usize| -> Vec<u8> {
                (0..len).map(|_| if round == 0 { 255 } else { rng.next_u64() as u8 }).collect()
            };
            let (tier0, tier1) = (bytes(9 * codec.record_bytes()), bytes(9 * codec.refine_bytes()));
            let blocks = bytes(codec.block_bytes());
            let tier0 = codec.records(&tier0, codec.record_bytes());
            let tier1 = codec.refinements(&tier1, codec.refine_bytes());
            let mut query = Query::new(codec);
            query.prepare(&normals(dim, &mut rng));
            let ids: Vec<u32> = (0..9).rev().collect();
            let terms = vec![query.origin(); 1 << 15];
            let mut found = Vec::new();
            for estimator in Estimator::all() {
                let one = run(9, |keys, errors| estimator.gather(&query, tier0, &ids, &terms, keys, errors));
                let two = run(9, |keys, errors| {
                    estimator.refine(&query, tier0, tier1, &ids, &terms, keys, errors);
                });
                let prepared = BlockQuery::new(&estimator, &query);
                let three = run(BLOCK, |keys, errors| prepared.scan(&blocks, query.origin(), keys, errors));
                assert!(one == tier0_reference(&codec, &query, tier0, &ids, &terms));
                found.push((one, two, three));
            }
            assert!(found.iter().all(|all| *all == found[0]));
        }
    }
}

#[test]
#[should_panic(expected = "record 3 of 3")]
fn ids_beyond_the_records_are_refused() {
    let codec = codec(Metric::L2, 64, 1);
    let bytes = vec![0; 3 * codec.record_bytes()];
    let query = Query::new(codec);
    let (mut keys, mut errors) = ([0.0; 2], [0.0; 2]);
    let records = codec.records(&bytes, codec.record_bytes());
    Estimator::new().unwrap().gather(&query, records, &[0, 3], &[], &mut keys, &mut errors);
}

#[test]
#[should_panic(expected = "bytes of the blocks of 65 rows")]
fn blocks_that_are_too_few_are_refused() {
    let codec = codec(Metric::L2, 64, 1);
    let query = Query::new(codec);
    let bytes = vec![0; codec.block_bytes()];
    let (mut keys, mut errors) = ([0.0; 65], [0.0; 65]);
    BlockQuery::new(&Estimator::new().unwrap(), &query).scan(&bytes, query.origin(), &mut keys, &mut errors);
}
