//! What lies where in the file of a disk index.
//!
//! All numbers are little-endian. The file is whole pages of 4096 bytes. The first is the superblock:
//!
//! | offset | size | what |
//! |---|---|---|
//! | 0 | 8 | magic, `ELANUSDK` |
//! | 8 | 4 | version, 1 |
//! | 12 | 4 | kind: 1 DISKANN, 2 AISAQ |
//! | 16 | 8 each | the numbers of [`Header`], in the order of [`Header::numbers`], and the length of the file |
//! | 4092 | 4 | crc32c of the page up to here |
//!
//! Sections follow, each right after the one before: row ids of the nodes, entry points, the centre of the codes, sign
//! codes, fine codes, links of the first nodes, and the nodes themselves ([`NodeShape`]). Each is items of one size in
//! *units*: a page with as many items as it has room for, or, where an item does not fit into a page, as many pages
//! as one item takes. Zeros fill the rest of a unit up to its last four bytes, which are the crc32c of the number of
//! the section, the number of the unit and the unit's other bytes. So there is no byte in the file that no checksum
//! covers, and where everything lies follows from the superblock alone.
//!
//! A node is called by its position in the file, so that those near to each other in the graph are so in the file too,
//! and those that searches pass through most come first.

use std::ops::Range;

use elanus_kernels::codes::rabitq::Codec;
use elanus_kernels::codes::rotate::padded;
use elanus_kernels::{ElementType, KernelError, Metric};

use crate::container::shared_meta;
use crate::factory::MAX_DIM;
use crate::graph::MAX_NODE;
use crate::read_at::PAGE;
use crate::{OpenError, Spec};

const MAGIC: [u8; 8] = *b"ELANUSDK";
const VERSION: u32 = 1;
/// Bytes of a checksum, at the end of each unit.
const SUM: usize = 4;
/// Numbers of the superblock.
const NUMBERS: usize = 14;
/// The most links of a node.
pub(super) const MAX_DEGREE: usize = 512;
/// The most bits a component in codes.
pub(super) const MAX_BITS: u8 = 4;
/// The most entry points.
pub(super) const MAX_ENTRIES: usize = 1001;
/// No node: fills the unused end of a row of links.
pub(super) const EMPTY: u32 = u32::MAX;

/// Which of the two arrangements a file has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Codes of all nodes are kept in memory.
    Diskann,
    /// A node's record holds the codes of its neighbours.
    Aisaq,
}

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Diskann => "DISKANN",
            Self::Aisaq => "AISAQ",
        }
    }

    fn number(self) -> u32 {
        match self {
            Self::Diskann => 1,
            Self::Aisaq => 2,
        }
    }
}

/// What the superblock says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) kind: Kind,
    pub(super) element: ElementType,
    pub(super) metric: Metric,
    pub(super) dim: usize,
    /// Rows of the build, and those of them that are nodes.
    pub(super) rows: usize,
    pub(super) nodes: usize,
    /// Links of a node at most, and the width of the searches that found them.
    pub(super) degree: usize,
    pub(super) list: usize,
    /// Bits a component in codes.
    pub(super) bits: u8,
    /// Codes in a node's record.
    pub(super) inlined: usize,
    pub(super) entries: usize,
    /// How many of the first nodes have their links in a section of their own.
    pub(super) linked: usize,
    /// Bytes of codes (AISAQ), and of whole nodes, that the builder wants to be kept in memory.
    pub(super) code_cache: u64,
    pub(super) node_cache: u64,
    /// The seed of the rotation.
    pub(super) seed: u64,
}

/// A part of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Rows,
    Entries,
    Centre,
    Signs,
    Fine,
    Links,
    Nodes,
}

impl Part {
    const ALL: [Self; 7] = [Self::Rows, Self::Entries, Self::Centre, Self::Signs, Self::Fine, Self::Links, Self::Nodes];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Rows => "row ids",
            Self::Entries => "entry points",
            Self::Centre => "centre",
            Self::Signs => "sign codes",
            Self::Fine => "fine codes",
            Self::Links => "links",
            Self::Nodes => "nodes",
        }
    }
}

/// How items of one size lie in units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Packing {
    /// Bytes of an item.
    pub(super) item: usize,
    /// Items in a unit.
    pub(super) per_unit: usize,
    /// Bytes of a unit.
    pub(super) unit: usize,
}

impl Packing {
    fn new(item: usize) -> Self {
        let unit = (item + SUM).next_multiple_of(PAGE);
        let per_unit = if unit == PAGE { (PAGE - SUM) / item.max(1) } else { 1 };
        Self { item, per_unit, unit }
    }

    fn units(&self, count: usize) -> u64 {
        count.div_ceil(self.per_unit) as u64
    }
}

/// A section: its items, and where they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Section {
    pub(super) part: Part,
    pub(super) packing: Packing,
    pub(super) count: usize,
    /// Where its first unit begins.
    pub(super) offset: u64,
}

impl Section {
    /// The unit that holds an item.
    pub(super) fn unit_of(&self, item: usize) -> u64 {
        (item / self.packing.per_unit) as u64
    }

    /// Where in its unit an item is.
    pub(super) fn place(&self, item: usize) -> Range<usize> {
        let start = item % self.packing.per_unit * self.packing.item;
        start..start + self.packing.item
    }

    /// The items of a unit.
    pub(super) fn items_of(&self, unit: u64) -> Range<usize> {
        let first = unit as usize * self.packing.per_unit;
        first..self.count.min(first + self.packing.per_unit)
    }

    /// Where a unit begins in the file.
    pub(super) fn unit_offset(&self, unit: u64) -> u64 {
        self.offset + unit * self.packing.unit as u64
    }

    /// How many units there are.
    pub(super) fn units(&self) -> u64 {
        self.packing.units(self.count)
    }

    /// The checksum of a unit.
    pub(super) fn sum(&self, unit: u64, bytes: &[u8]) -> u32 {
        let mut head = [0; 12];
        head[..4].copy_from_slice(&(self.part as u32).to_le_bytes());
        head[4..].copy_from_slice(&unit.to_le_bytes());
        crc32c::crc32c_append(crc32c::crc32c(&head), &bytes[..bytes.len() - SUM])
    }

    /// The checksum that a unit carries.
    pub(super) fn stored_sum(bytes: &[u8]) -> u32 {
        bytes.last_chunk::<SUM>().map_or(0, |sum| u32::from_le_bytes(*sum))
    }
}

/// What a node's record holds: its vector, its links, and the sign codes of the nodes that the first of them lead to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NodeShape {
    pub(super) vector: usize,
    pub(super) links: usize,
    pub(super) codes: usize,
    pub(super) bytes: usize,
}

impl NodeShape {
    fn new(header: &Header, code: usize) -> Self {
        let vector = header.dim * header.element.size_bytes();
        let links = vector.next_multiple_of(8);
        let codes = (links + 4 * header.degree).next_multiple_of(8);
        Self { vector, links, codes, bytes: codes + header.inlined * code }
    }
}

/// Where everything is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    sections: [Section; 7],
    pub(super) shape: NodeShape,
    pub(super) total: u64,
}

impl Layout {
    /// Follows from the header, whose numbers are in their bounds.
    pub(super) fn new(header: &Header, codec: &Codec) -> Self {
        let shape = NodeShape::new(header, codec.record_bytes());
        let has_fine = usize::from(header.bits > 1);
        let mut offset = PAGE as u64;
        let sections = Part::ALL.map(|part| {
            let (item, count) = match part {
                Part::Rows => (4, header.nodes),
                Part::Entries => (4, header.entries),
                Part::Centre => (4, codec.dim()),
                Part::Signs => (codec.record_bytes(), header.nodes),
                Part::Fine => (codec.refine_bytes(), has_fine * header.nodes),
                Part::Links => (4 * header.degree, header.linked),
                Part::Nodes => (shape.bytes, header.nodes),
            };
            let section = Section { part, packing: Packing::new(item), count, offset };
            offset += section.units() * section.packing.unit as u64;
            section
        });
        Self { sections, shape, total: offset }
    }

    pub(super) fn section(&self, part: Part) -> &Section {
        &self.sections[part as usize]
    }

    pub(super) fn sections(&self) -> &[Section] {
        &self.sections
    }
}

impl Header {
    fn numbers(&self, spec: &Spec) -> [u64; NUMBERS] {
        let [element, metric, dim, rows, nodes] = shared_meta(spec, self.rows, self.nodes);
        let [degree, list, inlined, entries, linked] =
            [self.degree, self.list, self.inlined, self.entries, self.linked].map(|number| number as u64);
        let bits = u64::from(self.bits);
        let (code_cache, node_cache) = (self.code_cache, self.node_cache);
        [
            element, metric, dim, rows, nodes, degree, list, bits, inlined, entries, linked, code_cache, node_cache,
            self.seed,
        ]
    }

    /// The shape of the codes.
    pub(super) fn codec(&self) -> Result<Codec, KernelError> {
        Codec::new(self.metric, padded(self.dim), self.bits)
    }

    /// The superblock.
    pub(super) fn page(&self, spec: &Spec, total: u64) -> Vec<u8> {
        let mut page = Vec::with_capacity(PAGE);
        page.extend(MAGIC);
        page.extend(VERSION.to_le_bytes());
        page.extend(self.kind.number().to_le_bytes());
        for number in self.numbers(spec).into_iter().chain([total]) {
            page.extend(number.to_le_bytes());
        }
        page.resize(PAGE - SUM, 0);
        let sum = crc32c::crc32c(&page);
        page.extend(sum.to_le_bytes());
        page
    }

    /// Reads a superblock that must be of this kind and spec, of a file of `have` bytes.
    pub(super) fn read(page: &[u8; PAGE], kind: Kind, spec: &Spec, have: u64) -> Result<(Self, Layout), OpenError> {
        if let Some(got) = page.first_chunk::<8>().filter(|magic| **magic != MAGIC) {
            return Err(OpenError::Magic { got: *got });
        }
        let u32_at = |at: usize| page[at..].first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes));
        let version = u32_at(8);
        if version != VERSION {
            return Err(OpenError::Version { got: version, max: VERSION });
        }
        if u32_at(12) != kind.number() {
            return Err(OpenError::Kind { want: kind.name(), got: u32_at(12) });
        }
        let (stored, computed) = (u32_at(PAGE - SUM), crc32c::crc32c(&page[..PAGE - SUM]));
        if stored != computed {
            return Err(value((PAGE - SUM) as u64, "the checksum differs from that of the bytes", stored.into()));
        }
        let number = |i: usize| page[16 + 8 * i..].first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
        let [element, metric, dim, _, _] = shared_meta(spec, 0, 0);
        for (i, what, want) in [(0, "element", element), (1, "metric", metric), (2, "dimension", dim)] {
            if number(i) != want {
                return Err(OpenError::Mismatch { what, want, got: number(i) });
            }
        }
        let header = Self::check(kind, spec, number)?;
        let layout = Layout::new(&header, &header.codec()?);
        let total = number(NUMBERS);
        if total != layout.total || have != total {
            let (section, offset) = ("whole", 0);
            return Err(OpenError::Length { section, offset, want: layout.total, got: have.min(total) });
        }
        Ok((header, layout))
    }

    /// The numbers, each within the bounds that every file keeps.
    fn check(kind: Kind, spec: &Spec, number: impl Fn(usize) -> u64) -> Result<Self, OpenError> {
        let within = |i: usize, low: usize, high: usize, problem| {
            let got = number(i);
            if (low as u64..=high as u64).contains(&got) {
                Ok(got as usize)
            } else {
                Err(value(16 + 8 * i as u64, problem, got))
            }
        };
        let rows = within(3, 0, MAX_NODE as usize, "more rows than a graph holds")?;
        let nodes = within(4, 0, rows, "more nodes than rows")?;
        let degree = within(5, 1, MAX_DEGREE, "no such number of links")?;
        debug_assert!(spec.dim() <= MAX_DIM, "a spec keeps its dimension in bounds");
        Ok(Self {
            kind,
            element: spec.element(),
            metric: spec.metric(),
            dim: spec.dim(),
            rows,
            nodes,
            degree,
            list: within(6, 1, i32::MAX as usize, "no such width of searches")?,
            bits: within(7, 1, usize::from(MAX_BITS), "no such number of bits")? as u8,
            inlined: within(8, 0, degree, "more codes than links")?,
            entries: within(9, usize::from(nodes > 0), nodes.min(MAX_ENTRIES), "no such number of entry points")?,
            linked: within(10, 0, nodes, "more links than nodes")?,
            code_cache: number(11),
            node_cache: number(12),
            seed: number(13),
        })
    }
}

/// The refusal of a number of the superblock.
fn value(offset: u64, problem: &'static str, got: u64) -> OpenError {
    OpenError::Value { section: "superblock", offset, problem, got }
}
