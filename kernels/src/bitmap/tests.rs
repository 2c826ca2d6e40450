//! Bitmaps against vectors of `bool`.
use super::{Bitmap, BitmapView};
use crate::rng::Rng;

const LENGTHS: [usize; 12] = [0, 1, 2, 63, 64, 65, 127, 128, 129, 200, 640, 1000];

fn draw(rng: &mut Rng, len: usize) -> Vec<bool> {
    let sparse = 1 + rng.below(6);
    (0..len).map(|_| rng.below(sparse + 1) == 0).collect()
}

fn of(bits: &[bool]) -> Bitmap {
    Bitmap::from_fn(bits.len(), |i| bits[i])
}

/// Everything readable agrees with the model, and no bit is set past the length.
#[track_caller]
fn assert_is(bitmap: &Bitmap, model: &[bool]) {
    let ones: Vec<usize> = (0..model.len()).filter(|i| model[*i]).collect();
    assert_eq!((bitmap.len(), bitmap.is_empty()), (model.len(), model.is_empty()));
    assert_eq!((0..model.len()).map(|i| bitmap.get(i)).collect::<Vec<_>>(), model);
    assert_eq!(bitmap.count_ones(), ones.len());
    assert_eq!(bitmap.iter_ones().collect::<Vec<_>>(), ones);
    assert_eq!(bitmap.words().iter().map(|w| w.count_ones() as usize).sum::<usize>(), ones.len());
}

#[test]
fn constructors_and_single_bits() {
    let mut rng = Rng::new(31);
    for len in LENGTHS {
        assert_is(&Bitmap::new(len), &vec![false; len]);
        assert_is(&Bitmap::full(len), &vec![true; len]);
        let mut model = draw(&mut rng, len);
        let mut bitmap = of(&model);
        assert_is(&bitmap, &model);
        for _ in 0..len {
            let (i, value) = (rng.below(len as u64) as usize, rng.below(2) == 0);
            bitmap.set(i, value);
            model[i] = value;
        }
        assert_is(&bitmap, &model);
        assert_eq!(Bitmap::from_words(bitmap.words().to_vec(), len), bitmap);
    }
}

#[test]
fn resizing_fills_with_the_value() {
    let mut rng = Rng::new(32);
    for from in LENGTHS {
        for to in LENGTHS {
            for value in [false, true] {
                let mut model = draw(&mut rng, from);
                let mut bitmap = of(&model);
                bitmap.resize(to, value);
                model.resize(to, value);
                assert_is(&bitmap, &model);
            }
        }
    }
}

#[test]
fn combining_is_bit_by_bit() {
    let mut rng = Rng::new(33);
    for len in LENGTHS {
        let (a, b) = (draw(&mut rng, len), draw(&mut rng, len));
        let zip = |op: fn(bool, bool) -> bool| a.iter().zip(&b).map(|(a, b)| op(*a, *b)).collect::<Vec<_>>();
        let (left, right) = (of(&a), of(&b));
        let mut and = left.clone();
        and.and_with(right.view());
        assert_is(&and, &zip(|a, b| a & b));
        let mut or = left.clone();
        or.or_with(right.view());
        assert_is(&or, &zip(|a, b| a | b));
        let mut and_not = left.clone();
        and_not.and_not_with(right.view());
        assert_is(&and_not, &zip(|a, b| a & !b));
        let mut inverted = left.clone();
        inverted.invert();
        assert_is(&inverted, &zip(|a, _| !a));
    }
}

#[test]
fn bits_past_the_length_of_a_view_are_not_seen() {
    let words = [u64::MAX, u64::MAX];
    let view = BitmapView::new(&words, 70);
    assert_eq!((view.len(), view.count_ones(), view.iter_ones().count()), (70, 70, 70));
    assert_eq!(view.iter_ones().last(), Some(69));
    assert_eq!(view.words(), words);
    let mut bitmap = Bitmap::new(70);
    bitmap.or_with(view);
    assert_is(&bitmap, &[true; 70]);
    assert_is(&Bitmap::from_words(words.to_vec(), 70), &[true; 70]);
    assert!(!view.is_empty() && BitmapView::new(&[], 0).is_empty());
}

#[test]
fn misuse_is_refused() {
    let panics = |f: fn()| std::panic::catch_unwind(f).is_err();
    assert!(panics(|| assert!(!BitmapView::new(&[0], 65).is_empty())));
    assert!(panics(|| assert!(!BitmapView::new(&[0, 0], 64).is_empty())));
    assert!(panics(|| drop(Bitmap::from_words(vec![], 1))));
    assert!(panics(|| assert!(!Bitmap::new(64).get(64))));
    assert!(panics(|| Bitmap::new(3).set(3, true)));
    assert!(panics(|| Bitmap::new(3).and_with(Bitmap::new(4).view())));
}

#[test]
fn sixty_four_bits_are_read_from_any_position() {
    let mut rng = Rng::new(34);
    for len in LENGTHS {
        let model = draw(&mut rng, len);
        // Words whose unused bits are set.
        let mut words = of(&model).words().to_vec();
        if let (Some(last), used @ 1..) = (words.last_mut(), len % 64) {
            *last |= u64::MAX << used;
        }
        let view = BitmapView::new(&words, len);
        for at in 0..len + 130 {
            let want = (0..64).filter(|i| model.get(at + i) == Some(&true)).fold(0, |word, i| word | 1u64 << i);
            assert_eq!(view.bits_at(at), want, "from {at} of {len}");
        }
    }
}
