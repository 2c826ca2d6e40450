//! Tests of the generated blocks.

use super::{check_shape, replaced};
use crate::tree::TextFile;

#[test]
fn a_block_is_replaced_and_nothing_else() {
    let page = "a\n<!-- generated:cells -->\nold\n<!-- end -->\nb\n";
    let want = "a\n<!-- generated:cells -->\nfresh\nrows\n<!-- end -->\nb\n";
    assert_eq!(replaced(page, "cells", "fresh\nrows\n\n").as_deref(), Some(want));
    assert_eq!(replaced(page, "other", "x"), None);
    assert_eq!(replaced("<!-- generated:cells -->\nno end\n", "cells", "x"), None);
}

fn complaints_about(text: &str) -> Vec<String> {
    let file = TextFile { path: "docs/kernels.md".to_owned(), text: text.to_owned() };
    let mut complaints = Vec::new();
    check_shape(&[file], &mut complaints);
    complaints.iter().map(ToString::to_string).collect()
}

#[test]
fn the_shape_of_blocks_is_checked() {
    assert_eq!(complaints_about("x\n<!-- generated:cells -->\n<!-- end -->\n"), Vec::<String>::new());
    assert_eq!(complaints_about("<!-- generated:cells -->\n"), ["docs/kernels.md:1: block `cells` is not closed"]);
    assert_eq!(complaints_about("\n<!-- end -->\n"), ["docs/kernels.md:2: a block ends here that did not begin"]);
    let unknown = complaints_about("<!-- generated:nothing -->\n<!-- end -->\n");
    assert_eq!(unknown, ["docs/kernels.md:1: block `nothing` is not in the list of generated blocks for this page"]);
}
