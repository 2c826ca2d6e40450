//! The choice of an instruction set, and its refusals.
use std::{error::Error, ffi::OsStr};

use super::{ISA_VARIABLE, ISAS, IsaError, Kernel, KernelError, choice, choose, cpu, find};
use crate::{ElementType, F16, Metric};

#[test]
fn unset_and_empty_take_the_best_available() {
    let best = ISAS.iter().find(|isa| isa.is_available() && !isa.by_request()).unwrap().name();
    assert_eq!(choose(None).unwrap().name(), best);
    assert_eq!(choose(Some(OsStr::new(""))).unwrap().name(), best);
}

#[test]
fn names_are_obeyed_or_refused_and_never_replaced() {
    for isa in ISAS {
        let chosen = choose(Some(OsStr::new(isa.name())));
        if isa.is_available() {
            assert_eq!(chosen.unwrap().name(), isa.name());
            let own = Kernel::<f32>::sets(Metric::L2).any(|set| set.name() == isa.name());
            assert_eq!(Kernel::<f32>::on(isa, Metric::L2).unwrap().isa() == isa.name(), own);
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
    let text = unknown.to_string();
    assert!(text.starts_with("unknown instruction set \"mmx\"; known are avx512fp16, "), "{text}");
    assert!(text.ends_with(", neon, scalar"), "{text}");
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
        Ok(isa) => {
            let limited = Kernel::<f32>::on(isa, Metric::Cosine).unwrap();
            assert_eq!(Kernel::<f32>::new(Metric::Cosine).unwrap().isa(), limited.isa());
        }
        Err(error) => assert_eq!(Kernel::<f32>::new(Metric::Cosine).unwrap_err(), error.into()),
    }
}

#[test]
fn the_description_names_the_choice() {
    let lines = cpu();
    assert!(lines[0].starts_with(&format!("instruction set: {}", choice().unwrap().name())), "{lines:?}");
    assert!(lines[1].contains("scalar"), "{lines:?}");
}

#[test]
fn senseless_cells_are_refused_when_they_are_asked_for() {
    let refused = Kernel::<f32>::new(Metric::Hamming);
    if let Err(KernelError::Unsupported { metric, element }) = refused {
        assert_eq!((metric, element), (Metric::Hamming, ElementType::F32));
        let error = KernelError::Unsupported { metric, element };
        assert_eq!(error.to_string(), "metric HAMMING is not defined over f32 vectors");
        assert!(error.source().is_none());
    } else {
        panic!("{refused:?}");
    }
}
