//! Limits grow with the factor, from the origin, and a walk that never stops has none.

use super::*;

#[test]
fn limits_are_counted_from_the_origin() {
    let l2 = Stop { count: 10, factor: 1.5, ..Stop::NEVER };
    assert_eq!([l2.limit(2.0), l2.limit(0.0)], [3.0, 0.0]);
    let cosine = Stop { origin: -1.0, ..l2 };
    assert_eq!([cosine.limit(-0.5), cosine.limit(-1.0)], [-0.25, -1.0]);
    // A code's key may lie a little below what any row's can be.
    assert_eq!(cosine.limit(-1.01), -1.0);
    let none = l2.limit(f32::NAN);
    assert!(none.is_nan() || none == 0.0);
}
