//! Words of bits at any offset are what single bits say.

use elanus_kernels::Bitmap;

use super::*;

#[test]
fn words_agree_with_bits() {
    let filter = Bitmap::from_fn(700, |i| i * i % 7 < 3);
    let present = Bitmap::from_fn(300, |i| i % 5 != 0);
    for first in [0, 1, 63, 64, 65, 200, 400] {
        for (filter, present) in [
            (None, None),
            (Some(filter.view()), None),
            (None, Some(present.view())),
            (Some(filter.view()), Some(present.view())),
        ] {
            let keep = Keep { filter, present, first };
            assert_eq!(keep.is_all(), filter.is_none() && present.is_none());
            let bits: Vec<bool> = (0..300).map(|row| keep.has(row)).collect();
            assert_eq!(keep.count(300), bits.iter().filter(|bit| **bit).count());
            for (start, end) in [(0, 64), (0, 1), (13, 77), (64, 100), (290, 300), (5, 5)] {
                let word = keep.word(start, end);
                for i in 0..64 {
                    assert_eq!(word >> i & 1 == 1, start + i < end && bits[start + i], "{first} {start} {end} {i}");
                }
            }
            let words = keep.words::<3>(20, 150);
            assert_eq!(words, [keep.word(20, 84), keep.word(84, 148), keep.word(148, 150)]);
            assert_eq!(keep.words::<3>(20, 30), [keep.word(20, 30), 0, 0]);
        }
    }
}
