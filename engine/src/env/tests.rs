//! Tests of the clocks.

use std::time::Duration;

use super::{Clock, ManualClock, SystemClock, entropy};

#[test]
fn the_manual_clock_moves_only_when_told() {
    let clock = ManualClock::new(1_000);
    assert_eq!((clock.now_ms(), clock.monotonic()), (1_000, Duration::ZERO));
    clock.advance(5);
    assert_eq!((clock.now_ms(), clock.monotonic()), (1_005, Duration::from_millis(5)));
    clock.set(10);
    assert_eq!((clock.now_ms(), clock.monotonic()), (10, Duration::from_millis(5)));
}

#[test]
fn the_system_clock_is_past_2020_and_does_not_go_back() {
    let clock = SystemClock::default();
    assert!(clock.now_ms() > 1_577_836_800_000);
    let mut last = Duration::ZERO;
    for _ in 0..1_000 {
        let now = clock.monotonic();
        assert!(now >= last);
        last = now;
    }
}

#[test]
fn entropy_differs_from_call_to_call() {
    let drawn: std::collections::HashSet<u64> = (0..64).map(|_| entropy()).collect();
    assert_eq!(drawn.len(), 64);
}
