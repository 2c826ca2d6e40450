//! The choice of a version.
use super::{ISAS, IsaInfo, SCALAR, Version, pick};

/// A version for each set, which returns its place in the list.
fn all() -> Vec<Version<usize>> {
    ISAS.iter().enumerate().map(|(place, isa)| Version { isa, run: Some(place), whole: false }).collect()
}

#[test]
fn names_are_distinct_and_the_last_set_is_scalar() {
    for (place, isa) in ISAS.iter().enumerate() {
        assert!(ISAS[..place].iter().all(|other| other.name() != isa.name()), "{isa:?}");
    }
    assert_eq!(ISAS.last().map(|isa| isa.name()), Some("scalar"));
    assert!(SCALAR.is_available() && !SCALAR.by_request());
}

#[test]
fn a_version_is_of_the_limit_or_of_the_next_set_below() {
    for (place, isa) in ISAS.iter().enumerate() {
        let (chosen, run) = pick(&all(), isa).unwrap();
        assert!(run >= place && chosen.is_available());
        assert_eq!(run == place, isa.is_available(), "{isa:?}");
    }
    let only_plain = [Version { isa: &SCALAR, run: Some(7), whole: false }];
    for isa in ISAS {
        assert_eq!(pick(&only_plain, isa).map(|(_, run)| run), Some(7));
    }
    assert!(pick::<usize>(&[], &SCALAR).is_none());
}

#[test]
fn code_of_another_build_is_never_taken() {
    let absent: Vec<Version<usize>> = ISAS.iter().map(|isa| Version { isa, run: None, whole: false }).collect();
    let best: &'static IsaInfo = ISAS[0];
    assert!(pick(&absent, best).is_none());
}
