//! Batches by products of matrices, over any values: the neighbors are those of the plain kernel, to the bit.
#![no_main]
use elanus_fuzz::{Source, product, same};
use elanus_kernels::{
    Bf16, Bitmap, F16, Metric, Neighbor, Number, Rows, TopK,
    gemm::{Gemm, Scratch},
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut source = Source::new(bytes);
    match source.byte() % 8 {
        0 => run(&mut source, |bits| F16(bits as u16)),
        1 => run(&mut source, |bits| Bf16(bits as u16)),
        2 => run(&mut source, |bits| bits as i8),
        3 => run(&mut source, |bits| bits as u8),
        _ => run(&mut source, f32::from_bits),
    }
});

/// Numbers of the type: any bits, or such as stand for drawn floats; and whether they are moderate.
fn draw<E: Number>(source: &mut Source<'_>, count: usize, any: fn(u32) -> E) -> (Vec<E>, bool) {
    if source.byte() % 8 == 0 {
        let mut rng = source.rng();
        return ((0..count).map(|_| any(rng.next_u64() as u32)).collect(), false);
    }
    let (values, tame) = source.values(count);
    let values: Vec<E> = values.into_iter().map(E::from_f32).collect();
    let fits = |value: &E| (1e-12..1e12).contains(&value.to_f32().abs()) || value.to_f32() == 0.0;
    let tame = tame && values.iter().all(fits);
    (values, tame)
}

fn run<E: Number>(source: &mut Source<'_>, any: fn(u32) -> E) {
    // From twelve queries on, rows are packed; from 1025 rows on there are several blocks.
    let dim = 1 + source.mostly_below(16, 100);
    let (count, queries) = match source.byte() {
        0..2 => (900 + source.below(400), 12 + source.below(4)),
        2..64 => (source.below(20), source.below(70)),
        _ => (source.mostly_below(60, 200), 12 + source.below(8)),
    };
    let ((mut base, base_tame), (mut asking, asking_tame)) =
        (draw(source, count * dim, any), draw(source, queries * dim, any));
    // Rows twice, and queries that are rows.
    for _ in 0..source.byte() % 8 {
        if count > 0 {
            let (from, to) = (source.below(count) * dim, source.below(count) * dim);
            base.copy_within(from..from + dim, to);
            if queries > 0 && source.coin() {
                asking[source.below(queries) * dim..][..dim].copy_from_slice(&base[from..from + dim]);
            }
        }
    }
    let (base, asking) = (Rows::new(&base, dim).expect("whole"), Rows::new(&asking, dim).expect("whole"));
    let first_id = if source.coin() { source.below(1000) as u32 } else { u32::MAX - count as u32 };
    let keep = source.coin().then(|| {
        let mut rng = source.rng();
        let one_in = 1 + u64::from(source.byte() % 8);
        Bitmap::from_fn(count + source.below(70), |_| rng.below(one_in) == 0)
    });
    let most = if source.byte() % 8 == 0 { 200 } else { 12 };
    let sizes: Vec<usize> = (0..queries).map(|_| source.below(most)).collect();
    let split = source.below(count + 1);
    let metric = [Metric::L2, Metric::Ip, Metric::Cosine][source.below(3)];
    let form = source.byte() % 4;
    let (view, mut scratch) = (keep.as_ref().map(Bitmap::view), Scratch::default());
    for gemm in Gemm::<E>::all(metric) {
        let mut keys = vec![0.0; queries * count];
        gemm.kernel().tile(asking, base, &mut keys);
        if form == 0 {
            let mut scores = vec![0.0; queries * count];
            gemm.scores(&gemm.pack(asking), base, &mut scratch, &mut scores);
            if base_tame && asking_tame {
                check_scores(metric, asking, base, &keys, &scores);
            }
            continue;
        }
        if form == 1 {
            if count > 0 {
                check_assigned(&gemm, asking, base, &keys, &mut scratch);
            }
            continue;
        }
        let packed = gemm.pack(asking);
        let mut out: Vec<TopK> = sizes.iter().map(|k| TopK::new(*k)).collect();
        if form == 2 {
            gemm.search(&packed, base, first_id, view, &mut scratch, &mut out);
        } else {
            let cut = keep.as_ref().map(|keep| Bitmap::from_fn(count - split, |i| keep.get(split + i)));
            let (tail, tail_id) = (cut.as_ref().map(Bitmap::view), first_id + split as u32);
            gemm.search(&packed, base.slice(split..count), tail_id, tail, &mut scratch, &mut out);
            gemm.search(&packed, base.slice(0..split), first_id, view, &mut scratch, &mut out);
        }
        for (q, out) in out.into_iter().enumerate() {
            let mut want = TopK::new(sizes[q]);
            want.push_block(first_id, &keys[q * count..][..count], view);
            assert_eq!(out.into_sorted(), want.into_sorted(), "{} {metric} on {}, query {q}", E::TYPE, gemm.isa());
        }
    }
}

fn check_assigned<E: Number>(
    gemm: &Gemm<E>,
    asking: Rows<'_, E>,
    base: Rows<'_, E>,
    keys: &[f32],
    scratch: &mut Scratch,
) {
    let (mut ids, mut nearest) = (vec![7; asking.len()], vec![0.0; asking.len()]);
    gemm.assign(asking, base, scratch, &mut ids, &mut nearest);
    for ((id, key), keys) in ids.iter().zip(&nearest).zip(keys.chunks_exact(base.len())) {
        let all = keys.iter().zip(0..).map(|(key, id)| Neighbor { key: *key, id });
        let found = all.filter(|found| !found.key.is_nan()).min();
        let (want, want_key) = found.map_or((0, f32::NAN), |found| (found.id, found.key));
        assert!(*id == want && (*key == want_key || same(*key, want_key)), "{} on {}", E::TYPE, gemm.isa());
    }
}

/// The bound that [`Gemm::scores`] states.
fn check_scores<E: Number>(metric: Metric, asking: Rows<'_, E>, base: Rows<'_, E>, keys: &[f32], scores: &[f32]) {
    let square = |row: &[E]| {
        let row: Vec<f32> = row.iter().map(|value| value.to_f32()).collect();
        product(&row, &row)
    };
    let largest = asking.iter().chain(base.iter()).map(square).fold(0.0, f64::max);
    let largest = if metric == Metric::Cosine { 1.0 } else { largest };
    let bound = 16.0 * (base.dim() + 256) as f64 * 2f64.powi(-24) * largest;
    for (key, score) in keys.iter().zip(scores) {
        let off = (f64::from(*key) - f64::from(*score)).abs();
        assert!(off <= bound, "{} {metric}: {score} for {key}, bound {bound}", E::TYPE);
    }
}
