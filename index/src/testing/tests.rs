//! Every index type of the list passes every check.

use elanus_kernels::dispatch;

use super::*;
use crate::INDEXES;

fn run(prefix: &str) {
    let checks: Vec<_> = CHECKS.iter().filter(|(name, _)| name.starts_with(prefix)).collect();
    assert!(!checks.is_empty(), "no check begins with {prefix:?}");
    let is_scalar = dispatch::choice().is_ok_and(|set| set.name() == "scalar");
    for (name, check) in checks {
        if is_scalar && name.ends_with("among many rows") {
            println!("SKIPPED {name}: it takes minutes without vectors, and what it plans does not depend on them");
            continue;
        }
        for factory in INDEXES {
            println!("{}: {name}", factory.name());
            check(*factory);
        }
    }
}

#[test]
fn finds() {
    run("finds");
}

#[test]
fn is() {
    run("is ");
}

#[test]
fn answers() {
    run("answers");
}

#[test]
fn pages() {
    run("pages");
}

#[test]
fn returns() {
    run("returns");
}

#[test]
fn takes() {
    run("takes");
}

#[test]
fn leaves() {
    run("leaves");
}

#[test]
fn lives() {
    run("lives");
}

#[test]
fn refuses() {
    run("refuses");
}

#[test]
fn stops() {
    run("stops");
}

#[test]
fn tells() {
    run("tells");
}

#[test]
fn survives() {
    run("survives");
}

#[test]
fn bears() {
    run("bears");
}

#[test]
fn no_check_is_left_out() {
    let run = ["finds", "is ", "answers", "pages", "returns", "takes", "leaves", "lives", "refuses", "stops", "tells"];
    for (name, _) in CHECKS {
        assert!(
            run.iter().chain(&["survives", "bears"]).any(|prefix| name.starts_with(prefix)),
            "{name:?} is run by no test"
        );
    }
}
