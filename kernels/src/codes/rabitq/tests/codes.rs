//! What the encoder and the query's preparation write.
use super::{Codec, Coded, codec, dims, dot, normals};
use crate::{
    Metric,
    codes::rabitq::{BLOCK, Encoder, Fit, Query, layout, rescale},
    rng::Rng,
};

/// The grid points that a record stands for, all bits or the sign alone.
fn points(codec: &Codec, tier0: &[u8], tier1: Option<&[u8]>) -> Vec<f64> {
    let extra = if tier1.is_some() { usize::from(codec.bits()) - 1 } else { 0 };
    let bit = |bytes: &[u8], i: usize| u32::from(bytes[i / 8] >> (i % 8) & 1);
    (0..codec.dim())
        .map(|i| {
            let mut code = bit(tier0, i);
            for plane in 0..extra {
                code = 2 * code + bit(&tier1.unwrap()[plane * codec.plane_bytes()..], i);
            }
            f64::from(code) - ((1 << (extra + 1)) - 1) as f64 / 2.0
        })
        .collect()
}

/// The factors by the formulas in the documentation of the module.
fn factors(metric: Metric, r: &[f32], c: &[f32], x: &[f64]) -> [f64; 3] {
    let with = |v: &[f32]| x.iter().zip(v).map(|(x, v)| x * f64::from(*v)).sum::<f64>();
    let (square, x_square) = (dot(r, r), x.iter().map(|x| x * x).sum::<f64>());
    let ratio = square / with(r);
    let tangent = (square * x_square / with(r).powi(2) - 1.0).sqrt();
    let error = square.sqrt() * tangent / ((r.len() - 1) as f64).sqrt();
    if metric == Metric::L2 {
        [square + 2.0 * ratio * with(c), -2.0 * ratio, 2.0 * error]
    } else {
        [-dot(r, c) + ratio * with(c), -ratio, error]
    }
}

fn near(got: f32, want: f64, scale: f64) -> bool {
    (f64::from(got) - want).abs() <= 1e-6 * scale
}

#[test]
fn records_hold_the_signs_the_cells_and_the_factors() {
    let mut rng = Rng::new(1);
    for (dim, bits) in [(64, 1), (64, 8), (128, 2), (192, 3), (256, 5), (320, 6), (384, 7), (768, 4)] {
        for metric in [Metric::L2, Metric::Ip, Metric::Cosine] {
            let codec = codec(metric, dim, bits);
            let centres = [normals(dim, &mut rng), vec![0.0; dim]];
            for fit in [Fit::Fast, Fit::Exact] {
                let coded = Coded::new(codec, fit, &centres, 4, &mut rng);
                for (i, r) in coded.residuals.iter().enumerate() {
                    let record = codec.records(&coded.tier0, codec.record_bytes()).get(i);
                    let refine = (bits > 1).then(|| codec.refinements(&coded.tier1, codec.refine_bytes()).get(i));
                    let centre = &centres[i % 2];
                    assert_eq!(layout::centre(&record[codec.plane_bytes()..]), i % 2);
                    let signs = points(&codec, record, None);
                    assert!(signs.iter().zip(r).all(|(x, r)| *x == if *r >= 0.0 { 0.5 } else { -0.5 }));
                    let tiers = [
                        Some((signs, &record[dim / 8..])),
                        refine.map(|refine| (points(&codec, record, Some(refine)), &refine[codec.extra() * dim / 8..])),
                    ];
                    for (x, trailer) in tiers.into_iter().flatten() {
                        let want = factors(metric, r, centre, &x);
                        let got = layout::factors(trailer);
                        let scale = dot(r, r) + dot(centre, centre);
                        assert!((0..3).all(|f| near(got[f], want[f], scale)), "{dim} {bits} {metric} {got:?} {want:?}");
                        assert!(x.iter().zip(r).all(|(x, r)| (*x > 0.0) == (*r >= 0.0)));
                    }
                }
            }
        }
    }
}

/// The cosine between a vector and its code for a factor.
fn cosine(r: &[f32], factor: f64, bits: u8) -> f64 {
    let most = f64::from((1u32 << (bits - 1)) - 1);
    let (mut product, mut square) = (0.0, 0.0);
    for r in r {
        let x = (f64::from(r.abs()) * factor).floor().min(most) + 0.5;
        product += x * f64::from(r.abs());
        square += x * x;
    }
    product / (square * dot(r, r)).sqrt()
}

#[test]
fn the_exact_fit_is_the_best_and_the_fast_one_is_near_it() {
    let mut rng = Rng::new(2);
    for (dim, bits) in [(64, 2), (64, 4), (128, 3), (768, 4), (256, 6), (128, 8)] {
        let r = normals(dim, &mut rng);
        let best = cosine(&r, rescale::optimal(&r, bits), bits);
        let largest = r.iter().fold(0.0f32, |most, r| most.max(r.abs()));
        let end = f64::from(1u32 << (bits - 1)) / f64::from(largest) * 4.0;
        for i in 0..2000 {
            let tried = cosine(&r, end * f64::from(i) / 2000.0, bits);
            assert!(tried <= best + 1e-12, "{dim} {bits}: factor {i} gives {tried}, above {best}");
        }
        let fast = cosine(&r, rescale::expected(&r, dot(&r, &r), bits), bits);
        // What is lost, beside what the best loses.
        assert!(1.0 - fast < 1.35 * (1.0 - best), "{dim} {bits}: {fast} {best}");
    }
}

#[test]
fn a_vector_that_equals_its_centre_is_exact() {
    for metric in [Metric::L2, Metric::Ip] {
        let codec = codec(metric, 128, 4);
        let (mut record, mut refine) = (vec![255; codec.record_bytes()], vec![255; codec.refine_bytes()]);
        for fit in [Fit::Fast, Fit::Exact] {
            Encoder::new(codec, fit).encode(&[0.0; 128], &[1.0; 128], 9, &mut record, &mut refine);
            assert_eq!(layout::factors(&record[16..]), [0.0; 3]);
            assert_eq!(layout::factors(&refine[48..]), [0.0; 3]);
            assert_eq!(record[30..], [255; 2], "the caller's bytes stay");
        }
    }
}

#[test]
fn values_that_are_not_finite_give_some_code() {
    let codec = codec(Metric::L2, 64, 8);
    let (mut record, mut refine) = (vec![0; codec.record_bytes()], vec![0; codec.refine_bytes()]);
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX, f32::MIN_POSITIVE / 8.0] {
        for fit in [Fit::Fast, Fit::Exact] {
            Encoder::new(codec, fit).encode(&[bad; 64], &[bad; 64], 0, &mut record, &mut refine);
            let mut one = [1.0; 64];
            one[7] = bad;
            Encoder::new(codec, fit).encode(&one, &[0.0; 64], 0, &mut record, &mut refine);
        }
    }
    let mut query = Query::new(codec);
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX] {
        query.prepare(&[bad; 64]);
        let mut one = [1.0; 64];
        one[7] = bad;
        query.prepare(&one);
        assert!(query.levels.iter().all(|level| *level < 16));
    }
}

#[test]
fn a_query_is_rounded_without_bias() {
    let mut rng = Rng::new(3);
    for dim in dims() {
        for bits in 1..=8 {
            let q = normals(dim, &mut rng);
            let mut query = Query::with(codec(Metric::L2, dim, 1), bits, 1.9);
            query.prepare(&q);
            let most = (1 << bits) - 1;
            let rounded: Vec<f32> =
                query.levels.iter().map(|level| 2.0 * query.scale * (2 * i32::from(*level) - most) as f32).collect();
            assert!((dot(&rounded, &q) / dot(&q, &q) - 1.0).abs() < 1e-5, "{dim} {bits}");
            let lost = (distance_sq(&rounded, &q) / dot(&q, &q)).sqrt();
            assert!(lost < 0.85 * 0.58f64.powi(i32::from(bits) - 1), "{dim} {bits}: {lost}");
            for (i, level) in query.levels.iter().enumerate() {
                let word = |plane: usize| query.planes[plane * dim / 64 + i / 64] >> (i % 64) & 1;
                let from_planes: u64 = (0..usize::from(bits)).map(|plane| word(plane) << plane).sum();
                assert_eq!(from_planes, u64::from(*level));
            }
            let bytes: Vec<f32> = query.bytes.iter().map(|b| 2.0 * query.byte_scale * f32::from(*b)).collect();
            assert!((dot(&bytes, &q) / dot(&q, &q) - 1.0).abs() < 1e-5);
            assert!(distance_sq(&bytes, &q) < 2e-4 * dot(&q, &q));
            assert_eq!(query.byte_sum, query.bytes.iter().map(|b| i32::from(*b)).sum::<i32>());
        }
    }
}

#[test]
fn blocks_are_records_transposed() {
    let mut rng = Rng::new(4);
    let codec = codec(Metric::L2, 192, 1);
    let coded = Coded::new(codec, Fit::Fast, &[vec![0.0; 192]], BLOCK + 3, &mut rng);
    let records = codec.records(&coded.tier0, codec.record_bytes());
    let mut block = vec![99; codec.block_bytes()];
    for (first, there) in [(0, BLOCK), (BLOCK, 3), (200, 0)] {
        codec.pack_block(records, first, &mut block);
        for row in 0..BLOCK {
            let signs: Vec<u8> = (0..24).map(|k| block[BLOCK * k + row]).collect();
            let factors: Vec<u8> =
                (0..3).flat_map(|f| block[24 * BLOCK + 4 * BLOCK * f + 4 * row..][..4].to_vec()).collect();
            if row < there {
                assert_eq!(
                    (&signs[..], &factors[..]),
                    (&records.get(first + row)[..24], &records.get(first + row)[24..36])
                );
            } else {
                assert_eq!(layout::factors(&factors), [f32::INFINITY, 0.0, 0.0]);
                assert_eq!(signs, [0; 24]);
            }
        }
    }
}

#[test]
fn shapes_have_the_sizes_of_the_format() {
    let of = |dim, bits| codec(Metric::Ip, dim, bits);
    assert_eq!((of(768, 4).record_bytes(), of(768, 4).record_stride(), of(768, 4).refine_bytes()), (112, 128, 300));
    assert_eq!((of(832, 1).record_stride(), of(1344, 1).record_stride()), (128, 192));
    assert_eq!((of(1856, 1).record_stride(), of(3072, 1).record_stride()), (256, 448));
    assert_eq!((of(64, 1).refine_bytes(), of(768, 1).block_bytes()), (0, 64 * 108));
    assert!(Codec::new(Metric::Hamming, 64, 1).is_err());
    let bytes = [0; 100];
    assert_eq!(of(64, 1).records(&bytes, 24).len(), 4);
    assert_eq!(of(64, 1).records(&bytes, 38).len(), 3);
    assert_eq!(of(64, 1).records(&bytes[..23], 24).len(), 0);
}

fn distance_sq(a: &[f32], b: &[f32]) -> f64 {
    super::distance_sq(a, b)
}

#[test]
#[should_panic(expected = "no multiple of 64")]
fn dimensions_that_are_not_padded_are_refused() {
    drop(Codec::new(Metric::L2, 100, 1));
}

#[test]
#[should_panic(expected = "allowed are 1 to 8")]
fn nine_bits_are_refused() {
    drop(Codec::new(Metric::L2, 64, 9));
}
