//! Eight-bit product codes, and codebooks of both widths, over any bytes and values: the plain sums.
#![no_main]
use elanus_fuzz::{Source, all_same, same};
use elanus_kernels::{
    Metric, Rows,
    codes::pq8::{CENTROIDS, Codebooks, Pq8, Pq8Tables},
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut source = Source::new(bytes);
    if source.coin() { scan(&mut source) } else { codebooks(&mut source) }
});

fn scan(source: &mut Source<'_>) {
    let m = 1 + if source.byte() % 64 == 63 { 500 + source.below(120) } else { source.mostly_below(9, 110) };
    let count = source.mostly_below(90, 600);
    let luts = source.values(m * CENTROIDS).0;
    let skip = source.below(65);
    let held = source.filled(skip + count * m);
    let codes = Rows::new(&held[skip..], m).expect("whole rows");
    let ids: Vec<u32> =
        (0..if count == 0 { 0 } else { source.below(70) }).map(|_| source.below(count) as u32).collect();
    let entry = |row: &[u8], s: usize| luts[s * CENTROIDS + usize::from(row[s])];
    let want: Vec<f32> = codes.iter().map(|row| (0..m).fold(0.0, |sum, s| sum + entry(row, s))).collect();

    let tables = Pq8Tables::from_f32(&luts, m);
    let by_bytes = |row: &[u8]| -> f32 {
        let sum: u32 = row.iter().zip(tables.luts()).map(|(code, lut)| u32::from(lut[usize::from(*code)])).sum();
        tables.bias() + tables.step() * sum as f32
    };
    for pq in Pq8::all() {
        let (mut keys, mut gathered) = (vec![f32::NAN; count], vec![f32::NAN; ids.len()]);
        pq.rows(&luts, codes, &mut keys);
        assert!(all_same(&keys, &want), "{}", pq.isa());
        pq.gather(&luts, codes, &ids, &mut gathered);
        assert!(ids.iter().zip(&gathered).all(|(id, key)| same(*key, want[*id as usize])), "gathered on {}", pq.isa());
        pq.rows_by_bytes(&tables, codes, &mut keys);
        for (row, key) in codes.iter().zip(&keys) {
            assert!(same(*key, by_bytes(row)), "by bytes on {}", pq.isa());
            if key.is_finite() {
                let exact: f64 = (0..m).map(|s| f64::from(entry(row, s))).sum();
                let off = (f64::from(*key) - exact).abs();
                assert!(off <= f64::from(tables.max_error()), "{key} for {exact}: {}", tables.max_error());
            }
        }
    }
}

fn codebooks(source: &mut Source<'_>) {
    let k = if source.coin() { 16 } else { 256 };
    let (m, dsub, count) = (1 + source.below(7), 1 + source.below(9), source.below(100));
    let dim = m * dsub;
    let (centroids, rows, query) = (source.values(m * k * dsub).0, source.values(count * dim).0, source.values(dim).0);
    let hostile_rows = source.below(9);
    let mut sets = Codebooks::all(&centroids, m, k, dsub).peekable();
    let width = sets.peek().expect("there is plain code").row_bytes();
    let hostile = source.filled(hostile_rows * width);

    let centroid = |s: usize, c: usize| &centroids[(s * k + c) * dsub..][..dsub];
    let far = |part: &[f32], c: &[f32]| part.iter().zip(c).fold(0.0, |sum: f32, (a, b)| sum + (a - b) * (a - b));
    let ip = |part: &[f32], c: &[f32]| part.iter().zip(c).fold(0.0, |sum: f32, (a, b)| sum - a * b);
    let nearest = |s: usize, part: &[f32]| {
        let nearer = |best: (f32, usize), c: usize| {
            let key = far(part, centroid(s, c));
            if key < best.0 { (key, c) } else { best }
        };
        (0..k).fold((f32::INFINITY, 0), nearer).1
    };
    let want: Vec<usize> = rows
        .chunks_exact(dim)
        .flat_map(|row| row.chunks_exact(dsub).enumerate().map(|(s, part)| nearest(s, part)))
        .collect();
    let code = |row: &[u8], s: usize| usize::from(if k == 16 { row[s / 2] >> (4 * (s % 2)) & 15 } else { row[s] });
    for books in sets {
        let mut codes = vec![0xa5; count * width];
        books.encode(Rows::new(&rows, dim).expect("whole rows"), &mut codes);
        let got: Vec<usize> = codes.chunks_exact(width).flat_map(|row| (0..m).map(|s| code(row, s))).collect();
        assert_eq!(got, want, "codes on {}", books.isa());
        for codes in [&codes, &hostile] {
            let mut decoded = vec![0.0; codes.len() / width * dim];
            books.decode(codes, &mut decoded);
            for (row, decoded) in codes.chunks_exact(width).zip(decoded.chunks_exact(dim)) {
                for (s, part) in decoded.chunks_exact(dsub).enumerate() {
                    assert!(all_same(part, centroid(s, code(row, s))), "decoded on {}", books.isa());
                }
            }
        }
        for metric in [Metric::L2, Metric::Ip] {
            let mut out = vec![0.0; m * k];
            books.tables(&query, metric, &mut out);
            for (i, entry) in out.iter().enumerate() {
                let (part, c) = (&query[i / k * dsub..][..dsub], centroid(i / k, i % k));
                let want = if metric == Metric::L2 { far(part, c) } else { ip(part, c) };
                assert!(same(*entry, want), "tables of {metric} on {}: {entry} {want}", books.isa());
            }
        }
    }
}
