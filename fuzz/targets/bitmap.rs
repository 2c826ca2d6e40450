//! Bitmaps, and the rows that a scan keeps by them, against vectors of booleans.
#![no_main]
use elanus_fuzz::Source;
use elanus_kernels::{Bitmap, BitmapView, scan::Keep};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut source = Source::new(bytes);
    let len = source.below(400);
    let words: Vec<u64> = (0..len.div_ceil(64)).map(|_| source.u64()).collect();
    let mut bits = Bitmap::from_words(words.clone(), len);
    let mut plain: Vec<bool> = (0..len).map(|i| words[i / 64] >> (i % 64) & 1 == 1).collect();
    check(&bits, &plain);
    for _ in 0..source.byte() % 16 {
        match source.byte() % 7 {
            0 if !plain.is_empty() => {
                let (at, value) = (source.below(plain.len()), source.coin());
                bits.set(at, value);
                plain[at] = value;
            }
            1 => {
                let (len, value) = (source.below(400), source.coin());
                bits.resize(len, value);
                plain.resize(len, value);
            }
            2 => {
                bits.invert();
                plain.iter_mut().for_each(|bit| *bit = !*bit);
            }
            3 => bits = Bitmap::from_fn(plain.len(), |i| plain[i]),
            kind => {
                // Bits past the length may hold anything.
                let words: Vec<u64> = (0..plain.len().div_ceil(64)).map(|_| source.u64()).collect();
                let other = BitmapView::new(&words, plain.len());
                let op: fn(bool, bool) -> bool = match kind {
                    4 => |a, b| a & b,
                    5 => |a, b| a | b,
                    _ => |a, b| a & !b,
                };
                match kind {
                    4 => bits.and_with(other),
                    5 => bits.or_with(other),
                    _ => bits.and_not_with(other),
                }
                plain.iter_mut().enumerate().for_each(|(i, bit)| *bit = op(*bit, other.get(i)));
                let ones: Vec<usize> = (0..plain.len()).filter(|i| other.get(*i)).collect();
                assert!(other.iter_ones().eq(ones.iter().copied()) && other.count_ones() == ones.len());
            }
        }
        check(&bits, &plain);
    }
    for value in [false, true] {
        let all = if value { Bitmap::full(len) } else { Bitmap::new(len) };
        check(&all, &vec![value; len]);
    }
    keep(&mut source, &bits, &plain);
});

fn check(bits: &Bitmap, plain: &[bool]) {
    assert_eq!((bits.len(), bits.is_empty()), (plain.len(), plain.is_empty()));
    let ones: Vec<usize> = (0..plain.len()).filter(|i| plain[*i]).collect();
    assert!(bits.iter_ones().eq(ones.iter().copied()));
    assert_eq!(bits.count_ones(), ones.len());
    assert!((0..plain.len()).all(|i| bits.get(i) == plain[i]));
    assert_eq!(*bits, Bitmap::from_fn(plain.len(), |i| plain[i]), "bits past the length are clear");
    for at in [0, 1, 63, 64, 65, plain.len() / 2, plain.len(), plain.len() + 70] {
        let want = (0..64).filter(|i| plain.get(at + i) == Some(&true)).fold(0, |word, i| word | 1 << i);
        assert_eq!(bits.view().bits_at(at), want, "from {at}");
    }
}

fn keep(source: &mut Source<'_>, bits: &Bitmap, plain: &[bool]) {
    let (first, second) = (source.below(plain.len() + 1), source.below(plain.len() + 1));
    let rows = source.below(plain.len() - first.max(second) + 1);
    let both = Keep::new(bits.view(), first).and(bits.view(), second);
    for (keep, second) in [(Keep::new(bits.view(), first), first), (both, second)] {
        let want: Vec<bool> = (0..rows).map(|row| plain[first + row] && plain[second + row]).collect();
        assert!((0..rows).all(|row| keep.has(row) == want[row]) && !keep.is_all());
        assert_eq!(keep.count(rows), want.iter().filter(|kept| **kept).count());
        let from = source.below(rows + 1);
        let to = from + source.below(rows - from + 1);
        let mut words = vec![7];
        keep.write(from..to, &mut words);
        let view = BitmapView::new(&words, to - from);
        assert!((from..to).all(|row| view.get(row - from) == want[row]), "written from {from} to {to}");
    }
    assert_eq!(Keep::ALL.count(rows), rows);
}
