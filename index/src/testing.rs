//! The suite that every index type must pass: answers, edges, life cycle and hostile bytes.
//!
//! Each check takes an index type and panics with what was wrong. Vectors are made by a seeded generator and answers
//! are judged by a plain reference in f64, so that nothing under test judges itself.

mod answers;
mod data;
mod devices;
mod edges;
mod hostile;
mod life;

pub use data::{Fixture, build_on, search_with, with_device};
pub use devices::{Fault, Gate, Trial, trial_device, trial_device_with};

use crate::IndexFactory;

/// A check of one index type.
pub type Check = fn(&'static dyn IndexFactory);

/// Every check with its name.
pub const CHECKS: &[(&str, Check)] = &[
    ("finds the nearest rows", answers::finds_the_nearest),
    ("is exact where it says so", answers::flat_is_exact),
    ("answers under filters", answers::answers_under_filters),
    ("answers under filters among many rows", answers::answers_under_filters_among_many),
    ("answers under a filter far from the query", answers::answers_under_a_distant_filter),
    ("answers within key ranges", answers::answers_within_ranges),
    ("answers many queries as each alone", answers::answers_many_as_each_alone),
    ("pages through all rows", answers::pages_through_all_rows),
    ("returns all rows for a large k", answers::returns_all_rows),
    ("takes no rows and one row", edges::takes_hardly_any_rows),
    ("takes equal rows", edges::takes_equal_rows),
    ("leaves out absent rows", edges::leaves_out_absent_rows),
    ("lives with rows that are not finite", edges::lives_with_bad_rows),
    ("refuses bad searches", edges::refuses_bad_searches),
    ("refuses bad builds", edges::refuses_bad_builds),
    ("is the same after save and open", life::is_the_same_after_open),
    ("refuses another spec", life::refuses_another_spec),
    ("is the same on any number of threads", life::is_the_same_on_any_threads),
    ("stops when cancelled", life::stops_when_cancelled),
    ("tells its progress", life::tells_its_progress),
    ("survives cut bytes", hostile::survives_cuts),
    ("survives changed bytes", hostile::survives_changes),
    ("bears flipped bits", hostile::bears_flips),
];

/// Runs every check.
///
/// # Panics
/// When one fails.
pub fn check_all(factory: &'static dyn IndexFactory) {
    for (_, check) in CHECKS {
        check(factory);
    }
}

#[cfg(test)]
mod tests;
