//! Rules about any text file: characters, marks of unfinished work, paths of one machine.

use super::Complaint;
use crate::tree::TextFile;

/// Marks that must not stay. In two halves, so that this file does not carry them itself.
const MARKS: &[(&str, &str)] = &[
    ("FIX", "ME"),
    ("TO", "DO"),
    ("X", "XX"),
    ("HA", "CK"),
    ("to", "do!("),
    ("unimpl", "emented!("),
    ("#[ig", "nore]"),
    ("not impl", "emented yet"),
];
/// Home folders: whoever reads this has another one.
const HOMES: &[(&str, &str)] = &[("/ho", "me/"), ("/ro", "ot/"), ("/Us", "ers/"), ("C:", "\\")];

pub(super) fn check(file: &TextFile, own_path: &str, complaints: &mut Vec<Complaint>) {
    let is_page = file.path.ends_with(".md");
    for (index, line) in file.text.lines().enumerate() {
        let mut complain = |text: String| complaints.push(Complaint::at(&file.path, index + 1, text));
        if let Some(c) = line.chars().find(|c| !c.is_ascii() || (c.is_control() && *c != '\t')).filter(|_| !is_page) {
            complain(format!("`{}` is not printable ASCII", c.escape_unicode()));
        }
        if !is_page {
            for (left, right) in MARKS {
                let mark = format!("{left}{right}");
                if has_mark(line, &mark) {
                    complain(format!("`{mark}`: do it, or let the program say what is missing, or drop it"));
                }
            }
        }
        if let Some(path) = machine_path(line, own_path) {
            complain(format!("`{path}` is a path of one machine"));
        }
    }
}

/// Whether `mark` stands in the line and is not a part of a longer word.
fn has_mark(line: &str, mark: &str) -> bool {
    line.match_indices(mark).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + mark.len()..].chars().next();
        let in_word = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
        !in_word(before) && (!in_word(after) || mark.ends_with('('))
    })
}

fn machine_path<'a>(line: &str, own_path: &'a str) -> Option<std::borrow::Cow<'a, str>> {
    let homes = HOMES.iter().map(|(left, right)| format!("{left}{right}").into());
    // A checkout directly below the root has a path too short to tell from an example.
    let own = (own_path.matches('/').count() > 2).then_some(own_path.into());
    homes.chain(own).find(|path: &std::borrow::Cow<'_, str>| {
        line.match_indices(&**path).any(|(at, _)| {
            let before = line[..at].chars().next_back();
            !before.is_some_and(|c| c.is_alphanumeric() || matches!(c, '/' | '_' | '-' | '.'))
        })
    })
}
