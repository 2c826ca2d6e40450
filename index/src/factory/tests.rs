//! The list is consistent in itself, and names are found.

use super::*;
use crate::ParamKind;

#[test]
fn names_and_aliases_are_found_in_any_case_and_are_unique() {
    let mut names: Vec<String> = Vec::new();
    for factory in INDEXES {
        for name in [&[factory.name()], factory.aliases()].concat() {
            assert_eq!(find(&name.to_lowercase()).unwrap().name(), factory.name());
            names.push(name.to_uppercase());
        }
    }
    let count = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), count);
    assert!(find("").is_none() && find("IVF").is_none());
    assert_eq!(
        INDEXES.iter().map(|index| index.name()).collect::<Vec<_>>(),
        ["FLAT", "HNSW", "HNSW_SQ", "HNSW_PQ", "HNSW_PRQ", "AUTOINDEX", "DISKANN", "AISAQ", "GPU_BRUTE_FORCE"]
    );
}

#[test]
fn declared_parameters_take_their_own_defaults() {
    for factory in INDEXES {
        for param in factory.params() {
            assert!(param.doc.ends_with('.'), "{}: {}", factory.name(), param.name);
            let (text, low) = match param.kind {
                ParamKind::Int { min, max, default } => (default.unwrap_or(max).to_string(), (min - 1).to_string()),
                ParamKind::Float { min, max, default } => (default.unwrap_or(max).to_string(), (min - 1.0).to_string()),
                ParamKind::Bool { default } => (default.unwrap_or(true).to_string(), "maybe".to_owned()),
                ParamKind::Choice { choices, default } => (default.unwrap_or(choices[0]).to_owned(), "?".to_owned()),
            };
            for name in [&[param.name], param.aliases].concat() {
                let given = |text: &str| [(name.to_owned(), text.to_owned())];
                assert!(crate::parse(factory.params(), param.stage, &given(&text)).is_ok());
                assert!(crate::parse(factory.params(), param.stage, &given(&low)).is_err());
            }
        }
    }
}

#[test]
fn a_spec_keeps_what_was_given_and_what_it_means() {
    let hnsw = find("hnsw").unwrap();
    let given = vec![("m".to_owned(), "12".to_owned())];
    let spec = Spec::new(hnsw, ElementType::F16, 7, Metric::Ip, given.clone()).unwrap();
    assert_eq!(spec.given(), given);
    assert_eq!((spec.params().get_int("M"), spec.params().get_int("efConstruction")), (Some(12), Some(360)));
    assert_eq!((spec.element(), spec.dim(), spec.metric()), (ElementType::F16, 7, Metric::Ip));
    assert_eq!(spec.factory().name(), "HNSW");
    let search = vec![("ef".to_owned(), "12".to_owned())];
    let error = Spec::new(hnsw, ElementType::F32, 7, Metric::Ip, search).unwrap_err();
    assert_eq!(error.to_string(), "index parameters refused");
    assert_eq!(std::error::Error::source(&error).unwrap().to_string(), "parameter ef belongs to the search stage");
    let error = Spec::new(hnsw, ElementType::F32, MAX_DIM + 1, Metric::Ip, Vec::new()).unwrap_err();
    assert_eq!(error.to_string(), "dimension 32769 is outside [1, 32768]");
}

#[test]
fn a_context_says_how_many_threads_it_lends() {
    let cx = BuildCx { pool: None, seed: 3, cancel: &Cancel::new(), progress: &no_progress, device: None };
    assert_eq!(format!("{cx:?}"), "BuildCx { threads: 1, seed: 3, .. }");
}
