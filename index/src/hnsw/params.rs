//! The parameters of the HNSW types, with Milvus's names, ranges and defaults.

use crate::{Param, ParamKind, Stage};

/// The search parameter of every index that may be a graph inside.
pub(crate) const EF: Param = Param {
    name: "ef",
    aliases: &[],
    kind: ParamKind::Int { min: 1, max: 32_768, default: None },
    stage: Stage::Search,
    doc: "Candidates kept during a search, at least k; more find more of the true neighbours and take longer. \
          When not given: k, but at least 64.",
};

/// Instead of a width: what it is for.
pub(crate) const RECALL: Param = Param {
    name: "recall",
    aliases: &[],
    kind: ParamKind::Float { min: 0.5, max: 0.999, default: None },
    stage: Stage::Search,
    doc: "The share of the true neighbours to find, in place of ef: the width is the least that found so many in searches \
          for rows of the index itself when it was built. Where none did, or the index has fewer than 16384 rows, every row \
          is compared.",
};

pub(super) const M: Param = Param {
    name: "M",
    aliases: &["m"],
    kind: ParamKind::Int { min: 2, max: 2048, default: Some(30) },
    stage: Stage::Build,
    doc: "Links of a node on each upper level at most; twice as many on the lowest.",
};

/// `m` is the number of sub-vectors where there are any, so that it cannot be a spelling of `M`.
const M_ONLY: Param = Param { aliases: &[], ..M };

pub(super) const EF_CONSTRUCTION: Param = Param {
    name: "efConstruction",
    aliases: &["ef_construction"],
    kind: ParamKind::Int { min: 1, max: i32::MAX as i64, default: Some(360) },
    stage: Stage::Build,
    doc: "How many candidates the neighbours of a node are chosen from; more make better graphs and longer builds.",
};

pub(super) const SQ_TYPE: Param = Param {
    name: "sq_type",
    aliases: &[],
    kind: ParamKind::Choice { choices: &["SQ4U", "SQ6", "SQ8", "BF16", "FP16"], default: Some("SQ8") },
    stage: Stage::Build,
    doc: "The codes that a search walks on: 4, 6 or 8 bits for each component, or a float of 16 bits.",
};

pub(super) const REFINE: Param = Param {
    name: "refine",
    aliases: &[],
    kind: ParamKind::Bool { default: Some(false) },
    stage: Stage::Build,
    doc: "Whether finer codes are kept by which the best candidates are put in order again.",
};

pub(super) const REFINE_TYPE: Param = Param {
    name: "refine_type",
    aliases: &[],
    kind: ParamKind::Choice { choices: &["SQ6", "SQ8", "BF16", "FP16", "FP32"], default: None },
    stage: Stage::Build,
    doc: "The finer codes; FP32 are the vectors themselves, of which no copy is kept. When not given: FP32. Of no \
          effect without refine.",
};

pub(super) const REFINE_K: Param = Param {
    name: "refine_k",
    aliases: &[],
    kind: ParamKind::Float { min: 1.0, max: 32_768.0, default: None },
    stage: Stage::Search,
    doc: "So many times k candidates are put in order again by finer codes or the vectors, but never more than ef. When \
          not given: as many as the data were found to need when the index was built.",
};

pub(super) const PARTS: Param = Param {
    name: "m",
    aliases: &[],
    kind: ParamKind::Int { min: 1, max: 65_536, default: None },
    stage: Stage::Build,
    doc: "Parts that a vector is cut into for its product codes; they divide the dimension. When not given: the most up \
          to 32 that do.",
};

const PARTS_OF_LEVELS: Param = Param {
    doc: "Parts that a vector is cut into for its product codes; they divide the dimension. When not given: 2 if that \
          does, else 1.",
    ..PARTS
};

pub(super) const NBITS: Param = Param {
    name: "nbits",
    aliases: &[],
    kind: ParamKind::Int { min: 1, max: 24, default: Some(8) },
    stage: Stage::Build,
    doc: "Bits of the code of a part: it is one of 2^nbits centroids.",
};

pub(super) const NRQ: Param = Param {
    name: "nrq",
    aliases: &[],
    kind: ParamKind::Int { min: 1, max: 16, default: Some(2) },
    stage: Stage::Build,
    doc: "Levels of codes; each has centroids for what those before it left over.",
};

/// Of HNSW.
pub(super) const HNSW: &[Param] = &[M, EF_CONSTRUCTION, EF, RECALL];
/// Of HNSW_SQ.
pub(super) const HNSW_SQ: &[Param] = &[M, EF_CONSTRUCTION, SQ_TYPE, REFINE, REFINE_TYPE, EF, RECALL, REFINE_K];
/// Of HNSW_PQ.
pub(super) const HNSW_PQ: &[Param] =
    &[M_ONLY, EF_CONSTRUCTION, PARTS, NBITS, REFINE, REFINE_TYPE, EF, RECALL, REFINE_K];
/// Of HNSW_PRQ.
pub(super) const HNSW_PRQ: &[Param] =
    &[M_ONLY, EF_CONSTRUCTION, PARTS_OF_LEVELS, NRQ, NBITS, REFINE, REFINE_TYPE, EF, RECALL, REFINE_K];
