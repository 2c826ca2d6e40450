//! Signatures of any bytes, and lists of binary vectors: every version counts what plain counting counts.
#![no_main]
use elanus_fuzz::{Source, same};
use elanus_kernels::{
    Binary, Metric, Rows,
    max_sim::MaxSim,
    minhash::{HashWidth, MinHash},
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut source = Source::new(bytes);
    let width = HashWidth::ALL[source.below(4)];
    let (dim, count) = ((1 + source.below(60)) * width.bytes(), source.below(9));
    let base: Vec<Binary> = source.bytes(dim * count).into_iter().map(|byte| Binary(byte & 3)).collect();
    let query: Vec<Binary> = source.bytes(dim).into_iter().map(|byte| Binary(byte & 3)).collect();
    let rows = Rows::new(&base, dim).expect("whole rows");
    let ids: Vec<u32> = (0..count * 3).map(|_| source.below(count) as u32).collect();
    for hash in MinHash::all(width) {
        let (mut keys, mut gathered, mut tile) = (vec![0.0; count], vec![0.0; ids.len()], vec![0.0; count * count]);
        hash.rows(&query, rows, &mut keys);
        hash.gather(&query, rows, &ids, &mut gathered);
        hash.tile(rows, rows, &mut tile);
        for (id, key) in ids.iter().zip(gathered) {
            assert!(same(key, keys[*id as usize]), "gather on {}", hash.isa());
        }
        for (place, key) in tile.into_iter().enumerate() {
            let want = hash.distance(rows.row(place / count), rows.row(place % count));
            assert!(same(key, want), "tile on {}", hash.isa());
        }
        for (row, key) in rows.iter().zip(keys) {
            let parts = query.chunks(width.bytes()).zip(row.chunks(width.bytes()));
            let equal = parts.filter(|(a, b)| a == b).count();
            assert_eq!(hash.equal(&query, row), equal);
            assert!(same(key, hash.distance(&query, row)), "{}", hash.isa());
        }
    }
    let mut offsets = vec![0];
    while let Some(last) = offsets.last().copied().filter(|last| *last < count as u32) {
        offsets.push((last + source.byte() as u32 % 4).min(count as u32));
        if offsets.len() > 20 {
            break;
        }
    }
    let lists = offsets.len() - 1;
    let queries = Rows::new(&query, width.bytes()).expect("whole rows");
    let base = &base[..count * width.bytes()];
    let base = Rows::new(base, width.bytes()).expect("whole rows");
    for sim in MaxSim::<Binary>::all(Metric::Hamming) {
        let mut keys = vec![0.0; lists];
        sim.rows(queries, base, &offsets, &mut keys);
        for (list, key) in keys.iter().enumerate() {
            let range = offsets[list] as usize..offsets[list + 1] as usize;
            assert!(same(*key, sim.pair(queries, base.slice(range))));
        }
    }
});
