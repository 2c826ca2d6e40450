//! Prints the table of index parameters in docs/indexes.md.
#![allow(clippy::print_stdout, reason = "an example that prints a table")]

use elanus_index::{INDEXES, ParamKind, Stage};

fn main() {
    println!("| index | when | parameter | values | default | what it does |");
    println!("|---|---|---|---|---|---|");
    for factory in INDEXES {
        if factory.params().is_empty() {
            println!("| {} | | | | | no parameter |", factory.name());
        }
        for param in factory.params() {
            let stage = match param.stage {
                Stage::Build => "build",
                Stage::Search => "search",
            };
            let (values, default) = describe(&param.kind);
            println!("| {} | {stage} | `{}` | {values} | {default} | {} |", factory.name(), param.name, param.doc);
        }
    }
}

fn describe(kind: &ParamKind) -> (String, String) {
    let or_dash = |value: Option<String>| value.unwrap_or_else(|| "see text".to_owned());
    match kind {
        ParamKind::Int { min, max, default } => {
            (format!("{min} to {max}"), or_dash(default.map(|one| one.to_string())))
        }
        ParamKind::Float { min, max, default } => {
            (format!("{min} to {max}"), or_dash(default.map(|one| one.to_string())))
        }
        ParamKind::Bool { default } => ("true, false".to_owned(), or_dash(default.map(|one| one.to_string()))),
        ParamKind::Choice { choices, default } => (choices.join(", "), or_dash(default.map(str::to_owned))),
    }
}
