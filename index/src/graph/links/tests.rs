//! Rows of links end at the first unused place, and levels number their nodes.

use super::*;

#[test]
fn levels_read_their_rows() {
    let links = [1, 2, EMPTY, EMPTY, EMPTY, EMPTY, 0, 1, 1];
    let level = Level::new(&links, 3, Same);
    assert_eq!((level.len(), level.row(0), level.neighbours(0)), (3, &links[..3], &links[..2]));
    assert!(level.neighbours(1).is_empty());
    assert_eq!(level.neighbours(2), [0, 1, 1]);
    level.prefetch(2);
    assert_eq!((Same.row(5), Same.node(5)), (5, Some(5)));
    let listed = Listed(&[3, 8, 11]);
    assert_eq!((listed.row(1), listed.node(11), listed.node(9)), (8, Some(2), None));
}
