//! Building a disk index and writing it from front to back.

use std::fmt;
use std::io::{self, Write};

use elanus_kernels::rng::Rng;
use elanus_kernels::{AnyRows, BitmapView};
use rayon::prelude::*;

use super::coder::{Coder, Work};
use super::connect::{Connected, connect};
use super::layout::{EMPTY, Header, Kind, Layout, Part};
use super::pages::SectionWriter;
use super::settings::Settings;
use super::vectors;
use crate::{BuildCx, BuildError, Cancel, Spec};

/// Nodes encoded, or written, between looks at the cancel flag.
const STEP: usize = 1024;
/// Of a hundred parts of progress, those of the graph, and those of graph and codes.
const GRAPH_PART: u64 = 90;
const CODES_PART: u64 = 95;

/// Why a disk index could not be built and written.
#[derive(Debug)]
pub enum WriteError {
    /// It could not be built.
    Build(BuildError),
    /// The writer failed.
    Io(io::Error),
}

impl fmt::Display for WriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Build(_) => f.write_str("the index could not be built"),
            Self::Io(_) => f.write_str("the index could not be written"),
        }
    }
}

impl std::error::Error for WriteError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Build(error) => Some(error),
            Self::Io(error) => Some(error),
        }
    }
}

impl From<BuildError> for WriteError {
    fn from(error: BuildError) -> Self {
        Self::Build(error)
    }
}

impl From<io::Error> for WriteError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Codes of all nodes, one after another.
struct Codes {
    signs: Vec<u8>,
    fine: Vec<u8>,
}

/// What a file is written from.
struct Plan<'a> {
    header: Header,
    layout: Layout,
    rows: AnyRows<'a>,
    connected: Connected,
    /// The row of each node, and the node of each row.
    order: Vec<u32>,
    position: Vec<u32>,
    coder: Coder,
    codes: Codes,
}

/// Builds an index over the rows that are there and finite, and writes it; memory is taken for links and codes, not
/// for the file.
pub(super) fn write(
    kind: Kind,
    spec: &Spec,
    rows: AnyRows<'_>,
    present: Option<BitmapView<'_>>,
    cx: &BuildCx<'_>,
    out: &mut dyn Write,
) -> Result<(), WriteError> {
    check_cancel(cx.cancel)?;
    let total = rows.len() as u64;
    (cx.progress)(0, total);
    let settings = Settings::new(kind, spec);
    let graph_progress = |done: u64, of: u64| (cx.progress)(total * GRAPH_PART * done / (100 * of.max(1)), total);
    let graph_cx = BuildCx { progress: &graph_progress, ..*cx };
    let degrees = (settings.degree, settings.list);
    let connected = connect(spec.metric(), rows, present, degrees, &graph_cx)?;
    let order = connected.order(settings.by_nearness);
    let header = settings.header(spec, rows.len(), order.len(), cx.seed);
    let codec = header.codec().map_err(BuildError::Kernel)?;
    let layout = Layout::new(&header, &codec);
    let mut coder = Coder::new(codec, header.dim, header.seed, Vec::new()).map_err(BuildError::Kernel)?;
    coder.learn(rows, &order);
    let codes = encode(&coder, rows, &order, cx)?;
    (cx.progress)(total * CODES_PART / 100, total);
    let mut position = vec![EMPTY; rows.len()];
    (0..).zip(&order).for_each(|(node, row)| position[*row as usize] = node);
    let plan = Plan { header, layout, rows, connected, order, position, coder, codes };
    plan.write(spec, cx, out)?;
    (cx.progress)(total, total);
    Ok(())
}

fn check_cancel(cancel: &Cancel) -> Result<(), BuildError> {
    if cancel.is_cancelled() { Err(BuildError::Cancelled) } else { Ok(()) }
}

/// Encodes the nodes, on the lent threads if there are any.
fn encode(coder: &Coder, rows: AnyRows<'_>, order: &[u32], cx: &BuildCx<'_>) -> Result<Codes, BuildError> {
    let (sign, fine) = (coder.codec().record_bytes(), coder.codec().refine_bytes());
    let mut codes = Codes { signs: vec![0; order.len() * sign], fine: vec![0; order.len() * fine] };
    // Where there is no second tier its chunks are empty, and there must be as many all the same.
    let mut fine_parts: Vec<&mut [u8]> = codes.fine.chunks_mut((STEP * fine).max(1)).collect();
    fine_parts.resize_with(order.len().div_ceil(STEP), Default::default);
    let parts = codes.signs.chunks_mut(STEP * sign).zip(fine_parts).zip(order.chunks(STEP));
    let parts: Vec<_> = parts.collect();
    let run = |((signs, fines), rows_of): ((&mut [u8], &mut [u8]), &[u32])| -> Result<(), BuildError> {
        check_cancel(cx.cancel)?;
        let mut work = Work::default();
        let mut fines = fines.chunks_mut(fine.max(1));
        for (row, signs) in rows_of.iter().zip(signs.chunks_mut(sign)) {
            coder.encode(rows.row(*row as usize), &mut work, signs, fines.next().unwrap_or_default());
        }
        Ok(())
    };
    match cx.pool {
        Some(pool) => pool.install(|| parts.into_par_iter().try_for_each(run))?,
        None => parts.into_iter().try_for_each(run)?,
    }
    Ok(codes)
}

impl Plan<'_> {
    fn write(&self, spec: &Spec, cx: &BuildCx<'_>, out: &mut dyn Write) -> Result<(), WriteError> {
        out.write_all(&self.header.page(spec, self.layout.total))?;
        self.section(Part::Rows, out, cx, |node, to| to.copy_from_slice(&self.order[node].to_le_bytes()))?;
        let entries = self.entries();
        self.section(Part::Entries, out, cx, |i, to| to.copy_from_slice(&entries[i].to_le_bytes()))?;
        let centre = self.coder.centre();
        self.section(Part::Centre, out, cx, |i, to| to.copy_from_slice(&centre[i].to_le_bytes()))?;
        self.section(Part::Signs, out, cx, |node, to| to.copy_from_slice(self.signs(node)))?;
        let fine = |node: usize, to: &mut [u8]| to.copy_from_slice(&self.codes.fine[node * to.len()..][..to.len()]);
        self.section(Part::Fine, out, cx, fine)?;
        self.section(Part::Links, out, cx, |node, to| self.put_links(node, to))?;
        self.section(Part::Nodes, out, cx, |node, to| self.put_node(node, to))?;
        Ok(())
    }

    fn section(
        &self,
        part: Part,
        out: &mut dyn Write,
        cx: &BuildCx<'_>,
        fill: impl Fn(usize, &mut [u8]),
    ) -> Result<(), WriteError> {
        let section = self.layout.section(part);
        let mut writer = SectionWriter::new(out, section);
        for item in 0..section.count {
            if item.is_multiple_of(STEP) {
                check_cancel(cx.cancel)?;
                if part == Part::Nodes {
                    let (total, done) = (self.rows.len() as u64, item as u64);
                    let rest = total - total * CODES_PART / 100;
                    (cx.progress)(total - rest + rest * done / section.count as u64, total);
                }
            }
            writer.item(|to| fill(item, to))?;
        }
        Ok(())
    }

    fn signs(&self, node: usize) -> &[u8] {
        let bytes = self.coder.codec().record_bytes();
        &self.codes.signs[node * bytes..][..bytes]
    }

    /// The graph's own entry, and others by chance, so that most walks begin near to where they lead.
    fn entries(&self) -> Vec<u32> {
        let mut nodes: Vec<u32> = (0..self.order.len() as u32).collect();
        let first = self.position.get(self.connected.entry() as usize).copied().unwrap_or(0);
        let count = self.header.entries;
        let mut rng = Rng::new(self.header.seed);
        for i in 0..count.saturating_sub(1).min(nodes.len()) {
            let other = i + rng.below((nodes.len() - i) as u64) as usize;
            nodes.swap(i, other);
        }
        let others = nodes.iter().copied().filter(|node| *node != first);
        std::iter::once(first).filter(|_| count > 0).chain(others).take(count).collect()
    }

    fn links(&self, node: usize) -> impl Iterator<Item = u32> + '_ {
        self.connected.links(self.order[node]).iter().map(|row| self.position[*row as usize])
    }

    fn put_links(&self, node: usize, to: &mut [u8]) {
        let links = self.links(node).chain(std::iter::repeat(EMPTY));
        to.as_chunks_mut::<4>().0.iter_mut().zip(links).for_each(|(to, link)| *to = link.to_le_bytes());
    }

    fn put_node(&self, node: usize, to: &mut [u8]) {
        let shape = self.layout.shape;
        vectors::write(self.rows.row(self.order[node] as usize), &mut to[..shape.vector]);
        self.put_links(node, &mut to[shape.links..][..4 * self.header.degree]);
        let codes = to[shape.codes..].chunks_exact_mut(self.coder.codec().record_bytes());
        codes.zip(self.links(node)).for_each(|(to, link)| to.copy_from_slice(self.signs(link as usize)));
    }
}
