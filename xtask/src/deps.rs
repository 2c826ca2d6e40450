//! Which crate may depend on which, and under which licences: read from `cargo metadata`.

mod graph;
mod licence;
#[cfg(test)]
mod tests;

use std::process::ExitCode;

use self::graph::{Graph, Kind};
use crate::exec::Exec;
use crate::{Fallible, no_arguments, tree};

/// What one of our crates may see.
struct Rule {
    name: &'static str,
    /// Our crates it may use, for tests and build scripts too.
    ours: &'static [&'static str],
    /// Our crates only its tests and benches may use.
    ours_in_tests: &'static [&'static str],
    /// The other required crates; `None`: any that is not refused.
    required: Option<&'static [&'static str]>,
    /// Crates that may not be reached, by whatever way.
    refused: &'static [&'static str],
}

/// Every crate below the engine: no network, no runtime, whatever it is built on.
const ASYNC: &[&str] = &["tokio", "tonic", "axum", "prost", "hyper", "async-std", "smol"];

/// One line per crate, lowest first. Another edge is a decision, recorded in docs/adr.
static RULES: &[Rule] = &[
    Rule { name: "elanus-shaders", ours: &[], ours_in_tests: &[], required: Some(&[]), refused: ASYNC },
    Rule { name: "elanus-kernels", ours: &["elanus-shaders"], ours_in_tests: &[], required: Some(&[]), refused: ASYNC },
    Rule {
        name: "elanus-kernels-c",
        ours: &["elanus-kernels"],
        ours_in_tests: &[],
        required: Some(&[]),
        refused: ASYNC,
    },
    Rule {
        name: "elanus-gpu",
        ours: &["elanus-kernels", "elanus-shaders"],
        ours_in_tests: &[],
        required: Some(&["bytemuck", "parking_lot"]),
        refused: ASYNC,
    },
    Rule {
        name: "elanus-index",
        ours: &["elanus-kernels"],
        ours_in_tests: &["elanus-datasets"],
        required: Some(&["bytemuck", "crc32c", "memmap2", "parking_lot", "rayon"]),
        refused: ASYNC,
    },
    Rule {
        name: "elanus-index-py",
        ours: &["elanus-index", "elanus-kernels"],
        ours_in_tests: &[],
        required: Some(&["pyo3", "rayon"]),
        refused: ASYNC,
    },
    Rule {
        name: "elanus-segment",
        ours: &["elanus-index", "elanus-kernels"],
        ours_in_tests: &["elanus-datasets"],
        required: Some(&["bytemuck", "crc32c", "memmap2", "parking_lot", "serde", "serde_json"]),
        refused: ASYNC,
    },
    Rule {
        name: "elanus",
        ours: &["elanus-segment", "elanus-index", "elanus-gpu", "elanus-kernels"],
        ours_in_tests: &["elanus-datasets"],
        required: None,
        refused: ASYNC,
    },
    Rule { name: "elanus-datasets", ours: &["elanus-kernels"], ours_in_tests: &[], required: None, refused: ASYNC },
    Rule {
        name: "elanus-server",
        ours: &["elanus", "elanus-datasets"],
        ours_in_tests: &[],
        required: None,
        refused: &[],
    },
    Rule { name: "elanus-benches", ours: ALL, ours_in_tests: &[], required: None, refused: &[] },
    Rule { name: "elanus-tests", ours: ALL, ours_in_tests: &[], required: None, refused: &[] },
    Rule { name: "xtask", ours: &[], ours_in_tests: &[], required: Some(&["serde_json", "syn"]), refused: ASYNC },
];

/// For crates that nothing depends on.
const ALL: &[&str] = &[
    "elanus-shaders",
    "elanus-kernels",
    "elanus-gpu",
    "elanus-index",
    "elanus-segment",
    "elanus",
    "elanus-datasets",
    "elanus-server",
];

pub(crate) fn run(args: &[String]) -> Fallible<ExitCode> {
    no_arguments(args)?;
    let mut exec = Exec::open(&tree::root(), "deps", false)?;
    let (complaints, package_count) = check(&mut exec)?;
    for complaint in &complaints {
        println!("{complaint}");
    }
    println!("deps: {package_count} packages, {} complaints", complaints.len());
    Ok(if complaints.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What breaks a rule, and how many packages were looked at.
pub(crate) fn check(exec: &mut Exec) -> Fallible<(Vec<String>, usize)> {
    let mut command = exec.cargo(&["metadata", "--format-version", "1"]);
    let graph = Graph::parse(&exec.stdout(&mut command)?)?;
    Ok((complaints(&graph, RULES), graph.packages.len()))
}

fn complaints(graph: &Graph, rules: &[Rule]) -> Vec<String> {
    let mut found = Vec::new();
    for member in graph.packages.values().filter(|p| p.member) {
        match rules.iter().find(|r| r.name == member.name) {
            Some(rule) => apply(graph, member, rule, &mut found),
            None => found.push(format!("{}: no rule says what this crate may depend on", member.name)),
        }
    }
    for rule in rules {
        if !graph.packages.values().any(|p| p.member && p.name == rule.name) {
            found.push(format!("{}: a rule for a crate that the workspace does not have", rule.name));
        }
    }
    for package in graph.packages.values().filter(|p| !p.member) {
        if let Err(why) = licence::accept(package.licence.as_deref()) {
            found.push(format!("{} {}: {why}", package.name, package.version));
        }
    }
    found
}

fn apply(graph: &Graph, member: &graph::Package, rule: &Rule, found: &mut Vec<String>) {
    for dependency in &member.direct {
        let (name, wanted) = (&member.name, dependency.name.as_str());
        let ours = graph.packages.values().any(|p| p.member && p.name == wanted);
        if ours {
            let in_tests = dependency.kind == Kind::Dev && rule.ours_in_tests.contains(&wanted);
            if !rule.ours.contains(&wanted) && !in_tests {
                found.push(format!("{name}: may not depend on {wanted} ({})", dependency.kind.name()));
            }
        } else if dependency.kind == Kind::Normal
            && !dependency.optional
            && let Some(required) = rule.required
            && !required.contains(&wanted)
        {
            found.push(format!("{name}: {wanted} is not among the crates it may require ({})", required.join(", ")));
        }
    }
    for refused in rule.refused {
        if let Some(way) = graph.way(&member.id, refused) {
            found.push(format!("{}: reaches {refused}, which it may not: {}", member.name, way.join(" -> ")));
        }
    }
}
