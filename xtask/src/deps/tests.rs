//! Tests of the dependency rules on small invented graphs.

use super::graph::Graph;
use super::{Rule, complaints, licence};

#[test]
fn licences_are_read_as_expressions() {
    let accepted = [
        "MIT",
        "MIT OR Apache-2.0",
        "MIT/Apache-2.0",
        "(MIT OR Apache-2.0) AND Unicode-3.0",
        "MIT OR GPL-3.0",
        "LGPL-2.1-or-later OR MIT AND BSD-3-Clause",
        "Apache-2.0 WITH LLVM-exception",
    ];
    for expression in accepted {
        assert_eq!(licence::accept(Some(expression)), Ok(()), "{expression}");
    }
    for expression in ["GPL-3.0", "MIT AND GPL-3.0", "(MIT OR Apache-2.0) AND MPL-2.0", "MIT WITH Some-exception"] {
        let refused = licence::accept(Some(expression));
        assert!(refused.is_err_and(|e| e.contains("not among the accepted")), "{expression}");
    }
    for expression in ["", "MIT OR", "(MIT", "MIT Apache-2.0", "AND"] {
        assert!(licence::accept(Some(expression)).is_err_and(|e| e.contains("SPDX")), "{expression}");
    }
    assert!(licence::accept(None).is_err());
}

/// Members `low` and `high`; `high` links `mid` (MIT), which links `deep` (GPL-3.0).
fn sample(low_needs: &str, low_kind: &str) -> Graph {
    let metadata = format!(
        r#"{{"workspace_members": ["low", "high"],
        "packages": [
          {{"id": "low", "name": "low", "version": "1.0.0", "license": null,
            "dependencies": [{{"name": "{low_needs}", "kind": {low_kind}, "optional": false}}]}},
          {{"id": "high", "name": "high", "version": "1.0.0", "license": null,
            "dependencies": [{{"name": "mid", "kind": null, "optional": false}}]}},
          {{"id": "mid", "name": "mid", "version": "2.0.0", "license": "MIT", "dependencies": []}},
          {{"id": "deep", "name": "deep", "version": "3.0.0", "license": "GPL-3.0", "dependencies": []}}],
        "resolve": {{"nodes": [
          {{"id": "low", "deps": []}},
          {{"id": "high", "deps": [{{"pkg": "mid", "dep_kinds": [{{"kind": null}}]}}]}},
          {{"id": "mid", "deps": [{{"pkg": "deep", "dep_kinds": [{{"kind": null}}]}},
                                {{"pkg": "low", "dep_kinds": [{{"kind": "dev"}}]}}]}},
          {{"id": "deep", "deps": []}}]}}}}"#
    );
    Graph::parse(&metadata).expect("the sample is well formed")
}

fn rule(name: &'static str, refused: &'static [&'static str]) -> Rule {
    Rule { name, ours: &[], ours_in_tests: &["high"], required: Some(&["mid"]), refused }
}

#[test]
fn a_chain_to_a_refused_crate_is_shown() {
    let found = complaints(&sample("mid", "null"), &[rule("low", &["deep"]), rule("high", &["deep"])]);
    let want = [
        "high: reaches deep, which it may not: high -> mid -> deep",
        "deep 3.0.0: licence `GPL-3.0` is not among the accepted ones",
    ];
    assert_eq!(found, want);
}

#[test]
fn edges_between_our_crates_are_refused_unless_listed() {
    let rules = [rule("low", &[]), rule("high", &[])];
    let found = complaints(&sample("high", "null"), &rules);
    assert_eq!(found[0], "low: may not depend on high (dependency)");
    let found = complaints(&sample("high", "\"build\""), &rules);
    assert_eq!(found[0], "low: may not depend on high (build-dependency)");
    let found = complaints(&sample("high", "\"dev\""), &rules);
    assert!(found.iter().all(|c| !c.starts_with("low")), "{found:?}");
}

#[test]
fn required_crates_are_those_listed() {
    let rules = [rule("low", &[]), rule("high", &[])];
    let found = complaints(&sample("deep", "null"), &rules);
    assert_eq!(found[0], "low: deep is not among the crates it may require (mid)");
    let found = complaints(&sample("deep", "\"dev\""), &rules);
    assert!(found.iter().all(|c| !c.starts_with("low")), "{found:?}");
}

#[test]
fn every_member_has_a_rule_and_every_rule_a_member() {
    let found = complaints(&sample("mid", "null"), &[rule("low", &[]), rule("gone", &[])]);
    assert!(found.contains(&"high: no rule says what this crate may depend on".to_owned()), "{found:?}");
    assert!(found.contains(&"gone: a rule for a crate that the workspace does not have".to_owned()), "{found:?}");
}
