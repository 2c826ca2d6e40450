//! Lists of vectors of any values: the sum of the smallest keys of the kernel.
#![no_main]
use elanus_fuzz::{Source, same};
use elanus_kernels::{Element, METRICS, Rows, U4, max_sim::MaxSim};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut source = Source::new(bytes);
    match source.byte() % 4 {
        0 => run(&mut source, |source, count| source.filled(count)),
        1 => run(&mut source, |source, count| source.filled(count).into_iter().map(U4).collect()),
        _ => run(&mut source, |source, count| source.values(count).0),
    }
});

fn run<E: Element>(source: &mut Source<'_>, draw: fn(&mut Source<'_>, usize) -> Vec<E>) {
    let (dim, queries) = (1 + source.below(20), source.mostly_below(6, 70));
    let count = source.mostly_below(60, 300);
    let (base, asking) = (draw(source, count * dim), draw(source, queries * dim));
    let (base, asking) = (Rows::new(&base, dim).expect("whole"), Rows::new(&asking, dim).expect("whole"));
    let longest = 1 + source.mostly_below(8, 150);
    let mut offsets = vec![source.below(count + 1) as u32];
    for _ in 0..source.mostly_below(12, 150) {
        let last = offsets[offsets.len() - 1] as usize;
        offsets.push((last + source.below(longest)).min(count) as u32);
    }
    let lists = offsets.len() - 1;
    let ids: Vec<u32> = (0..if lists == 0 { 0 } else { source.below(9) }).map(|_| source.below(lists) as u32).collect();
    for metric in METRICS {
        for sim in MaxSim::<E>::all(*metric) {
            let (mut keys, mut gathered) = (vec![0.0; lists], vec![0.0; ids.len()]);
            sim.rows(asking, base, &offsets, &mut keys);
            sim.gather(asking, base, &offsets, &ids, &mut gathered);
            for (i, key) in keys.iter().enumerate() {
                let list = base.slice(offsets[i] as usize..offsets[i + 1] as usize);
                let nearest = |query: &[E]| {
                    let keys = list.iter().map(|row| sim.kernel().pair(query, row));
                    keys.fold(f32::INFINITY, |least, key| if key < least { key } else { least })
                };
                let nearest: Vec<f64> = asking.iter().map(|query| f64::from(nearest(query))).collect();
                // Infinitely far from one vector of the query is infinitely far, however near others are.
                let far = nearest.contains(&f64::INFINITY);
                let want = if far { f32::INFINITY } else { nearest.iter().fold(0.0, |sum, key| sum + key) as f32 };
                assert!(same(*key, want) || *key == want, "{} {metric} {}: {key} {want}", E::TYPE, sim.kernel().isa());
                assert!(same(*key, sim.pair(asking, list)), "{} {metric} {}: alone", E::TYPE, sim.kernel().isa());
            }
            for (id, key) in ids.iter().zip(&gathered) {
                assert!(same(*key, keys[*id as usize]), "{} {metric} {}: gather", E::TYPE, sim.kernel().isa());
            }
        }
    }
}
