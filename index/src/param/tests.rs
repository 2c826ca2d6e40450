//! The parser takes what is declared, in every spelling, and names what it refuses.

use super::*;

const LIST: &[Param] = &[
    Param {
        name: "M",
        aliases: &["m"],
        kind: ParamKind::Int { min: 2, max: 2048, default: Some(30) },
        stage: Stage::Build,
        doc: "links",
    },
    Param {
        name: "ratio",
        aliases: &[],
        kind: ParamKind::Float { min: 0.0, max: 1.0, default: None },
        stage: Stage::Build,
        doc: "share",
    },
    Param {
        name: "refine",
        aliases: &[],
        kind: ParamKind::Bool { default: Some(false) },
        stage: Stage::Build,
        doc: "again",
    },
    Param {
        name: "kind",
        aliases: &[],
        kind: ParamKind::Choice { choices: &["SQ8", "FP16"], default: Some("SQ8") },
        stage: Stage::Build,
        doc: "which",
    },
    Param {
        name: "ef",
        aliases: &[],
        kind: ParamKind::Int { min: 1, max: 32768, default: None },
        stage: Stage::Search,
        doc: "beam",
    },
];

fn given(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn refused(stage: Stage, pairs: &[(&str, &str)]) -> String {
    parse(LIST, stage, &given(pairs)).unwrap_err().to_string()
}

#[test]
fn defaults_fill_what_is_not_given() {
    let set = parse(LIST, Stage::Build, &[]).unwrap();
    assert_eq!(set.get_int("M"), Some(30));
    assert_eq!(set.get_float("ratio"), None);
    assert_eq!(set.get_bool("refine"), Some(false));
    assert_eq!(set.get_choice("kind"), Some("SQ8"));
    assert_eq!(set.get_int("ef"), None);
    assert_eq!(set.iter().count(), 3);
    assert_eq!(parse(LIST, Stage::Search, &[]).unwrap(), ParamSet::empty());
}

#[test]
fn values_are_read_in_every_kind() {
    let pairs = given(&[("m", " 16 "), ("ratio", "0.25"), ("refine", "True"), ("kind", "fp16")]);
    let set = parse(LIST, Stage::Build, &pairs).unwrap();
    assert_eq!(set.get_int("M"), Some(16));
    assert_eq!(set.get_float("ratio"), Some(0.25));
    assert_eq!(set.get_bool("refine"), Some(true));
    assert_eq!(set.get_choice("kind"), Some("FP16"));
    assert_eq!((set.get_int("ratio"), set.get_float("M"), set.get_bool("M")), (None, None, None));
}

#[test]
fn refusals_name_the_thing() {
    assert_eq!(
        refused(Stage::Build, &[("nlist", "4")]),
        "unknown build parameter \"nlist\": known are M, ratio, refine, kind"
    );
    assert_eq!(refused(Stage::Build, &[("ef", "4")]), "parameter ef belongs to the search stage");
    assert_eq!(refused(Stage::Build, &[("M", "1")]), "parameter M is 1, outside [2, 2048]");
    assert_eq!(refused(Stage::Build, &[("M", "2049")]), "parameter M is 2049, outside [2, 2048]");
    assert_eq!(refused(Stage::Build, &[("M", "many")]), "parameter M is \"many\", which is not a whole number");
    assert_eq!(refused(Stage::Build, &[("M", "1.5")]), "parameter M is \"1.5\", which is not a whole number");
    let huge = "99999999999999999999";
    assert_eq!(refused(Stage::Build, &[("M", huge)]), format!("parameter M is {huge:?}, which is not a whole number"));
    assert_eq!(refused(Stage::Build, &[("ratio", "1.5")]), "parameter ratio is 1.5, outside [0, 1]");
    assert_eq!(refused(Stage::Build, &[("ratio", "NaN")]), "parameter ratio is NaN, outside [0, 1]");
    assert_eq!(refused(Stage::Build, &[("refine", "1")]), "parameter refine is \"1\", which is not true or false");
    assert_eq!(refused(Stage::Build, &[("kind", "SQ6")]), "parameter kind is \"SQ6\", which is none of SQ8, FP16");
    assert_eq!(refused(Stage::Build, &[("M", "4"), ("m", "5")]), "parameter M is given twice, as \"4\" and as \"5\"");
    assert_eq!(
        parse(&[], Stage::Build, &given(&[("M", "4")])).unwrap_err().to_string(),
        "unknown build parameter \"M\": this index takes none"
    );
}

#[test]
fn the_same_value_twice_is_no_contradiction() {
    let set = parse(LIST, Stage::Build, &given(&[("M", "8"), ("m", "8 ")])).unwrap();
    assert_eq!(set.get_int("M"), Some(8));
}
