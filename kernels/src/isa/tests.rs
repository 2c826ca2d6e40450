//! The choice of a version.
use super::{ISAS, IsaInfo, SCALAR, Version, pick, pick_for};
use crate::facts::Facts;

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

#[test]
fn whole_versions_are_passed_over_where_registers_are_split_unless_named() {
    // The best set that this machine has stands for one with 512-bit registers; the last one is always scalar.
    let usable: Vec<&'static IsaInfo> = ISAS.iter().copied().filter(|isa| isa.is_available()).collect();
    let best = usable[0];
    if usable.len() < 2 {
        println!("SKIPPED: versions for whole registers (needs a set beside scalar)");
        return;
    }
    let versions = |whole: bool| {
        [Version { isa: best, run: Some(0), whole }, Version { isa: usable[1], run: Some(1), whole: false }]
    };
    let above: &'static IsaInfo = ISAS[0];
    for (split_512, whole, limit, want) in [
        (false, false, best, 0),
        (false, true, best, 0),
        (true, false, best, 0),
        // Named, so it is taken.
        (true, true, best, 0),
        (true, true, usable[1], 1),
    ] {
        let chosen = pick_for(Facts { split_512 }, &versions(whole), limit);
        assert_eq!(chosen.map(|(_, run)| run), Some(want), "{split_512} {whole} {limit:?}");
    }
    // A limit above the version is not its name.
    let next: &'static IsaInfo = usable[1];
    for (split_512, whole, want) in [(false, true, 0), (true, true, 1), (true, false, 0)] {
        let versions =
            [Version { isa: next, run: Some(0), whole }, Version { isa: &SCALAR, run: Some(1), whole: false }];
        for limit in [above, best] {
            let chosen = pick_for(Facts { split_512 }, &versions, limit);
            let named = std::ptr::eq(next, limit);
            assert_eq!(chosen.map(|(_, run)| run), Some(if named { 0 } else { want }), "{split_512} {whole}");
        }
    }
    // Only one version, and it is passed over: none is better than a wrong one.
    let only = [Version { isa: next, run: Some(0), whole: true }];
    assert!(pick_for(Facts { split_512: true }, &only, best).is_none());
}
