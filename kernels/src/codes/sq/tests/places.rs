//! Scans that are too long for the first-level cache, and for all caches, against the same rows named one by one.
use super::{Encoded, sample};
use crate::{
    Metric, Rows,
    codes::{
        dot::BLOCK_ROWS,
        sq::{SqCodec, SqGrid, SqParams},
    },
    rng::Rng,
};

#[test]
fn a_key_does_not_depend_on_how_many_are_asked_for() {
    let mut rng = Rng::new(23);
    // 40 KiB of rows are in the first-level cache, and 1 MiB come from memory.
    for (dim, bits, count) in [(768, 8, 1500), (768, 4, 2900), (200, 8, 5300), (200, 4, 700), (72, 4, 1300)] {
        let values = sample(&mut rng, 64, dim);
        let sources = Rows::new(&values, dim).unwrap();
        let query = sample(&mut rng, 1, dim);
        for (metric, grid) in [(Metric::L2, SqGrid::Uniform { trim: 0.0 }), (Metric::Cosine, SqGrid::PerVector)] {
            let codec = SqCodec::new(SqParams::train(metric, bits, grid, sources).unwrap()).unwrap();
            let few = Encoded::new(&codec, sources);
            let repeated = |bytes: &[u8], len: usize| bytes.iter().copied().cycle().take(len).collect();
            let all = Encoded {
                rows: repeated(&few.rows, count * codec.record_bytes()),
                blocks: repeated(&few.blocks, count / BLOCK_ROWS * codec.block_bytes()),
                clamped: vec![0; count],
            };
            let (mut one_by_one, mut rows) = (vec![f32::NAN; 64], vec![f32::NAN; count]);
            let ids: Vec<u32> = (0..64).collect();
            let prepared = codec.prepare_rows(&query).unwrap();
            codec.gather(&prepared, few.records(&codec), &ids, &mut one_by_one);
            codec.rows(&prepared, all.records(&codec), &mut rows);
            let want: Vec<f32> = one_by_one.iter().copied().cycle().take(count).collect();
            assert_eq!(rows, want, "rows of {bits} bits, {dim} components");
            let mut blocks = vec![f32::NAN; count / BLOCK_ROWS * BLOCK_ROWS];
            let prepared = codec.prepare_blocks(&query).unwrap();
            codec.blocks(&prepared, all.block_records(&codec), &mut blocks);
            assert_eq!(blocks, want[..blocks.len()], "blocks of {bits} bits, {dim} components");
        }
    }
}
