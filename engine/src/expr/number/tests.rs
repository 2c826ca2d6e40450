//! Tests of exact comparison and of arithmetic.

use super::*;
use Number::{Float, Int};

#[test]
fn integers_and_floats_compare_without_rounding() {
    let big = 9_007_199_254_740_992_i128; // 2^53
    let cases = [
        (Int(1), Float(1.0), Some(Ordering::Equal)),
        (Int(1), Float(1.5), Some(Ordering::Less)),
        (Int(-1), Float(-1.5), Some(Ordering::Greater)),
        (Int(0), Float(-0.0), Some(Ordering::Equal)),
        (Int(0), Float(-0.5), Some(Ordering::Greater)),
        (Int(big + 1), Float(big as f64), Some(Ordering::Greater)),
        (Int(i128::from(i64::MAX)), Float(i64::MAX as f64), Some(Ordering::Less)),
        (Int(i128::from(i64::MIN)), Float(i64::MIN as f64), Some(Ordering::Equal)),
        (Int(i128::MAX), Float(I128_END), Some(Ordering::Less)),
        (Int(i128::MIN), Float(-I128_END), Some(Ordering::Equal)),
        (Int(i128::MAX), Float(f64::INFINITY), Some(Ordering::Less)),
        (Int(i128::MIN), Float(f64::NEG_INFINITY), Some(Ordering::Greater)),
        (Int(1), Float(f64::NAN), None),
        (Float(f64::NAN), Float(f64::NAN), None),
    ];
    for (left, right, want) in cases {
        assert_eq!(left.compare(right), want, "{left:?} {right:?}");
        assert_eq!(right.compare(left), want.map(Ordering::reverse), "{right:?} {left:?}");
    }
}

#[test]
fn equal_numbers_have_one_canonical_form() {
    let values = [Int(0), Float(-0.0), Int(7), Float(7.0), Float(7.5), Float(-I128_END), Int(i128::MIN), Float(1e300)];
    for left in values {
        for right in values {
            let equal = left.compare(right) == Some(Ordering::Equal);
            assert_eq!(left.canonical() == right.canonical(), equal, "{left:?} {right:?}");
        }
    }
    assert_eq!(Float(f64::INFINITY).canonical(), Float(f64::INFINITY));
}

#[test]
fn row_arithmetic_has_no_result_where_it_would_wrap() {
    let cases = [
        (Arith::Add, i64::MAX, 1, None),
        (Arith::Sub, i64::MIN, 1, None),
        (Arith::Mul, i64::MAX, 2, None),
        (Arith::Div, i64::MIN, -1, None),
        (Arith::Div, 7, 0, None),
        (Arith::Div, -7, 2, Some(-3)),
        (Arith::Rem, -7, 2, Some(-1)),
        (Arith::Rem, 7, 0, None),
        (Arith::Rem, i64::MIN, -1, Some(0)),
        (Arith::Pow, 2, 62, Some(1 << 62)),
        (Arith::Pow, 2, 63, None),
        (Arith::Pow, 2, -1, None),
        (Arith::Pow, 0, 0, Some(1)),
        (Arith::BitAnd, 6, 3, Some(2)),
        (Arith::BitOr, 6, 3, Some(7)),
        (Arith::BitXor, 6, 3, Some(5)),
    ];
    for (arith, left, right, want) in cases {
        assert_eq!(arith.int(left, right), want, "{left} {arith:?} {right}");
    }
    assert_eq!(Arith::Div.float(1.0, 0.0), None);
    assert_eq!(Arith::Mul.float(1e308, 10.0), None);
    assert_eq!(Arith::Rem.float(5.0, 2.0), None);
    assert_eq!(Arith::Pow.float(2.0, -1.0), Some(0.5));
    assert_eq!(Arith::Add.number(Int(1), Float(0.5)), Some(Float(1.5)));
    assert_eq!(Arith::Add.number(Int(i128::MAX), Int(0)), None);
}

#[test]
fn constants_fold_or_say_why_not() {
    assert_eq!(Arith::Mul.fold(Int(i128::from(i64::MAX)), Int(2)), Ok(Int(2 * i128::from(i64::MAX))));
    assert_eq!(Arith::Pow.fold(Int(2), Int(-1)), Ok(Float(0.5)));
    assert_eq!(Arith::Div.fold(Int(1), Float(2.0)), Ok(Float(0.5)));
    assert_eq!(Arith::Div.fold(Int(1), Int(0)), Err("division by zero".to_owned()));
    assert_eq!(Arith::Rem.fold(Float(1.0), Float(0.5)), Err("operator % needs integers".to_owned()));
    assert_eq!(Arith::Pow.fold(Int(2), Int(127)), Err("the result of ** overflows".to_owned()));
    assert_eq!(Arith::Mul.fold(Float(1e308), Int(10)), Err("the result of * overflows".to_owned()));
}
