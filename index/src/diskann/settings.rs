//! The parameters of disk indexes, and what follows from them.

use super::layout::{Header, Kind, MAX_BITS, MAX_DEGREE};
use crate::{Param, ParamError, ParamKind, ParamSet, SearchError, Spec, Stage};
use elanus_kernels::codes::rabitq::Codec;
use elanus_kernels::codes::rotate::padded;

/// Entry points of DISKANN beside the graph's own.
const ENTRIES: usize = 255;
/// Candidates of a search that says nothing of it, unless it wants more rows than that.
const LIST_DEFAULT: usize = 100;
/// Reads in flight of a search, at most.
const BEAM_MAX: usize = 128;
/// Bytes of the largest cache of codes.
const GIB: i64 = 1 << 30;

const DEGREE: &str = "MaxDegree";
const LIST: &str = "SearchListSize";
const CODE_BUDGET: &str = "PQCodeBudgetGBRatio";
const CACHE_BUDGET: &str = "SearchCacheBudgetGBRatio";
const BEAM_RATIO: &str = "BeamWidthRatio";
const INLINE: &str = "inline_pq";
const REARRANGE: &str = "rearrange";
const ENTRY_POINTS: &str = "num_entry_points";
const DISK_BUDGET: &str = "disk_pq_code_budget_gb_ratio";
const CODE_CACHE: &str = "pq_cache_size";
const SEARCH_LIST: &str = "search_list";
const BEAM: &str = "vectors_beamwidth";

const fn int(min: i64, max: i64, default: Option<i64>) -> ParamKind {
    ParamKind::Int { min, max, default }
}

const fn share(max: f64, default: f64) -> ParamKind {
    ParamKind::Float { min: 0.0, max, default: Some(default) }
}

const fn build(name: &'static str, aliases: &'static [&'static str], kind: ParamKind, doc: &'static str) -> Param {
    Param { name, aliases, kind, stage: Stage::Build, doc }
}

const DEGREE_PARAM: Param =
    build(DEGREE, &["max_degree"], int(1, MAX_DEGREE as i64, Some(56)), "Links of a node at most.");
const LIST_PARAM: Param = build(
    LIST,
    &["search_list_size"],
    int(1, i32::MAX as i64, Some(100)),
    "Candidates kept while the neighbours of a new node are searched.",
);
const SEARCH_LIST_PARAM: Param = Param {
    name: SEARCH_LIST,
    aliases: &[],
    kind: int(1, 32_768, None),
    stage: Stage::Search,
    doc: "Candidates kept during a search, at least k; more find more of the true neighbours and read more. When not \
          given: k, but at least 100.",
};

const BEAM_PARAM: Param = Param {
    name: BEAM,
    aliases: &["beamwidth"],
    kind: int(1, BEAM_MAX as i64, None),
    stage: Stage::Search,
    doc: "Reads in flight of one search at most. When not given: what BeamWidthRatio allows, which is 4 for each thread \
          of the machine where the index has no such parameter.",
};

/// Parameters of DISKANN.
pub(super) const DISKANN: &[Param] = &[
    DEGREE_PARAM,
    LIST_PARAM,
    build(
        CODE_BUDGET,
        &["pq_code_budget_gb_ratio"],
        ParamKind::Float { min: 0.001, max: 0.25, default: Some(0.125) },
        "Codes in memory take at most this share of the vectors' bytes: the most bits a component, from 1 to 4, that \
         fit, and 1 where none do.",
    ),
    build(
        CACHE_BUDGET,
        &["search_cache_budget_gb_ratio"],
        share(0.3, 0.1),
        "Links of the nodes that searches pass first are kept in memory, as many as this share of the vectors' bytes \
         holds.",
    ),
    build(
        BEAM_RATIO,
        &["beam_width_ratio"],
        ParamKind::Float { min: 1.0, max: 128.0, default: Some(4.0) },
        "Reads in flight of one search at most, for each thread of the machine; never more than 128.",
    ),
    SEARCH_LIST_PARAM,
    BEAM_PARAM,
];

/// Parameters of AISAQ.
pub(super) const AISAQ: &[Param] = &[
    build("max_degree", &[DEGREE], int(1, MAX_DEGREE as i64, Some(56)), DEGREE_PARAM.doc),
    build("search_list_size", &[LIST], int(1, i32::MAX as i64, Some(100)), LIST_PARAM.doc),
    build(
        INLINE,
        &[],
        int(-1, MAX_DEGREE as i64, Some(-1)),
        "How many of a node's neighbours have their codes beside it in the file, at most max_degree; codes of the \
         others are read apart. -1 is all.",
    ),
    build(
        REARRANGE,
        &[],
        ParamKind::Bool { default: Some(true) },
        "Whether nodes lie in the file in the order in which walks come to them, so that codes read apart are often \
         read together; else in the order of the rows.",
    ),
    build(
        ENTRY_POINTS,
        &[],
        int(0, 1000, Some(100)),
        "Nodes beside the graph's own entry at which searches may begin; their codes are kept in memory.",
    ),
    build(
        "pq_code_budget_gb_ratio",
        &[CODE_BUDGET],
        ParamKind::Float { min: 0.001, max: 0.25, default: Some(0.125) },
        "Codes in memory take at most this share of the vectors' bytes, whatever pq_cache_size says.",
    ),
    build(
        DISK_BUDGET,
        &[],
        share(0.25, 0.25),
        "Codes in the file, without those beside their neighbours, take at most this share of the vectors' bytes: the \
         most bits a component, from 1 to 4, that fit, and 1 where none do. Filtered searches read them.",
    ),
    build(
        CODE_CACHE,
        &[],
        int(0, GIB, Some(0)),
        "Bytes of memory for codes that are read apart; of no use, and not taken, where all lie beside their neighbours.",
    ),
    build(
        "search_cache_budget_gb_ratio",
        &[CACHE_BUDGET],
        share(0.3, 0.0),
        "Nodes that searches pass first are kept in memory, as many as this share of the vectors' bytes holds.",
    ),
    SEARCH_LIST_PARAM,
    BEAM_PARAM,
];

/// Build parameters of either kind.
#[derive(Clone, Copy, Debug)]
pub(super) struct Settings {
    kind: Kind,
    pub(super) degree: usize,
    pub(super) list: usize,
    pub(super) by_nearness: bool,
    /// How many codes a record has.
    inlined: usize,
    entries: usize,
    /// Shares of the vectors' bytes.
    memory: f64,
    disk: f64,
    cache: f64,
    code_cache: u64,
    /// Reads in flight for each thread of the machine.
    ratio: f64,
}

impl Settings {
    /// All parameters have defaults, so the alternatives here are never taken.
    pub(super) fn new(kind: Kind, spec: &Spec) -> Self {
        let params = spec.params();
        let is_aisaq = kind == Kind::Aisaq;
        let either = |diskann, aisaq| if is_aisaq { aisaq } else { diskann };
        let int = |name, or| params.get_int(name).unwrap_or(or);
        let float = |name, or| params.get_float(name).unwrap_or(or);
        let degree = int(either(DEGREE, "max_degree"), 56) as usize;
        let inlined = int(INLINE, -1);
        let memory = float(either(CODE_BUDGET, "pq_code_budget_gb_ratio"), 0.125);
        Self {
            kind,
            degree,
            list: int(either(LIST, "search_list_size"), 100) as usize,
            by_nearness: params.get_bool(REARRANGE).unwrap_or(true),
            inlined: match usize::try_from(inlined) {
                _ if !is_aisaq => 0,
                Ok(inlined) => inlined.min(degree),
                Err(_) => degree,
            },
            entries: if is_aisaq { int(ENTRY_POINTS, 100) as usize } else { ENTRIES },
            memory,
            disk: if is_aisaq { float(DISK_BUDGET, 0.25) } else { memory },
            cache: float(either(CACHE_BUDGET, "search_cache_budget_gb_ratio"), 0.0),
            code_cache: int(CODE_CACHE, 0) as u64,
            ratio: float(BEAM_RATIO, 4.0),
        }
    }

    /// The superblock of a file over so many rows and nodes.
    pub(super) fn header(&self, spec: &Spec, rows: usize, nodes: usize, seed: u64) -> Header {
        let vector = spec.dim() * spec.element().size_bytes();
        let all = vector as f64 * nodes as f64;
        let links = (self.cache * all) as usize / (4 * self.degree);
        let is_aisaq = self.kind == Kind::Aisaq;
        let has_apart = self.inlined < self.degree;
        Header {
            kind: self.kind,
            element: spec.element(),
            metric: spec.metric(),
            dim: spec.dim(),
            rows,
            nodes,
            degree: self.degree,
            list: self.list,
            bits: bits(spec, self.disk * vector as f64),
            inlined: self.inlined,
            entries: nodes.min(self.entries + 1),
            linked: if is_aisaq { 0 } else { links.min(nodes) },
            code_cache: if is_aisaq && has_apart { self.code_cache.min((self.memory * all) as u64) } else { 0 },
            node_cache: if is_aisaq { (self.cache * all) as u64 } else { 0 },
            seed,
        }
    }

    /// Reads in flight of a search, when it says nothing of it.
    pub(super) fn beam(&self) -> usize {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        ((self.ratio * threads as f64) as usize).clamp(1, BEAM_MAX)
    }
}

/// Refuses more codes beside a node than it has links.
pub(super) fn check(params: &ParamSet) -> Result<(), ParamError> {
    match (params.get_int(INLINE), params.get_int("max_degree")) {
        (Some(value), Some(max)) if value > max => Err(ParamError::IntRange { name: INLINE, value, min: -1, max }),
        _ => Ok(()),
    }
}

/// The most bits a component whose codes have no more bytes than that.
fn bits(spec: &Spec, bytes: f64) -> u8 {
    let fits = |bits: &u8| {
        let codec = Codec::new(spec.metric(), padded(spec.dim()), *bits);
        codec.is_ok_and(|codec| (codec.record_bytes() + codec.refine_bytes()) as f64 <= bytes)
    };
    (1..=MAX_BITS).rev().find(fits).unwrap_or(1)
}

/// The width of a search.
pub(super) fn width(params: &ParamSet, k: usize) -> Result<usize, SearchError> {
    match params.get_int(SEARCH_LIST) {
        Some(list) if (list as usize) < k => Err(SearchError::BelowK { name: SEARCH_LIST, value: list as usize, k }),
        Some(list) => Ok(list as usize),
        None => Ok(k.max(LIST_DEFAULT)),
    }
}

/// The reads in flight that a search asks for.
pub(super) fn beam(params: &ParamSet) -> Option<usize> {
    params.get_int(BEAM).map(|beam| beam as usize)
}
