//! Every element, metric and instruction set, in every form, over any bytes: each form gives the key of the pair, and
//! each set the same key but for those that are said to have bits of their own.
#![no_main]
use elanus_fuzz::{Source, all_same, same};
use elanus_kernels::{Bf16, Binary, Element, F16, Kernel, METRICS, Rows, U4};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut source = Source::new(bytes);
    match source.byte() % 7 {
        0 => run::<f32>(&mut source, |source| source.f32()),
        1 => run::<F16>(&mut source, |source| F16(source.u32() as u16)),
        2 => run::<Bf16>(&mut source, |source| Bf16(source.u32() as u16)),
        3 => run::<i8>(&mut source, |source| source.byte() as i8),
        4 => run::<u8>(&mut source, |source| source.byte()),
        5 => run::<U4>(&mut source, |source| U4(source.byte())),
        _ => run::<Binary>(&mut source, |source| Binary(source.byte())),
    }
});

fn run<E: Element>(source: &mut Source<'_>, mut draw: impl FnMut(&mut Source<'_>) -> E) {
    let (dim, rows, queries) = (1 + source.below(300), source.below(10), 1 + source.below(6));
    let base: Vec<E> = (0..rows * dim).map(|_| draw(source)).collect();
    let asking: Vec<E> = (0..queries * dim).map(|_| draw(source)).collect();
    let ids: Vec<u32> = (0..if rows == 0 { 0 } else { source.below(20) }).map(|_| source.below(rows) as u32).collect();
    let base = Rows::new(&base, dim).expect("whole rows");
    let asking = Rows::new(&asking, dim).expect("whole rows");
    for metric in METRICS {
        let mut first: Option<(Vec<f32>, f32)> = None;
        for kernel in Kernel::<E>::all(*metric) {
            let (mut keys, mut tile) = (vec![0.0; rows], vec![0.0; rows * queries]);
            kernel.rows(asking.row(0), base, &mut keys);
            kernel.tile(asking, base, &mut tile);
            let mut gathered = vec![0.0; ids.len()];
            kernel.gather(asking.row(0), base, &ids, &mut gathered);
            for (row, key) in keys.iter().enumerate() {
                let pair = kernel.pair(asking.row(0), base.row(row));
                assert!(same(*key, pair), "{} {metric} {}: {key} {pair}", E::TYPE, kernel.isa());
            }
            for (id, key) in ids.iter().zip(&gathered) {
                assert!(same(*key, keys[*id as usize]), "{} {metric} {}: gather", E::TYPE, kernel.isa());
            }
            for (place, key) in tile.iter().enumerate() {
                let pair = kernel.pair(asking.row(place / rows), base.row(place % rows));
                assert!(same(*key, pair), "{} {metric} {}: tile {key} {pair}", E::TYPE, kernel.isa());
            }
            if ["avx512bf16", "avx512fp16", "neonbf16"].contains(&kernel.isa()) {
                continue;
            }
            let norm = kernel.norm(asking.row(0));
            let (want, want_norm) = first.get_or_insert_with(|| (tile.clone(), norm));
            let right = all_same(&tile, want) && same(norm, *want_norm);
            assert!(right, "{} {metric} {}: {tile:?}, {norm} and not {first:?}", E::TYPE, kernel.isa());
        }
    }
}
