//! Levels, wishes and snapshots.

use super::{Guarantee, level, read_at, wire_level};
use elanus::ReadAt;

const SESSION: i32 = 1;
const BOUNDED: i32 = 2;
const CUSTOMIZED: i32 = 4;

fn at(level: i32, timestamp: u64) -> ReadAt {
    read_at(Guarantee { level, use_default: false, timestamp, iterates: false }).unwrap()
}

#[test]
fn the_level_decides_and_small_timestamps_are_wishes() {
    assert_eq!(at(0, 12_345), ReadAt::Strong);
    assert_eq!(at(BOUNDED, 2), ReadAt::Bounded);
    assert_eq!(at(3, 1), ReadAt::Eventually);
    assert_eq!([0, 1, 2].map(|ts| at(SESSION, ts)), [ReadAt::Strong, ReadAt::Eventually, ReadAt::Bounded]);
    assert_eq!([0, 1, 2].map(|ts| at(CUSTOMIZED, ts)), [ReadAt::Strong, ReadAt::Eventually, ReadAt::Bounded]);
    assert_eq!(at(SESSION, 3), ReadAt::Session(3));
    assert_eq!(at(CUSTOMIZED, 1 << 40), ReadAt::Customized(1 << 40));
}

#[test]
fn the_collections_level_counts_when_asked_for() {
    let guarantee = Guarantee { level: 0, use_default: true, timestamp: 99, iterates: false };
    assert_eq!(read_at(guarantee).unwrap(), ReadAt::Default);
}

#[test]
fn pages_of_an_iterator_read_at_the_first_pages_time() {
    let page = |timestamp| Guarantee { level: 0, use_default: true, timestamp, iterates: true };
    assert_eq!(read_at(page(1 << 50)).unwrap(), ReadAt::Snapshot(1 << 50));
    assert_eq!(read_at(page(0)).unwrap(), ReadAt::Default);
}

#[test]
fn levels_go_there_and_back_and_unknown_ones_are_errors() {
    for number in 0..5 {
        assert_eq!(wire_level(level(number).unwrap()), number);
    }
    assert!(level(5).unwrap_err().reason().contains('5'));
    assert!(read_at(Guarantee { level: -1, use_default: true, timestamp: 0, iterates: false }).is_err());
}
