//! The part of `cargo metadata` that the rules look at.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde_json::Value;

use crate::Fallible;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Normal,
    Dev,
    Build,
}

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Normal => "dependency",
            Self::Dev => "dev-dependency",
            Self::Build => "build-dependency",
        }
    }
}

/// A line of a manifest.
#[derive(Debug)]
pub(super) struct Direct {
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) optional: bool,
}

#[derive(Debug)]
pub(super) struct Package {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) version: String,
    pub(super) licence: Option<String>,
    /// Whether it is one of ours.
    pub(super) member: bool,
    pub(super) direct: Vec<Direct>,
    /// Ids of what it is linked with, as resolved.
    linked: Vec<String>,
}

#[derive(Debug)]
pub(super) struct Graph {
    pub(super) packages: BTreeMap<String, Package>,
}

impl Graph {
    pub(super) fn parse(metadata: &str) -> Fallible<Self> {
        let value: Value = serde_json::from_str(metadata).map_err(|e| format!("cargo metadata is not JSON: {e}"))?;
        let members: BTreeSet<&str> = list(&value, "workspace_members")?.iter().filter_map(Value::as_str).collect();
        let mut packages = BTreeMap::new();
        for package in list(&value, "packages")? {
            let id = string(package, "id")?;
            let licence = package.get("license").and_then(Value::as_str).map(str::to_owned);
            let mut direct = Vec::new();
            for dependency in list(package, "dependencies")? {
                let kind = match dependency.get("kind").and_then(Value::as_str) {
                    Some("dev") => Kind::Dev,
                    Some("build") => Kind::Build,
                    _ => Kind::Normal,
                };
                let optional = dependency.get("optional").and_then(Value::as_bool).unwrap_or(false);
                direct.push(Direct { name: string(dependency, "name")?, kind, optional });
            }
            let (name, version) = (string(package, "name")?, string(package, "version")?);
            let member = members.contains(id.as_str());
            let parsed = Package { id: id.clone(), name, version, licence, member, direct, linked: Vec::new() };
            packages.insert(id, parsed);
        }
        let resolve = value.get("resolve").ok_or("cargo metadata has no `resolve`")?;
        for node in list(resolve, "nodes")? {
            let id = string(node, "id")?;
            let mut linked = Vec::new();
            for edge in list(node, "deps")? {
                let is_linked = |kind: &Value| kind.get("kind").is_none_or(Value::is_null) && !is_browser(kind);
                if list(edge, "dep_kinds")?.iter().any(is_linked) {
                    linked.push(string(edge, "pkg")?);
                }
            }
            packages.get_mut(&id).ok_or_else(|| format!("cargo metadata resolves an unknown package {id}"))?.linked =
                linked;
        }
        Ok(Self { packages })
    }

    /// The shortest chain of links from one package to one of the given name, itself not counted.
    pub(super) fn way(&self, from: &str, name: &str) -> Option<Vec<String>> {
        let mut before: BTreeMap<&str, &str> = BTreeMap::new();
        let mut open = VecDeque::from([from]);
        while let Some(id) = open.pop_front() {
            for next in &self.packages.get(id)?.linked {
                if next == from || before.contains_key(next.as_str()) {
                    continue;
                }
                before.insert(next, id);
                if self.packages.get(next)?.name == name {
                    let mut way = vec![next.as_str()];
                    while let Some(previous) = way.last().and_then(|last| before.get(last)) {
                        way.push(previous);
                    }
                    way.reverse();
                    return Some(way.iter().map(|id| self.packages[*id].name.clone()).collect());
                }
                open.push_back(next);
            }
        }
        None
    }
}

/// Whether a line of a manifest is for WebAssembly alone, which nothing here is built for.
fn is_browser(kind: &Value) -> bool {
    let target = kind.get("target").and_then(Value::as_str).unwrap_or_default();
    let conditions = ["target_arch = \"wasm32\"", "target_os = \"emscripten\""];
    conditions.iter().any(|condition| target.replace(&format!("not({condition})"), "").contains(condition))
}

fn list<'a>(value: &'a Value, key: &str) -> Fallible<&'a Vec<Value>> {
    value.get(key).and_then(Value::as_array).ok_or_else(|| format!("cargo metadata has no list `{key}`"))
}

fn string(value: &Value, key: &str) -> Fallible<String> {
    let text = value.get(key).and_then(Value::as_str).ok_or_else(|| format!("cargo metadata has no text `{key}`"))?;
    Ok(text.to_owned())
}
