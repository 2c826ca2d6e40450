//! Scans with filters against one key after another.
#![no_main]
use elanus_fuzz::Source;
use elanus_kernels::{
    Bitmap, Kernel, KeyRange, Metric, Rows, TopK,
    scan::{Keep, Scan, argmin, assign},
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut source = Source::new(bytes);
    let (dim, count, queries) = (1 + source.below(20), source.below(700), 1 + source.below(5));
    let base: Vec<i8> = source.bytes(count * dim).into_iter().map(u8::cast_signed).collect();
    let asking: Vec<i8> = source.bytes(queries * dim).into_iter().map(u8::cast_signed).collect();
    let (first, offset, k) = (source.below(100) as u32, source.below(70), source.below(40));
    let filter = Bitmap::from_fn(offset + count, |_| source.byte() % 5 != 0);
    let keep = if source.byte() & 1 == 0 { Keep::ALL } else { Keep::new(filter.view(), offset) };
    let metric = [Metric::L2, Metric::Ip, Metric::Cosine][source.below(3)];
    let range = KeyRange { lower: source.number(), upper: f32::INFINITY };
    let (base, asking) = (Rows::new(&base, dim).expect("whole"), Rows::new(&asking, dim).expect("whole"));
    for kernel in Kernel::<i8>::all(metric) {
        let scan = Scan::new(kernel, base, first).keep(keep).within(range);
        let mut outs = vec![TopK::new(k); queries];
        for step in scan.steps(queries) {
            scan.many(asking, step, &mut outs);
        }
        for (query, out) in asking.iter().zip(outs) {
            let (mut alone, mut want) = (TopK::new(k), TopK::new(k));
            for step in scan.steps(1) {
                scan.one(query, step, &mut alone);
            }
            for row in (0..count).filter(|row| keep.has(*row)) {
                let key = kernel.pair(query, base.row(row));
                if range.contains(key) {
                    want.push(first + row as u32, key);
                }
            }
            let want = want.into_sorted();
            assert_eq!(out.into_sorted(), want);
            assert_eq!(alone.into_sorted(), want);
        }
        if count == 0 {
            continue;
        }
        let (mut ids, mut keys) = (vec![0; queries], vec![0.0; queries]);
        assign(&kernel, asking, base, &mut ids, &mut keys);
        for (query, id) in asking.iter().zip(ids) {
            assert_eq!(argmin(&kernel, query, base).map(|nearest| nearest.id), Some(id));
        }
    }
});
