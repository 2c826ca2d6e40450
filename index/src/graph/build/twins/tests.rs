//! Equal rows are found, and all hang on the first of them.

use elanus_kernels::{Metric, Rows};

use super::*;
use crate::graph::space::Shaped;
use crate::{BuildCx, Cancel, no_progress};

fn found(values: &[f32], rows: &[u32]) -> Twins {
    let space = Shaped::new(Metric::L2, Rows::new(values, 1).unwrap().into(), rows.iter().copied());
    let cancel = Cancel::new();
    let cx = BuildCx { pool: None, seed: 0, cancel: &cancel, progress: &no_progress, device: None };
    Twins::find(&space, rows, &Crew::new(&cx, 1)).unwrap()
}

#[test]
fn equal_rows_are_found() {
    let twins = found(&[1.0, 2.0, 1.0, -0.0, 2.0, 1.0, 0.0, 5.0], &[0, 1, 2, 3, 5, 6, 7]);
    assert_eq!(twins.single, [0, 1, 3, 7]);
    assert_eq!(twins.groups, [vec![0, 2, 5], vec![3, 6]]);
    let twins = found(&[], &[]);
    assert!(twins.single.is_empty() && twins.groups.is_empty());
}

#[test]
fn twins_hang_on_the_first() {
    for degree in [2, 4, 8, 32] {
        let rows: Vec<u32> = (0..100).collect();
        // Row 0 and row 99 are different; all others are equal to row 1.
        let value = |i: u32| if i == 0 || i == 99 { i as f32 } else { 1.0 };
        let twins = found(&rows.iter().map(|row| value(*row)).collect::<Vec<_>>(), &rows);
        assert_eq!(twins.single, [0, 1, 99]);
        let mut base = vec![EMPTY; 100 * degree];
        base[0] = 1;
        base[degree..degree + 2].copy_from_slice(&[0, 99]);
        twins.hang(&mut base, degree);
        let mut reached = [false; 99];
        let mut queue = vec![1];
        while let Some(row) = queue.pop() {
            if row < 99 && !std::mem::replace(&mut reached[row as usize], true) {
                queue.extend(used(&base[row as usize * degree..][..degree]));
            }
        }
        let missed = reached[1..].iter().filter(|is| !**is).count();
        assert_eq!(missed, 0, "degree {degree}");
        if degree > 4 {
            assert!(used(&base[98 * degree..][..degree]).contains(&99), "a twin leads where the root leads");
        }
    }
}
