//! Timed searches over codes on request: one line in, one line out, so that another program can take turns.
use std::{
    io::{self, BufRead, Write},
    time::Instant,
};

use elanus_kernels::{
    Metric, TopK,
    codes::{
        pq4::{self, Codebooks, Layout, Packed, Pq4, Pq4Tables},
        rabitq::{self, BlockQuery, Codec, Encoder, Estimator, Fit, Query},
        rotate::Rotation,
    },
    rng::Rng,
};

/// What went wrong, for the other program.
type Failure = Box<dyn std::error::Error>;

/// A whole search with one query, from the vector to the `k` nearest.
type Search = Box<dyn FnMut(&[f32], &mut TopK)>;

/// Answers `pq4 DIM M ROWS K REPEATS` and `rabitq DIM ROWS K REPEATS` with the microseconds of a search, the least and the
/// median of the repeats.
pub(crate) fn serve() -> io::Result<()> {
    let mut ready: Option<(String, Search)> = None;
    for line in io::stdin().lock().lines() {
        let line = line?;
        let answer = round(&line, &mut ready).unwrap_or_else(|error| serde_json::json!({ "error": error.to_string() }));
        let mut out = io::stdout().lock();
        writeln!(out, "{answer}")?;
        out.flush()?;
    }
    Ok(())
}

fn round(line: &str, ready: &mut Option<(String, Search)>) -> Result<serde_json::Value, Failure> {
    let mut words = line.split_whitespace();
    let code = words.next().ok_or("an empty line")?;
    let numbers = words.map(str::parse).collect::<Result<Vec<usize>, _>>()?;
    let (shape, k, repeats) = match (code, &numbers[..]) {
        ("pq4", [dim, m, rows, k, repeats]) => ([*dim, *m, *rows], *k, *repeats),
        ("rabitq", [dim, rows, k, repeats]) => ([*dim, 0, *rows], *k, *repeats),
        _ => return Err(format!("want `pq4 DIM M ROWS K REPEATS` or `rabitq DIM ROWS K REPEATS`, got {line:?}").into()),
    };
    let name = format!("{code} {shape:?}");
    if ready.as_ref().is_none_or(|(is, _)| *is != name) {
        let [dim, m, rows] = shape;
        let search = if code == "pq4" { product_codes(dim, m, rows)? } else { one_bit(dim, rows)? };
        *ready = Some((name, search));
    }
    let Some((_, search)) = ready else { return Err("nothing is ready".into()) };
    let query = normals(5, shape[0]);
    let mut times: Vec<f64> = (0..repeats.max(1))
        .map(|_| {
            let start = Instant::now();
            let mut nearest = TopK::new(k);
            search(&query, &mut nearest);
            std::hint::black_box(nearest.into_sorted());
            start.elapsed().as_secs_f64() * 1e6
        })
        .collect();
    times.sort_by(f64::total_cmp);
    Ok(serde_json::json!({ "least": times[0], "median": times[times.len() / 2] }))
}

fn normals(seed: u64, count: usize) -> Vec<f32> {
    let mut rng = Rng::new(seed);
    (0..count).map(|_| rng.normal()).collect()
}

fn product_codes(dim: usize, m: usize, rows: usize) -> Result<Search, Failure> {
    if m == 0 || !dim.is_multiple_of(m) {
        return Err(format!("dimension {dim} in {m} parts").into());
    }
    let layout = Layout::preferred()?;
    let scan = Pq4::new(layout)?;
    let codebooks = Codebooks::new(&normals(6, dim * pq4::CENTROIDS), m, pq4::CENTROIDS, dim / m)?;
    let mut rng = Rng::new(7);
    let codes: Vec<u8> = (0..layout.packed_bytes(m, rows)).map(|_| rng.next_u64() as u8).collect();
    let (mut luts, mut tables) = (vec![0.0; m * pq4::CENTROIDS], Pq4Tables::new(m));
    Ok(Box::new(move |query, nearest| {
        codebooks.tables(query, Metric::L2, &mut luts);
        tables.fill(&luts);
        if let Ok(codes) = Packed::new(layout, m, rows, &codes) {
            scan.for_each_block(&tables, codes, |first, keys| nearest.push_block(first as u32, keys, None));
        }
    }))
}

fn one_bit(dim: usize, rows: usize) -> Result<Search, Failure> {
    let rotation = Rotation::new(dim, 1)?;
    let codec = Codec::new(Metric::L2, rotation.padded(), 1)?;
    let (estimator, encoder) = (Estimator::new()?, Encoder::new(codec, Fit::Fast));
    let (mut rotated, origin) = (vec![0.0; codec.dim()], vec![0.0; codec.dim()]);
    // Some blocks, repeated: what they hold makes no difference to the time.
    let mut records = vec![0; rabitq::BLOCK * codec.record_bytes()];
    for (i, record) in records.chunks_mut(codec.record_bytes()).enumerate() {
        rotation.apply(&normals(100 + i as u64, dim), &mut rotated);
        encoder.encode(&rotated, &origin, 0, record, &mut []);
    }
    let mut block = vec![0; codec.block_bytes()];
    codec.pack_block(codec.records(&records, codec.record_bytes()), 0, &mut block);
    let blocks: Vec<u8> = block.repeat(rows.div_ceil(rabitq::BLOCK));
    let mut query = Query::new(codec);
    let mut prepared = BlockQuery::new(&estimator, &query);
    let (mut keys, mut errors) = (vec![0.0; 8 * rabitq::BLOCK], vec![0.0; 8 * rabitq::BLOCK]);
    Ok(Box::new(move |vector, nearest| {
        rotation.apply(vector, &mut rotated);
        query.prepare(&rotated);
        prepared.prepare(&query);
        let term = query.origin();
        let step = 8 * codec.block_bytes();
        for (i, part) in blocks.chunks(step).enumerate() {
            let first = i * 8 * rabitq::BLOCK;
            let count = (rows - first).min(part.len() / codec.block_bytes() * rabitq::BLOCK);
            prepared.scan(part, term, &mut keys[..count], &mut errors[..count]);
            nearest.push_block(first as u32, &keys[..count], None);
        }
    }))
}
