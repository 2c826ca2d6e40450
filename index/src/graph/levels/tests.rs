//! Levels are spread as the paper says and pinned, since saved graphs and baselines rest on them.

use super::*;

#[test]
fn each_level_holds_one_in_m_of_the_level_below() {
    for m in [2, 16, 30] {
        let levels: Vec<u32> = (0..100_000).map(|id| level_of(7, id, m)).collect();
        let at_least = |level: u32| levels.iter().filter(|l| **l >= level).count() as f64;
        for level in 1..=2 {
            let want = 100_000.0 / (m as f64).powi(level as i32);
            assert!((at_least(level) - want).abs() < 5.0 * want.sqrt(), "M {m}: {} on level {level}", at_least(level));
        }
        assert!(levels.iter().all(|level| *level <= MAX_LEVEL));
    }
}

#[test]
fn the_order_is_by_level_and_depends_on_seed_alone() {
    let order = insertion_order(0..1000, 1, 4);
    assert!(order.windows(2).all(|pair| pair[0].1 >= pair[1].1));
    let mut ids: Vec<u32> = order.iter().map(|(id, _)| *id).collect();
    assert_ne!(ids, insertion_order(0..1000, 2, 4).iter().map(|(id, _)| *id).collect::<Vec<_>>());
    assert_eq!(order, insertion_order((0..1000).rev(), 1, 4));
    let ascents = ids[500..].windows(2).filter(|pair| pair[0] < pair[1]).count();
    assert!((200..300).contains(&ascents), "{ascents} of 499 steps ascend");
    ids.sort_unstable();
    assert!(ids.iter().copied().eq(0..1000));
}

#[test]
fn the_stream_is_pinned() {
    assert_eq!(mix(1), 0x5692_161d_100b_05e5);
    assert_eq!((0..40).map(|id| level_of(0, id, 2)).sum::<u32>(), PINNED);
}

const PINNED: u32 = 34;
