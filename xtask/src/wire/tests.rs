//! Tests of what is read from pytest.

use super::passed_of;

#[test]
fn the_count_is_read_from_the_summary() {
    assert_eq!(passed_of("12 passed in 3.45s"), Some(12));
    assert_eq!(passed_of("1 failed, 7 passed, 2 skipped in 0.1s"), Some(7));
    assert_eq!(passed_of("passed"), None);
    assert_eq!(passed_of("tests/wire/search.py ......   [100%]"), None);
}
