//! Names that say nothing about the thing they name.

use super::mask::words;
use super::{Complaint, Source};

/// Refused wherever they stand in the name of a file, a type or a function.
const REFUSED: &[&str] = &["manager", "managers", "helper", "helpers", "util", "utils", "misc", "handler2"];
/// Refused in the name of a type, and as the whole name of a file: as a part of a longer name (`common_prefix`) they
/// can be the right word.
const REFUSED_ALONE: &[&str] = &["common", "base", "impl"];
/// Of these, the ones a function may not be called either; `base` is the field's word for the rows that are searched.
const REFUSED_FUNCTIONS: &[&str] = &["common", "impl"];
/// Refused as the first word, where they say when something was written and not what it is.
const REFUSED_FIRST: &[&str] = &["new", "simple", "my"];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Named {
    File,
    Type,
    Function,
}

pub(super) fn check(source: &Source<'_>, complaints: &mut Vec<Complaint>) {
    let path = source.path();
    for part in path.split('/') {
        if let Some(why) = refusal(part.trim_end_matches(".rs"), Named::File) {
            complaints.push(Complaint::at(path, 1, format!("file name `{part}`: {why}")));
        }
    }
    let code = source.masked.code();
    let mut previous = "";
    for (at, word) in words(code) {
        let named = match previous {
            "struct" | "enum" | "trait" | "union" | "type" => Some(Named::Type),
            // The name of a test is a sentence.
            "fn" if !source.is_test() => Some(Named::Function),
            _ => None,
        };
        // A keyword may stand before something else than the name it introduces: `fn(`, `union.len()`.
        let adjacent = code[..at].trim_end().ends_with(previous);
        if let Some(why) = named.filter(|_| adjacent).and_then(|named| refusal(word, named)) {
            complaints.push(Complaint::at(path, source.masked.line_of(at), format!("name `{word}`: {why}")));
        }
        previous = word;
    }
}

fn refusal(name: &str, named: Named) -> Option<String> {
    let parts = split(name);
    let whole = parts.len() == 1;
    for part in &parts {
        let part = part.as_str();
        let alone = match named {
            Named::Type => REFUSED_ALONE.contains(&part),
            Named::File => whole && REFUSED_ALONE.contains(&part),
            Named::Function => whole && REFUSED_FUNCTIONS.contains(&part),
        };
        if alone || REFUSED.contains(&part) {
            return Some(format!("`{part}` does not say what it is"));
        }
    }
    let first = parts.first().map_or("", String::as_str);
    if !whole && REFUSED_FIRST.contains(&first) {
        return Some(format!("a name does not begin with `{first}`"));
    }
    let last = parts.last().map_or("", String::as_str);
    if !whole && last == "v2" {
        return Some("a name does not end in `v2`: the newer one takes the name".to_owned());
    }
    None
}

/// The words of a snake_case or CamelCase name, in lower case.
fn split(name: &str) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    let mut open = false;
    let mut before_lower = false;
    for c in name.chars() {
        if !c.is_alphanumeric() {
            open = false;
            continue;
        }
        if !open || (c.is_uppercase() && before_lower) {
            parts.push(String::new());
            open = true;
        }
        if let Some(part) = parts.last_mut() {
            part.extend(c.to_lowercase());
        }
        before_lower = !c.is_uppercase();
    }
    parts
}
