//! Tests of masks against plain Booleans.

use super::*;
use elanus_kernels::rng::Rng;

fn rows_of(mask: &Mask) -> Vec<usize> {
    (0..ROWS).filter(|row| mask.0[row / 64] >> (row % 64) & 1 == 1).collect()
}

#[test]
fn values_become_the_bits_of_their_rows() {
    let mut rng = Rng::new(1);
    for len in [0, 1, 7, 63, 64, 65, 128, 1000, ROWS - 1, ROWS] {
        let values: Vec<u64> = (0..len).map(|_| rng.next_u64() % 5).collect();
        let want: Vec<usize> = (0..len).filter(|&row| values[row] < 2).collect();
        let mask = Mask::of_values(&values, |value| value < 2);
        assert_eq!(rows_of(&mask), want, "{len}");
        assert_eq!(mask.rows().collect::<Vec<_>>(), want, "{len}");
    }
    for row in 0..64 {
        let values: [u8; 64] = std::array::from_fn(|other| u8::from(other == row));
        assert_eq!(pack(&values, |value| value == 1), 1 << row);
        assert_eq!(pack(&values, |value| value == 0), !(1 << row));
    }
}

#[test]
fn first_rows() {
    for len in [0, 1, 63, 64, 65, 700, ROWS - 1, ROWS] {
        assert_eq!(rows_of(&Mask::first(len)), (0..len).collect::<Vec<_>>(), "{len}");
    }
}

#[test]
fn sets_of_rows_combine() {
    let (mut left, mut right) = (Mask::NONE, Mask::NONE);
    [1, 64, 2000].into_iter().for_each(|row| left.set(row));
    [64, 65].into_iter().for_each(|row| right.set(row));
    assert_eq!(rows_of(&left.and(&right)), [64]);
    assert_eq!(rows_of(&left.or(&right)), [1, 64, 65, 2000]);
    assert_eq!(rows_of(&left.without(&right)), [1, 2000]);
    assert!(Mask::NONE.is_empty() && !left.is_empty());
}

#[test]
fn known_rows_are_true_or_false_and_never_both() {
    let (mut yes, mut known) = (Mask::NONE, Mask::NONE);
    [0, 1].into_iter().for_each(|row| yes.set(row));
    [1, 2].into_iter().for_each(|row| known.set(row));
    let tri = Tri::known(&yes, &known);
    assert_eq!((rows_of(&tri.yes), rows_of(&tri.no)), (vec![1], vec![2]));
    assert_eq!((rows_of(&tri.not().yes), rows_of(&tri.not().no)), (vec![2], vec![1]));
    let mut tri = Tri::UNKNOWN;
    tri.set(3, Some(true));
    tri.set(4, Some(false));
    tri.set(5, None);
    assert_eq!((rows_of(&tri.yes), rows_of(&tri.no)), (vec![3], vec![4]));
}
