//! Marks of one walk never show in another.

use super::*;

#[test]
fn walks_do_not_see_each_others_marks() {
    let mut visited = Visited::default();
    // More walks than there are mark values.
    for walk in 0..70_000_u32 {
        visited.start(10);
        assert!(visited.insert(walk % 10));
        assert!(!visited.insert(walk % 10));
        assert!(visited.insert((walk + 1) % 10));
    }
    visited.start(20);
    assert!((0..20).all(|node| visited.insert(node)));
}
