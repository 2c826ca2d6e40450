//! Each rule refuses what it should, and the tree itself keeps them all.

use super::mask::Masked;
use super::{Complaint, Oversize, Source, check, functions, measure, modules, names, ratchet, text};
use crate::tree::{self, TextFile};

fn file(path: &str, text: &str) -> TextFile {
    TextFile { path: path.to_owned(), text: text.to_owned() }
}

fn source(file: &TextFile) -> Source<'_> {
    Source { file, masked: Masked::of(&file.text) }
}

fn shown(complaints: &[Complaint]) -> Vec<String> {
    complaints.iter().map(ToString::to_string).collect()
}

#[test]
fn the_tree_is_tidy() {
    let report = check(&tree::root()).expect("the tree can be read");
    assert!(report.file_count > 20, "only {} files found", report.file_count);
    assert!(report.complaints.is_empty(), "\n{}", shown(&report.complaints).join("\n"));
}

#[test]
fn comments_and_strings_are_blanked_in_place() {
    let cases = [
        ("a // b\nc", "a     \nc"),
        ("a /* b /* c */ d */ e", "a                   e"),
        (r#"x("// no", 'y')"#, "x(       ,    )"),
        (r##"r#"a " b"# z"##, "           z"),
        (r#""a\"b" z"#, "       z"),
        ("fn f<'a>(x: &'a str)", "fn f<'a>(x: &'a str)"),
        (r"'\'' b", "     b"),
        ("'\u{e9}' b", "     b"),
        ("bar\"s\"", "bar   "),
    ];
    for (text, want) in cases {
        assert_eq!(Masked::of(text).code(), want, "{text}");
    }
}

#[test]
fn only_code_counts() {
    let masked = Masked::of("//! x\n\n/* a\n b */\nfn f() {\n    // c\n    g(\"//\");\n}\n");
    assert_eq!(masked.code_line_count(), 3);
    let found = functions::of(&masked);
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].name.as_str(), found[0].line, found[0].code_lines), ("f", 5, 3));
}

#[test]
fn functions_are_found_wherever_they_stand() {
    let text = "trait T { fn a(&self) -> [u8; 4]; fn b() {} }\nconst F: fn(u8) = c;\nfn c(_: u8) {\n fn d() { {} }\n}\n\
                macro_rules! m { ($n:ident) => { fn $n() { 1 } }; }\n";
    let found = functions::of(&Masked::of(text));
    let names: Vec<&str> = found.iter().map(|f| f.name.as_str()).collect();
    assert_eq!(names, ["b", "c", "d", "n"]);
    assert_eq!(found[1].code_lines, 3);
}

fn long(lines: usize) -> String {
    format!("//! Long.\nfn long() {{\n{}}}\n", "    f();\n".repeat(lines - 2))
}

fn oversized(path: &str, text: &str) -> (Vec<Oversize>, Vec<Complaint>) {
    let file = file(path, text);
    let (mut measured, mut complaints) = (Vec::new(), Vec::new());
    measure(&source(&file), &mut measured, &mut complaints);
    (measured, complaints)
}

#[test]
fn sizes_have_limits() {
    let (measured, complaints) = oversized("a/src/x.rs", &long(70));
    assert!(measured.is_empty() && complaints.is_empty());
    let (measured, _) = oversized("a/src/x.rs", &long(71));
    assert_eq!((measured.len(), measured[0].kind, measured[0].size), (1, "fn", 71));
    let (measured, _) = oversized("a/src/x.rs", &long(401));
    assert_eq!((measured[0].kind, measured[0].size), ("file", 401));
    let (measured, _) = oversized("a/src/x/tests.rs", &long(401));
    assert!(measured.iter().all(|o| o.kind == "fn"));
    let (_, complaints) = oversized("a/src/x/tests.rs", &long(701));
    assert_eq!(shown(&complaints), ["a/src/x/tests.rs:1: 701 lines of code, no file may pass 700"]);
}

#[test]
fn the_ratchet_only_shrinks() {
    let compare = |list: &str| {
        let (measured, _) = oversized("a/src/x.rs", &long(80));
        let mut complaints = Vec::new();
        ratchet::compare(list, &measured, &mut complaints).map(|()| shown(&complaints))
    };
    let function = "function `long`";
    let none = compare("# comment\n\n").expect("well formed");
    assert_eq!(none, [format!("a/src/x.rs:2: {function} has 80 lines of code, at most 70 are allowed")]);
    assert_eq!(compare("fn a/src/x.rs long 80").expect("well formed"), Vec::<String>::new());
    let grown = compare("fn a/src/x.rs long 79").expect("well formed");
    assert_eq!(
        grown,
        [format!("a/src/x.rs:2: {function} has grown to 80 lines of code; xtask/ratchet.txt tolerates 79")]
    );
    let shrunk = compare("fn a/src/x.rs long 90").expect("well formed");
    assert_eq!(shrunk, [format!("xtask/ratchet.txt:1: {function} in a/src/x.rs has shrunk: lower the entry to 80")]);
    let gone = compare("fn a/src/x.rs long 80\nfile a/src/y.rs 410").expect("well formed");
    assert!(gone[0].starts_with("xtask/ratchet.txt:2: a/src/y.rs"), "{gone:?}");
    assert!(compare("fn a/src/x.rs long many").is_err());
    assert!(compare("function a 80").is_err());
}

fn names_in(path: &str, text: &str) -> Vec<String> {
    let file = file(path, text);
    let mut complaints = Vec::new();
    names::check(&source(&file), &mut complaints);
    shown(&complaints)
}

#[test]
fn empty_names_are_refused() {
    for text in [
        "struct IndexManager;",
        "enum SearchHelper {}",
        "fn read_util() {}",
        "trait IndexBase {}",
        "fn new_index() {}",
        "fn simple_scan() {}",
        "type MyRows = u8;",
        "fn common() {}",
        "fn search_v2() {}",
        "struct SearchV2;",
        "fn handler2() {}",
    ] {
        assert_eq!(names_in("a/src/x.rs", text).len(), 1, "{text}");
    }
    for text in [
        "fn new() {}",
        "fn common_prefix() {}",
        "fn base_count() {}",
        "fn base() {}",
        "fn newest() {}",
        "// fn new_index() {}",
        "let f: fn(my_rows) = g;",
        "impl X for Y {}",
        "fn myriad() {}",
        "fn utility() {}",
    ] {
        assert_eq!(names_in("a/src/x.rs", text), Vec::<String>::new(), "{text}");
    }
    assert_eq!(names_in("a/src/utils.rs", "").len(), 1);
    assert_eq!(names_in("a/src/common.rs", "").len(), 1);
    assert_eq!(names_in("a/src/helpers/x.rs", "").len(), 1);
    assert_eq!(names_in("a/src/x/tests.rs", "fn new_index_is_empty() {}"), Vec::<String>::new());
    assert_eq!(names_in("a/src/x/tests.rs", "struct IndexManager;").len(), 1);
}

fn text_complaints(path: &str, text: &str) -> usize {
    let mut complaints = Vec::new();
    text::check(&file(path, text), "/checkout/of/elanus/", &mut complaints);
    complaints.len()
}

#[test]
fn marks_paths_and_characters_are_refused() {
    for refused in [
        ["// FIX", "ME: later"].concat(),
        ["// TO", "DO later"].concat(),
        ["to", "do!()"].concat(),
        ["#[ig", "nore]"].concat(),
        ["\"/ho", "me/someone/x\""].concat(),
        "see /checkout/of/elanus/src".to_owned(),
        "caf\u{e9}".to_owned(),
        "a\u{7}b".to_owned(),
    ] {
        assert_eq!(text_complaints("a/src/x.rs", &refused), 1, "{refused}");
    }
    for accepted in ["mastodon", "a\tb", "docs/home/x", "the to-do list"] {
        assert_eq!(text_complaints("a/src/x.rs", accepted), 0, "{accepted}");
    }
    assert_eq!(text_complaints("README.md", "caf\u{e9}"), 0);
    assert_eq!(text_complaints("README.md", &["`/ro", "ot/x`"].concat()), 1);
}

fn module_complaints(files: &[TextFile]) -> Vec<String> {
    let sources: Vec<Source<'_>> = files.iter().filter(|f| f.path.ends_with(".rs")).map(source).collect();
    let mut complaints = Vec::new();
    modules::check(files, &sources, &mut complaints);
    shown(&complaints)
}

#[test]
fn dead_files_and_absent_modules_are_found() {
    let files = [
        file("a/Cargo.toml", "[[test]]\npath = \"wire/all.rs\"\n"),
        file(
            "a/src/lib.rs",
            "mod one;\n// mod three;\nmod inside { mod deep; }\n#[path = \"odd/name.rs\"]\nmod named;\n",
        ),
        file("a/src/one.rs", "mod two;\n#[cfg(test)]\nmod tests;\nmod absent;\n"),
        file("a/src/one/two.rs", ""),
        file("a/src/one/tests.rs", ""),
        file("a/src/three.rs", ""),
        file("a/src/inside/deep.rs", ""),
        file("a/src/odd/name.rs", "mod beside;"),
        file("a/src/odd/beside.rs", ""),
        file("a/wire/all.rs", "mod part;"),
        file("a/wire/part.rs", ""),
        file("a/examples/cells.rs", ""),
        file("a/tests/suite/main.rs", ""),
        file("a/tests/suite/lost.rs", ""),
    ];
    let found = module_complaints(&files);
    assert_eq!(
        found,
        [
            "a/src/one.rs:4: `mod absent` names no file (a/src/one/absent.rs or a/src/one/absent/mod.rs)",
            "a/src/three.rs:1: dead file: no `mod` declaration leads here",
            "a/tests/suite/lost.rs:1: dead file: no `mod` declaration leads here",
        ]
    );
}
