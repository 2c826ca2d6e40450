//! The examples of the read-me page are those of the crate page, which are compiled and run.

/// The code blocks, without hidden lines.
fn examples(text: &str) -> Vec<String> {
    let code = text.split("```").skip(1).step_by(2);
    code.map(|block| {
        let lines = block.lines().skip(1).filter(|line| !line.starts_with("# "));
        lines.collect::<Vec<_>>().join("\n").trim_end().to_owned()
    })
    .collect()
}

#[test]
fn examples_are_the_same() {
    let page: String = include_str!("../src/lib.rs")
        .lines()
        .filter_map(|line| line.strip_prefix("//!"))
        .map(|line| format!("{}\n", line.strip_prefix(' ').unwrap_or(line)))
        .collect();
    assert_eq!(examples(&page).len(), 3);
    assert_eq!(examples(&page), examples(include_str!("../README.md")));
}
