//! The sections of a saved graph, and the checks that make opened bytes safe to walk.
//!
//! | section | numbers | what |
//! |---|---|---|
//! | meta | 12 of 8 bytes | element, metric, dimension, rows, nodes, M, efConstruction, entry row (2^32 - 1 when there are no nodes), upper levels, tiers (1 for walked codes, 3 for refining codes as well, else 0), candidates kept for each that is asked for and candidates put in order again for each row wanted, both f32 |
//! | present | 1 bit for each row, in words of 8 bytes | whether the row is a node; missing when all are |
//! | norms | rows of 4 bytes | inverse Euclidean norms as f32, 0 for the zero vector; only for COSINE without codes |
//! | links | rows times 2 M of 4 bytes | neighbours of each row on the lowest level as row ids, then 2^32 - 1 to the end |
//! | upper ids, item l | 4 bytes each | row ids on level l, ascending |
//! | upper links, item l | M for each id of 4 bytes | neighbours on level l as positions among its ids, then 2^32 - 1 |
//! | code sections, item 0 | | the tier that is walked on, as its own file says |
//! | code sections, item 1 | | the tier that refines |
//! | promise | 28 of 4 bytes | the recall at each of 14 widths as f32, for 10 rows wanted and for 100; missing where it was not measured |

use std::io::{self, Write};

use elanus_kernels::{BitmapView, Metric};

use super::fit::Fit;
use super::index::HnswIndex;
use super::recipe::{Ground, Recipe};
use crate::array::Array;
use crate::container::{self, Container, Kind, Part, Section, Tag};
use crate::graph::MAX_NODE;
use crate::graph::levels::MAX_LEVEL;
use crate::graph::links::{EMPTY, Graph, Upper};
use crate::plan::calibrate::Calibration;
use crate::tier::{self, Tier};
use crate::{OpenError, Spec, check};

const META: usize = container::META_SHARED + 7;

/// The items of the sections of tiers.
const WALKED: u32 = 0;
const REFINE: u32 = 1;

pub(super) fn save(index: &HnswIndex, out: &mut dyn Write) -> io::Result<()> {
    let shared = container::shared_meta(&index.spec, index.rows, index.nodes);
    let entry = index.graph.as_ref().map_or(EMPTY, |graph| graph.entry);
    let upper: &[Upper] = index.graph.as_ref().map_or(&[], |graph| &graph.upper);
    let shape = index.recipe.shape;
    let tiers = u64::from(index.walked.is_some()) | u64::from(index.refine.is_some()) << 1;
    let fit = [index.fit.widen, index.fit.refine].map(|value| u64::from(value.to_bits()));
    let own = [shape.m as u64, shape.ef_construction as u64, u64::from(entry), upper.len() as u64, tiers];
    let meta = [&shared[..], &own[..], &fit[..]].concat();
    let part = |tag, bytes| Part { tag, item: 0, bytes };
    let mut parts = vec![part(Tag::Meta, bytemuck::cast_slice(&meta))];
    parts.extend(index.present.as_ref().map(|words| part(Tag::Present, words.as_bytes())));
    if index.has_norms() {
        parts.push(part(Tag::Norms, index.norms.as_bytes()));
    }
    parts.extend(index.graph.as_ref().map(|graph| part(Tag::Links, graph.base.as_bytes())));
    for (i, level) in upper.iter().enumerate() {
        let item = i as u32 + 1;
        parts.push(Part { tag: Tag::UpperIds, item, bytes: level.ids.as_bytes() });
        parts.push(Part { tag: Tag::UpperLinks, item, bytes: level.links.as_bytes() });
    }
    parts.extend(index.walked.iter().flat_map(|tier| tier.parts(WALKED)));
    parts.extend(index.refine.iter().flat_map(|tier| tier.parts(REFINE)));
    parts.extend(index.promise.as_ref().map(Calibration::part));
    container::write(out, Kind::Hnsw, &parts)
}

impl HnswIndex {
    pub(crate) fn open(container: &Container, spec: &Spec, recipe: Recipe) -> Result<Self, OpenError> {
        container.expect_kind(Kind::Hnsw)?;
        check::kernel(spec.element(), spec.metric())?;
        let section = container.need(Tag::Meta, 0)?;
        let meta = container::read_meta(container, spec, META)?;
        let shape = recipe.shape;
        let own = [("M", shape.m as u64, meta[5]), ("efConstruction", shape.ef_construction as u64, meta[6])];
        for (what, want, got) in own {
            if want != got {
                return Err(OpenError::Mismatch { what, want, got });
            }
        }
        let (rows, nodes, levels) = (meta[3], meta[4], meta[8]);
        if rows > u64::from(MAX_NODE) {
            return Err(section.refuse(3, 8, "more rows than a graph holds", rows));
        }
        if levels > u64::from(MAX_LEVEL) || (nodes == 0 && levels > 0) {
            return Err(section.refuse(8, 8, "more levels than a graph has", levels));
        }
        let present = container::read_present(container, rows, nodes)?;
        let is_node = |row: u32| -> bool {
            let bits = present.as_ref().map(|words| BitmapView::new(words.as_slice(), rows as usize));
            u64::from(row) < rows && bits.is_none_or(|bits| bits.get(row as usize))
        };
        let graph = if nodes == 0 {
            None
        } else {
            let entry = u32::try_from(meta[7]).unwrap_or(EMPTY);
            let graph = read_graph(container, shape.m, rows, levels, entry, is_node)?;
            let top = graph.upper.last();
            if !is_node(entry) || top.is_some_and(|top| top.ids.as_slice().binary_search(&entry).is_err()) {
                return Err(section.refuse(7, 8, "the entry row is not on the top level", meta[7]));
            }
            Some(graph)
        };
        let (walked, refine, fit) = read_tiers(container, spec, recipe, &meta)?;
        let (rows, nodes, spec) = (rows as usize, nodes as usize, spec.clone());
        let norms = Array::Owned(Vec::new());
        let promise = Calibration::read(container)?;
        let mut index = Self { spec, recipe, rows, nodes, present, norms, graph, walked, refine, fit, promise };
        if index.has_norms() {
            index.norms = read_norms(container, rows as u64)?;
        }
        index.check_count(container, levels as usize)?;
        Ok(index)
    }

    /// Whether norms are kept beside the graph.
    fn has_norms(&self) -> bool {
        self.spec.metric() == Metric::Cosine && self.walked.is_none()
    }

    /// Whether the bytes hold the sections of such an index and no others.
    fn check_count(&self, container: &Container, levels: usize) -> Result<(), OpenError> {
        let tiers = self.walked.iter().chain(&self.refine).map(|tier| tier.parts(0).len()).sum::<usize>();
        let sections = 1 + usize::from(self.present.is_some()) + usize::from(self.has_norms());
        let promise = usize::from(self.promise.is_some());
        let want = sections + usize::from(self.graph.is_some()) + 2 * levels + tiers + promise;
        let got = container.len();
        if got == want {
            return Ok(());
        }
        Err(OpenError::Mismatch { what: "sections", want: want as u64, got: got as u64 })
    }
}

type Tiers = (Option<Box<dyn Tier>>, Option<Box<dyn Tier>>, Fit);

/// Reads the tiers that the meta section speaks of, which must be those that the recipe allows.
fn read_tiers(container: &Container, spec: &Spec, recipe: Recipe, meta: &[u64]) -> Result<Tiers, OpenError> {
    let section = container.need(Tag::Meta, 0)?;
    let (rows, dim) = (meta[3] as usize, spec.dim());
    let tier = |role| tier::open(container, role, spec.metric(), dim, rows);
    let (walked, refine) = match meta[9] {
        0 => (None, None),
        1 => (tier(WALKED)?, None),
        3 => (tier(WALKED)?, tier(REFINE)?),
        got => return Err(section.refuse(9, 8, "no such set of tiers", got)),
    };
    let has = u64::from(walked.is_some()) | u64::from(refine.is_some()) << 1;
    let is_allowed = match recipe.ground {
        Ground::Rows => walked.is_none(),
        Ground::Fitting => walked.as_ref().is_none_or(|tier| matches!(tier.code(), tier::Code::Sq(_))),
        Ground::Codes(code) => walked.as_ref().is_none_or(|tier| tier.code() == code),
    };
    let is_refined = refine.as_ref().is_none_or(|tier| Some(tier.code()) == recipe.refine);
    if has != meta[9] || !is_allowed || !is_refined {
        return Err(section.refuse(9, 8, "not the tiers that were asked for", meta[9]));
    }
    let mut numbers = [1.0_f32; 2];
    for (at, number) in numbers.iter_mut().enumerate() {
        let got = meta[10 + at];
        *number = u32::try_from(got).map_or(f32::NAN, f32::from_bits);
        if !(1.0..=Fit::MAX).contains(number) {
            return Err(section.refuse(10 + at, 8, "not a factor of a search", got));
        }
    }
    Ok((walked, refine, Fit { widen: numbers[0], refine: numbers[1] }))
}

fn read_norms(container: &Container, rows: u64) -> Result<Array<f32>, OpenError> {
    let section = container.need(Tag::Norms, 0)?;
    let norms = section.array::<f32>(rows)?;
    match norms.as_slice().iter().position(|norm| !norm.is_finite() || norm.is_sign_negative()) {
        Some(at) => Err(section.refuse(at, 4, "not an inverse norm", u64::from(norms.as_slice()[at].to_bits()))),
        None => Ok(norms),
    }
}

fn read_graph(
    container: &Container,
    m: usize,
    rows: u64,
    levels: u64,
    entry: u32,
    is_node: impl Fn(u32) -> bool,
) -> Result<Graph, OpenError> {
    let links = container.need(Tag::Links, 0)?;
    let base = links.array::<u32>(rows.saturating_mul(2 * m as u64))?;
    check_links(links, base.as_slice(), 2 * m, &is_node)?;
    let mut upper: Vec<Upper> = Vec::with_capacity(levels as usize);
    for level in 1..=levels as u32 {
        let section = container.need(Tag::UpperIds, level)?;
        let ids = section.array::<u32>(section.blob.len() as u64 / 4)?;
        let list = ids.as_slice();
        if list.is_empty() {
            return Err(section.refuse(0, 4, "a level without rows", 0));
        }
        if let Some(at) = list.windows(2).position(|pair| pair[0] >= pair[1]) {
            return Err(section.refuse(at + 1, 4, "row ids do not ascend", u64::from(list[at + 1])));
        }
        let below = upper.last().map(|level| level.ids.as_slice());
        let stands = |row: u32| is_node(row) && below.is_none_or(|ids| ids.binary_search(&row).is_ok());
        if let Some(at) = list.iter().position(|row| !stands(*row)) {
            return Err(section.refuse(at, 4, "the row is not on the level below", u64::from(list[at])));
        }
        let section = container.need(Tag::UpperLinks, level)?;
        let links = section.array::<u32>(list.len() as u64 * m as u64)?;
        check_links(section, links.as_slice(), m, |node| (node as usize) < list.len())?;
        upper.push(Upper { ids, links });
    }
    Ok(Graph { m, base, upper, entry })
}

/// Every link leads to a node, and nothing follows the first unused place of a row.
fn check_links(
    section: &Section,
    links: &[u32],
    stride: usize,
    is_node: impl Fn(u32) -> bool,
) -> Result<(), OpenError> {
    for (i, row) in links.chunks(stride).enumerate() {
        let mut has_ended = false;
        for (j, link) in row.iter().enumerate() {
            let at = i * stride + j;
            if *link == EMPTY {
                has_ended = true;
            } else if has_ended {
                return Err(section.refuse(at, 4, "a link after the end of its row", u64::from(*link)));
            } else if !is_node(*link) {
                return Err(section.refuse(at, 4, "a link to no node", u64::from(*link)));
            }
        }
    }
    Ok(())
}
