//! Sparse vectors and matrices of any shape: bad ones are refused, and good ones have one product in every version.
#![no_main]
use elanus_fuzz::{Source, same};
use elanus_kernels::sparse::{SparseIp, SparseQuery, SparseRows, SparseVector};
use libfuzzer_sys::fuzz_target;

/// Indices that mostly ascend, and values that are mostly finite.
fn vector(source: &mut Source<'_>, most: usize) -> (Vec<u32>, Vec<f32>) {
    let count = source.below(most);
    let (stride, mut index) = (1 + source.below(40) as u32, source.u32() % 1000);
    let indices = (0..count)
        .map(|_| {
            index = index.wrapping_add(u32::from(source.byte()) % stride + 1);
            if source.byte() == 255 { source.u32() } else { index }
        })
        .collect();
    let values = (0..count).map(|_| if source.byte() == 255 { source.f32() } else { source.number() }).collect();
    (indices, values)
}

fuzz_target!(|bytes: &[u8]| {
    let mut source = Source::new(bytes);
    let (query_indices, query_values) = vector(&mut source, 300);
    let (mut indices, mut values, mut offsets) = (Vec::new(), Vec::new(), vec![0]);
    for _ in 0..source.below(12) {
        let (more, with) = vector(&mut source, 200);
        indices.extend(more);
        values.extend(with);
        offsets.push(if source.byte() == 255 { source.u32() } else { indices.len() as u32 });
    }
    let Ok(query) = SparseVector::new(&query_indices, &query_values) else { return };
    let Ok(rows) = SparseRows::new(&offsets, &indices, &values) else { return };
    let count = offsets.len() - 1;
    let plain = SparseIp::all().last().expect("plain Rust is always there");
    let want: Vec<f32> = (0..count)
        .map(|row| {
            let range = offsets[row] as usize..offsets[row + 1] as usize;
            let row = SparseVector::new(&indices[range.clone()], &values[range]).expect("a row of checked rows");
            let key = plain.pair(query, row);
            for ip in SparseIp::all() {
                assert!(same(ip.pair(query, row), key) && same(ip.pair(row, query), key), "{}", ip.isa());
            }
            key
        })
        .collect();
    let ids: Vec<u32> = (0..count * 2).map(|_| source.below(count) as u32).collect();
    for prepared in SparseQuery::all(query) {
        let (mut keys, mut gathered) = (vec![0.0; count], vec![0.0; ids.len()]);
        prepared.rows(rows, &mut keys);
        prepared.gather(rows, &ids, &mut gathered);
        assert!(ids.iter().zip(&gathered).all(|(id, key)| same(*key, want[*id as usize])), "{}", prepared.isa());
        assert!(keys.iter().zip(&want).all(|(key, want)| same(*key, *want)), "{}: {keys:?} {want:?}", prepared.isa());
    }
});
