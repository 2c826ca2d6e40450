//! The list of RPCs.

use super::RPCS;
use std::collections::HashSet;

#[test]
fn the_list_is_that_of_the_protocols_text() {
    let text = include_str!("../../proto/milvus.proto");
    let told = text.lines().filter_map(|line| line.trim().strip_prefix("rpc ")?.split('(').next());
    assert_eq!(told.collect::<HashSet<_>>(), RPCS.iter().copied().collect());
    assert_eq!(RPCS.iter().collect::<HashSet<_>>().len(), RPCS.len());
}

#[test]
fn the_page_on_compatibility_has_a_row_for_each() {
    let text = include_str!("../../../docs/compat.md");
    let rows = text.lines().filter_map(|line| line.strip_prefix("| ")?.split(" |").next());
    let named: Vec<_> = rows.filter(|name| *name != "RPC").collect();
    assert_eq!(named, RPCS);
}
