//! Tests of the ranges that comparisons become, by trying values.

use super::*;

const ORDERS: [Order; 5] = [Order::Eq, Order::Lt, Order::Le, Order::Gt, Order::Ge];

#[test]
fn integer_ranges_hold_what_the_comparison_holds() {
    let constants = [
        Number::Int(0),
        Number::Int(5),
        Number::Int(i128::from(i64::MAX)),
        Number::Int(i128::from(i64::MAX) + 1),
        Number::Int(i128::from(i64::MIN)),
        Number::Int(i128::from(i64::MIN) - 1),
        Number::Int(i128::MAX),
        Number::Int(i128::MIN),
        Number::Float(0.5),
        Number::Float(-0.5),
        Number::Float(-0.0),
        Number::Float(4.0),
        Number::Float(1e300),
        Number::Float(-1e300),
        Number::Float(9_223_372_036_854_775_807.0),
    ];
    let values = [i64::MIN, i64::MIN + 1, -5, -1, 0, 1, 4, 5, 6, i64::MAX - 1, i64::MAX];
    for constant in constants {
        for order in ORDERS {
            let (least, greatest) = int_range(order, constant);
            for value in values {
                let want = order.holds(Number::Int(i128::from(value)).compare(constant));
                assert_eq!((least..=greatest).contains(&value), want, "{value} {order:?} {constant:?}");
            }
        }
    }
}

#[test]
fn double_ranges_hold_what_the_comparison_holds() {
    let two_53 = 9_007_199_254_740_992_i128;
    let constants = [
        Number::Int(0),
        Number::Int(two_53),
        Number::Int(two_53 + 1),
        Number::Int(-two_53 - 1),
        Number::Int(two_53 + 3),
        Number::Int(i128::MAX),
        Number::Int(i128::MIN),
        Number::Float(0.0),
        Number::Float(-0.0),
        Number::Float(0.1),
        Number::Float(f64::MAX),
        Number::Float(f64::MIN),
    ];
    let base = [0.0, -0.0, 0.1, 1.0, two_53 as f64, -(two_53 as f64), f64::MAX, f64::MIN, 1e38, 1.7e38];
    let values = base.into_iter().flat_map(|value: f64| [value, value.next_up(), value.next_down()]);
    let values: Vec<f64> = values.chain([f64::INFINITY, f64::NEG_INFINITY, f64::NAN]).collect();
    for constant in constants {
        for order in ORDERS {
            let (least, greatest) = double_range(order, constant);
            for &value in &values {
                let want = order.holds(Number::Float(value).compare(constant));
                assert_eq!(value >= least && value <= greatest, want, "{value:?} {order:?} {constant:?}");
            }
        }
    }
}

#[test]
fn single_ranges_round_the_constant_first() {
    let constants =
        [Number::Float(0.1), Number::Int(16_777_217), Number::Float(1e300), Number::Float(-1e300), Number::Float(0.0)];
    let values = [0.1_f32, 0.1_f32.next_up(), 16_777_216.0, f32::MAX, f32::INFINITY, f32::NEG_INFINITY, f32::NAN, -0.0];
    for constant in constants {
        for order in ORDERS {
            let (least, greatest) = single_range(order, constant);
            for value in values {
                let want = order.holds(value.partial_cmp(&to_single(constant)));
                let wide = f64::from(value);
                assert_eq!(wide >= least && wide <= greatest, want, "{value:?} {order:?} {constant:?}");
            }
        }
    }
}
