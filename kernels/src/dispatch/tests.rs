//! The choice of an instruction set, and its refusals.
use std::{error::Error, ffi::OsStr};

use super::{ISA_VARIABLE, ISAS, IsaError, Kernel, KernelError, choice, choose, cpu, find};
use crate::{F16, Metric};

#[test]
fn unset_and_empty_take_the_best_available() {
    let best = ISAS.iter().find(|isa| isa.is_available()).unwrap().name();
    assert_eq!(choose(None).unwrap().name(), best);
    assert_eq!(choose(Some(OsStr::new(""))).unwrap().name(), best);
}

#[test]
fn names_are_obeyed_or_refused_and_never_replaced() {
    for isa in ISAS {
        let chosen = choose(Some(OsStr::new(isa.name())));
        if isa.is_available() {
            assert_eq!(chosen.unwrap().name(), isa.name());
            assert_eq!(Kernel::<f32>::on(isa, Metric::L2).unwrap().isa(), isa.name());
        } else {
            let want = IsaError::Unavailable { name: isa.name(), needs: isa.summary() };
            assert_eq!(chosen.unwrap_err(), want);
            let refused = Kernel::<F16>::on(isa, Metric::Ip).unwrap_err();
            assert_eq!(refused, KernelError::Isa(want.clone()));
            assert_eq!(refused.source().unwrap().to_string(), want.to_string());
        }
    }
    let unknown = choose(Some(OsStr::new("mmx"))).unwrap_err();
    assert_eq!(unknown, IsaError::Unknown { name: "mmx".to_owned() });
    assert_eq!(unknown.to_string(), "unknown instruction set \"mmx\"; known are avx512, avx2, neon, scalar");
    assert!(find("AVX2").is_err(), "names are lower case");
}

#[test]
fn no_machine_has_both_x86_and_arm_sets() {
    assert!(find("scalar").is_ok());
    assert!(find("neon").is_err() || find("avx2").is_err());
}

#[test]
fn the_process_choice_follows_the_environment() {
    let asked = std::env::var_os(ISA_VARIABLE);
    assert_eq!(choice().map(|isa| isa.name()), choose(asked.as_deref()).map(|isa| isa.name()));
    match choice() {
        Ok(isa) => assert_eq!(Kernel::<f32>::new(Metric::Cosine).unwrap().isa(), isa.name()),
        Err(error) => assert_eq!(Kernel::<f32>::new(Metric::Cosine).unwrap_err(), error.into()),
    }
}

#[test]
fn the_description_names_the_choice() {
    let lines = cpu();
    assert!(lines[0].starts_with(&format!("instruction set: {}", choice().unwrap().name())), "{lines:?}");
    assert!(lines[1].contains("scalar"), "{lines:?}");
}
