//! Four-bit product codes: ways between the layouts, tables, and scans of any bytes, which give the plain sums.
#![no_main]
use elanus_fuzz::{Source, all_same, same};
use elanus_kernels::codes::pq4::{
    BLOCK, CENTROIDS, Layout, Packed, Pq4, Pq4Tables, pack, read_row, relayout, row_bytes, unpack, write_row,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut source = Source::new(bytes);
    let m = 1 + source.mostly_below(40, 600);
    let rows = if source.byte() % 16 == 0 { source.below(1500) } else { source.mostly_below(70, 300) };
    let layout = Layout::ALL[source.below(2)];
    // Any bytes are codes, where rows and sub-quantizers only fill up as well.
    let skip = source.below(65);
    let held = source.filled(skip + layout.packed_bytes(m, rows));
    let packed = &held[skip..];
    let mut codes = vec![0xa5; rows * row_bytes(m)];
    unpack(layout, m, packed, &mut codes);
    check_layouts(&mut source, m, rows, layout, packed, &codes);

    let lists: Vec<(Pq4Tables, Vec<u8>)> = (0..source.below(10)).map(|_| tables(&mut source, m)).collect();
    let refs: Vec<&Pq4Tables> = lists.iter().map(|(tables, _)| tables).collect();
    let first = source.below(rows / BLOCK + 1) * BLOCK;
    let count = source.below(rows - first + 1);
    let view = Packed::new(layout, m, rows, packed).expect("of that size");
    for pq in Pq4::all(layout) {
        let mut many = vec![f32::NAN; count * lists.len()];
        pq.keys_many(&refs, view, first, &mut many);
        for (q, (tables, entries)) in lists.iter().enumerate() {
            let want = plain(entries, &codes, m);
            let (mut sums, mut keys) = (vec![1; count], vec![f32::NAN; count]);
            pq.sums(tables, view, first, &mut sums);
            assert_eq!(sums, want[first..first + count], "{} {}", layout.name(), pq.isa());
            pq.keys(tables, view, first, &mut keys);
            for (key, sum) in keys.iter().zip(&sums) {
                assert!(same(*key, tables.bias() + tables.step() * *sum as f32), "{} {}", layout.name(), pq.isa());
            }
            assert!(all_same(&keys, &many[q * count..][..count]), "many on {} {}", layout.name(), pq.isa());
            let mut next = 0;
            pq.for_each_block(tables, view, |row, keys| {
                assert_eq!(row, next);
                for (key, sum) in keys.iter().zip(&want[row..]) {
                    assert!(same(*key, tables.bias() + tables.step() * *sum as f32), "each block on {}", pq.isa());
                }
                next += keys.len();
            });
            assert_eq!(next, rows, "all rows were handed over");
        }
    }
});

/// The tables of a query, given as bytes or quantised, and their entries.
fn tables(source: &mut Source<'_>, m: usize) -> (Pq4Tables, Vec<u8>) {
    if source.coin() {
        let entries = source.filled(m * CENTROIDS);
        return (Pq4Tables::from_u8(&entries, m, source.f32(), source.f32()), entries);
    }
    let luts = source.values(m * CENTROIDS).0;
    let tables = Pq4Tables::from_f32(&luts, m);
    let entries: Vec<u8> = (0..m).flat_map(|s| *tables.lut(s)).collect();
    if tables.bias().is_nan() {
        assert!(entries.iter().all(|entry| *entry == 0));
        return (tables, entries);
    }
    // The row of code `c` everywhere.
    for c in 0..CENTROIDS {
        let exact: f64 = luts.iter().skip(c).step_by(CENTROIDS).map(|entry| f64::from(*entry)).sum();
        let sum: u32 = entries.iter().skip(c).step_by(CENTROIDS).map(|entry| u32::from(*entry)).sum();
        let key = tables.bias() + tables.step() * sum as f32;
        let off = (f64::from(key) - exact).abs();
        assert!(off <= f64::from(tables.max_error()) || key.is_infinite(), "{key} for {exact}: {}", tables.max_error());
    }
    (tables, entries)
}

fn code(row: &[u8], s: usize) -> usize {
    usize::from(row[s / 2] >> (4 * (s % 2)) & 15)
}

fn plain(entries: &[u8], codes: &[u8], m: usize) -> Vec<u32> {
    let row = |row: &[u8]| (0..m).map(|s| u32::from(entries[s * CENTROIDS + code(row, s)])).sum();
    codes.chunks_exact(row_bytes(m)).map(row).collect()
}

/// Every way between row codes and the layouts.
fn check_layouts(source: &mut Source<'_>, m: usize, rows: usize, layout: Layout, packed: &[u8], codes: &[u8]) {
    let width = row_bytes(m);
    let mut row = vec![0xa5; width];
    for (i, want) in codes.chunks_exact(width).enumerate() {
        assert!(m % 2 == 0 || want[width - 1] < 16, "the last high half is zero");
        read_row(layout, m, packed, i, &mut row);
        assert_eq!(row, want, "row {i}");
    }
    for other in Layout::ALL {
        let mut fresh = vec![0xa5; other.packed_bytes(m, rows)];
        pack(other, m, codes, &mut fresh);
        let mut back = vec![0xa5; codes.len()];
        unpack(other, m, &fresh, &mut back);
        assert_eq!(back, codes, "packed and unpacked, {}", other.name());
        let (mut moved, mut again) = (vec![0xa5; fresh.len()], vec![0xa5; packed.len()]);
        relayout(m, (layout, packed), (other, &mut moved));
        unpack(other, m, &moved, &mut back);
        assert_eq!(back, codes, "from {} to {}", layout.name(), other.name());
        relayout(m, (other, &moved), (layout, &mut again));
        let mut zeroed = vec![0xa5; packed.len()];
        relayout(m, (layout, packed), (layout, &mut zeroed));
        assert_eq!(again, zeroed, "to {} and back", other.name());

        let mut written = vec![0; fresh.len()];
        for (i, row) in codes.chunks_exact(width).enumerate() {
            write_row(other, m, &mut written, i, row);
        }
        assert_eq!(written, fresh, "row by row, {}", other.name());
        if rows > 0 {
            let (i, row) = (source.below(rows), source.filled(width));
            write_row(other, m, &mut written, i, &row);
            unpack(other, m, &written, &mut back);
            let at = i * width..(i + 1) * width;
            assert!((0..m).all(|s| code(&back[at.clone()], s) == code(&row, s)), "the row that was written");
            back[at.clone()].copy_from_slice(&codes[at]);
            assert_eq!(back, codes, "the other rows");
        }
    }
}
