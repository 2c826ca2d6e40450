//! What an index specification asks of a graph: its shape, what is walked on, what refines.

use elanus_kernels::ElementType;

use super::params::{EF_CONSTRUCTION, M, NBITS, NRQ, PARTS, REFINE, REFINE_TYPE, SQ_TYPE};
use crate::graph::Shape;
use crate::tier::Code;
use crate::tier::half::HalfKind;
use crate::tier::pq::PqKind;
use crate::tier::sq::SqKind;
use crate::{ParamError, ParamSet};

/// What a walk compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ground {
    /// The smallest codes that keep the order of near rows, or the rows where no codes do.
    Fitting,
    /// These codes.
    Codes(Code),
    /// The rows.
    Rows,
}

/// How a graph index is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Recipe {
    pub(crate) shape: Shape,
    pub(crate) ground: Ground,
    /// Codes by which candidates are put in order before the rows are asked; `None` where the rows do it.
    pub(crate) refine: Option<Code>,
}

/// HNSW: the user names no codes.
pub(super) fn hnsw(params: &ParamSet, _element: ElementType, _dim: usize) -> Recipe {
    Recipe { shape: shape(params), ground: Ground::Fitting, refine: None }
}

/// HNSW_SQ: the user names the codes.
pub(super) fn hnsw_sq(params: &ParamSet, element: ElementType, _dim: usize) -> Recipe {
    let ground = match code(sq_type(params)) {
        Some(code) if !is_element(code, element) => Ground::Codes(code),
        Some(_) | None => Ground::Rows,
    };
    Recipe { shape: shape(params), ground, refine: refine(params, element) }
}

/// HNSW_PQ: product codes of one level.
pub(super) fn hnsw_pq(params: &ParamSet, element: ElementType, dim: usize) -> Recipe {
    let ground = Ground::Codes(Code::Pq(pq(params, dim)));
    Recipe { shape: shape(params), ground, refine: refine(params, element) }
}

/// HNSW_PRQ: product codes of several levels.
pub(super) fn hnsw_prq(params: &ParamSet, element: ElementType, dim: usize) -> Recipe {
    let ground = Ground::Codes(Code::Pq(prq(params, dim)));
    Recipe { shape: shape(params), ground, refine: refine(params, element) }
}

/// Takes all parameters: there are none that depend on each other.
pub(super) fn any(_params: &ParamSet, _dim: usize) -> Result<(), ParamError> {
    Ok(())
}

/// Refuses what HNSW_SQ cannot do.
pub(super) fn check_sq(params: &ParamSet, _dim: usize) -> Result<(), ParamError> {
    let walked = sq_type(params);
    check_refine(params, walked, bits_of(walked))
}

/// Refuses what HNSW_PQ cannot do.
pub(super) fn check_pq(params: &ParamSet, dim: usize) -> Result<(), ParamError> {
    check_parts(pq(params, dim), dim)
}

/// Refuses what HNSW_PRQ cannot do.
pub(super) fn check_prq(params: &ParamSet, dim: usize) -> Result<(), ParamError> {
    check_parts(prq(params, dim), dim)
}

fn check_parts(kind: PqKind, dim: usize) -> Result<(), ParamError> {
    if kind.fits(dim) {
        return Ok(());
    }
    let problem = format!("it must divide the dimension, which is {dim}");
    Err(ParamError::Conflict { name: PARTS.name, value: kind.m.to_string(), problem })
}

fn sq_type(params: &ParamSet) -> &'static str {
    params.get_choice(SQ_TYPE.name).unwrap_or("SQ8")
}

/// The codes of HNSW_PQ.
fn pq(params: &ParamSet, dim: usize) -> PqKind {
    PqKind { m: parts(params, dim, 32), nrq: 1, nbits: nbits(params) }
}

/// The codes of HNSW_PRQ.
fn prq(params: &ParamSet, dim: usize) -> PqKind {
    let nrq = params.get_int(NRQ.name).unwrap_or(2) as usize;
    PqKind { m: parts(params, dim, 2), nrq, nbits: nbits(params) }
}

fn nbits(params: &ParamSet) -> u32 {
    params.get_int(NBITS.name).unwrap_or(8) as u32
}

/// Parts of a row: as given, else the most up to `usual` that divide the dimension.
fn parts(params: &ParamSet, dim: usize, usual: usize) -> usize {
    let most = || (1..=usual).rev().find(|parts| dim.is_multiple_of(*parts)).unwrap_or(1);
    params.get_int(PARTS.name).map_or_else(most, |parts| parts as usize)
}

/// The shape that parsed parameters ask for; both have defaults, so the alternatives are never taken.
pub(super) fn shape(params: &ParamSet) -> Shape {
    let get = |name, or: i64| params.get_int(name).unwrap_or(or) as usize;
    Shape { m: get(M.name, 30), ef_construction: get(EF_CONSTRUCTION.name, 360) }
}

/// The refining codes that parsed parameters ask for.
pub(super) fn refine(params: &ParamSet, element: ElementType) -> Option<Code> {
    let is_wanted = params.get_bool(REFINE.name).unwrap_or(false);
    let chosen = params.get_choice(REFINE_TYPE.name).filter(|_| is_wanted)?;
    code(chosen).filter(|code| !is_element(*code, element))
}

/// Refuses refining codes that are no finer than `bits` a component.
pub(super) fn check_refine(params: &ParamSet, walked: &str, bits: u32) -> Result<(), ParamError> {
    let Some(chosen) = params.get_choice(REFINE_TYPE.name) else { return Ok(()) };
    if bits_of(chosen) > bits {
        return Ok(());
    }
    let problem = format!("it must be finer than what is walked on, which is {walked}");
    Err(ParamError::Conflict { name: REFINE_TYPE.name, value: chosen.to_owned(), problem })
}

/// Bits a component that a type of codes keeps.
pub(super) fn bits_of(name: &str) -> u32 {
    match name {
        "SQ4U" => 4,
        "SQ6" => 6,
        "SQ8" => 8,
        "BF16" | "FP16" => 16,
        _ => 32,
    }
}

/// The codes of that name; `None` for the rows.
fn code(name: &str) -> Option<Code> {
    match name {
        "SQ4U" => Some(Code::Sq(SqKind { bits: 4, is_uniform: true })),
        "SQ6" => Some(Code::Sq(SqKind { bits: 6, is_uniform: false })),
        "SQ8" => Some(Code::Sq(SqKind { bits: 8, is_uniform: false })),
        "BF16" => Some(Code::Half(HalfKind::Bf16)),
        "FP16" => Some(Code::Half(HalfKind::F16)),
        _ => None,
    }
}

/// Whether the rows already are such codes.
fn is_element(code: Code, element: ElementType) -> bool {
    matches!(
        (code, element),
        (Code::Half(HalfKind::F16), ElementType::F16) | (Code::Half(HalfKind::Bf16), ElementType::Bf16)
    )
}
