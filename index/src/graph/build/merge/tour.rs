//! In which order the nodes of a part look for neighbours in the rest.

use crate::graph::links::EMPTY;

/// One in so many nodes begins without help.
const STEP: usize = 32;

/// Nodes in layers; those of a layer may begin where ones of layers before it arrived.
#[derive(Debug, Default)]
pub(super) struct Tour {
    /// Each layer: nodes with one of a layer before that leads to them, `EMPTY` for those that begin without help.
    pub(super) layers: Vec<Vec<(u32, u32)>>,
}

impl Tour {
    /// A tour through `members` along the links of each. `depth` is `u32::MAX` for members before, and afterwards the
    /// number of their layer.
    pub(super) fn new<'a>(members: &[u32], depth: &mut [u32], links: impl Fn(u32) -> &'a [u32]) -> Self {
        let first: Vec<(u32, u32)> = members.iter().step_by(STEP).map(|node| (*node, EMPTY)).collect();
        first.iter().for_each(|(node, _)| depth[*node as usize] = 0);
        let mut layers = vec![first];
        while let Some(last) = layers.last().filter(|last| !last.is_empty()) {
            let mut next = Vec::new();
            for (node, _) in last {
                for other in links(*node) {
                    if depth[*other as usize] == u32::MAX {
                        depth[*other as usize] = layers.len() as u32;
                        next.push((*other, *node));
                    }
                }
            }
            layers.push(next);
        }
        // To what is left no links lead.
        let rest = members.iter().filter(|node| depth[**node as usize] == u32::MAX).map(|node| (*node, EMPTY));
        let rest: Vec<(u32, u32)> = rest.collect();
        rest.iter().for_each(|(node, _)| depth[*node as usize] = layers.len() as u32 - 1);
        layers.pop();
        layers.push(rest);
        layers.retain(|layer| !layer.is_empty());
        Self { layers }
    }
}
