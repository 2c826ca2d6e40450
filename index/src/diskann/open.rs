//! An opened disk index: what of the file is kept in memory, and how it got there.

use std::fmt;
use std::sync::Arc;

use elanus_kernels::codes::rabitq::Records;
use parking_lot::Mutex;

use super::coder::Coder;
use super::layout::{Header, Kind, Layout, Part, Section};
use super::pages::{check_unit, read_items, u32s};
use super::settings::Settings;
use super::walk::Work;
use crate::read_at::{PAGE, ReadAt, ReadError, ReadFault};
use crate::{OpenError, Spec};

/// A disk index: a file that is read as searches need it, and a part of it that is kept in memory.
pub struct DiskIndex {
    pub(super) spec: Spec,
    pub(super) settings: Settings,
    pub(super) header: Header,
    pub(super) layout: Layout,
    pub(super) reader: Arc<dyn ReadAt>,
    pub(super) coder: Coder,
    pub(super) memory: Memory,
    /// What searches that ended left for others.
    works: Mutex<Vec<Work>>,
}

/// The part of the file in memory.
pub(super) struct Memory {
    /// The row of each node.
    pub(super) rows: Vec<u32>,
    pub(super) entries: Vec<u32>,
    /// Sign codes of the entry points, in their order.
    entry_codes: Vec<u8>,
    /// Codes of the first nodes: of all in DISKANN.
    signs: Vec<u8>,
    /// Fine codes of all nodes, or none.
    fine: Vec<u8>,
    /// Links of the first nodes, `degree` to a node.
    links: Vec<u32>,
    /// The first units of nodes.
    nodes: Vec<u8>,
}

impl Memory {
    fn bytes(&self) -> u64 {
        let numbers = 4 * (self.rows.len() + self.entries.len() + self.links.len());
        (numbers + self.entry_codes.len() + self.signs.len() + self.fine.len() + self.nodes.len()) as u64
    }
}

/// How much of the file is to be kept.
struct Share {
    signs: usize,
    fine: usize,
    links: usize,
    units: usize,
}

impl Share {
    /// Takes what the index cannot do without, and of the rest what saves most reads first.
    fn new(header: &Header, layout: &Layout, budget: u64) -> Result<Self, OpenError> {
        let sign = layout.section(Part::Signs).packing.item.next_multiple_of(64) as u64;
        let nodes = header.nodes as u64;
        let is_diskann = header.kind == Kind::Diskann;
        let need = 4 * nodes + header.entries as u64 * (4 + sign) + if is_diskann { sign * nodes } else { 0 };
        let mut left = budget.checked_sub(need).ok_or(OpenError::Memory { need, have: budget })?;
        let mut take = |count: u64, size: u64| {
            let taken = count.min(left / size.max(1));
            left -= taken * size;
            taken as usize
        };
        let links = take(header.linked as u64, 4 * header.degree as u64);
        let unit = layout.section(Part::Nodes).packing.unit as u64;
        let units = take((header.node_cache / unit).min(layout.section(Part::Nodes).units()), unit);
        let cached = take((header.code_cache / sign).min(nodes), sign);
        let fine = layout.section(Part::Fine).packing.item as u64;
        let has_fine = is_diskann && header.bits > 1 && take(1, fine * nodes) == 1;
        let signs = if is_diskann { header.nodes } else { cached };
        Ok(Self { signs, fine: if has_fine { header.nodes } else { 0 }, links, units })
    }
}

impl DiskIndex {
    /// Opens a file of that kind, keeping at most `budget` bytes of it in memory.
    pub(super) fn open(kind: Kind, reader: Arc<dyn ReadAt>, spec: &Spec, budget: u64) -> Result<Self, OpenError> {
        let have = reader.len();
        let mut page = [0; PAGE];
        if have < PAGE as u64 {
            return Err(OpenError::Truncated { section: "superblock", offset: 0, need: PAGE as u64, have });
        }
        reader.read_at(0, &mut page).map_err(|error| ReadError::device(0, &error))?;
        let (header, layout) = Header::read(&page, kind, spec, have)?;
        let settings = Settings::new(kind, spec);
        if header.degree != settings.degree {
            let (want, got) = (settings.degree as u64, header.degree as u64);
            return Err(OpenError::Mismatch { what: "links of a node", want, got });
        }
        let share = Share::new(&header, &layout, budget)?;
        let loader = Loader { reader: &*reader, layout: &layout };
        let mut centre = Vec::new();
        read_items(&*reader, layout.section(Part::Centre), 0..padded(&header), |_, item| centre.extend(floats(item)))?;
        let coder = Coder::new(header.codec()?, header.dim, header.seed, centre)?;
        let rows = loader.numbers(Part::Rows, header.nodes, header.rows)?;
        let entries = loader.numbers(Part::Entries, header.entries, header.nodes)?;
        let entry_codes = loader.entry_codes(&entries)?;
        let signs = loader.strided(Part::Signs, share.signs, coder.codec().record_stride())?;
        let fine = loader.strided(Part::Fine, share.fine, coder.codec().refine_bytes())?;
        let links = loader.links(share.links, header.nodes)?;
        let nodes = loader.units(share.units)?;
        let memory = Memory { rows, entries, entry_codes, signs, fine, links, nodes };
        let (spec, works) = (spec.clone(), Mutex::default());
        Ok(Self { spec, settings, header, layout, reader, coder, memory, works })
    }

    /// Checks every unit of the file.
    pub(super) fn check_all(&self) -> Result<(), ReadError> {
        for section in self.layout.sections() {
            read_items(&*self.reader, section, 0..section.count, |_, _| {})?;
        }
        Ok(())
    }

    /// Bytes that the index keeps in memory whatever is searched. A search takes more while it runs: a quarter of a
    /// byte for each row, and a unit for each read in flight.
    pub fn resident_bytes(&self) -> u64 {
        self.memory.bytes()
    }

    /// Where links of nodes are that need no read.
    pub(super) fn links(&self, node: u32) -> Option<&[u32]> {
        let degree = self.header.degree;
        let start = node as usize * degree;
        let links = self.memory.links.get(start..start + degree)?;
        Some(&links[..links.iter().position(|link| *link == super::layout::EMPTY).unwrap_or(degree)])
    }

    /// Whether no walk reads links.
    pub(super) fn has_all_links(&self) -> bool {
        self.memory.links.len() == self.header.nodes * self.header.degree
    }

    /// Sign codes in memory, of the first nodes.
    pub(super) fn signs(&self) -> Records<'_> {
        self.coder.codec().records(&self.memory.signs, self.coder.codec().record_stride())
    }

    /// Sign codes of the entry points.
    pub(super) fn entry_signs(&self) -> Records<'_> {
        let codec = self.coder.codec();
        codec.records(&self.memory.entry_codes, codec.record_bytes())
    }

    /// Fine codes in memory, of all nodes or none.
    pub(super) fn fine(&self) -> Option<Records<'_>> {
        let codec = self.coder.codec();
        let has = !self.memory.fine.is_empty();
        has.then(|| codec.refinements(&self.memory.fine, codec.refine_bytes()))
    }

    /// A unit of nodes in memory.
    pub(super) fn unit(&self, unit: u64) -> Option<&[u8]> {
        let size = self.layout.section(Part::Nodes).packing.unit;
        let start = usize::try_from(unit).ok()?.checked_mul(size)?;
        self.memory.nodes.get(start..start.checked_add(size)?)
    }

    /// Memory of a search that ended.
    pub(super) fn take_work(&self) -> Work {
        self.works.lock().pop().unwrap_or_default()
    }

    pub(super) fn give_work(&self, work: Work) {
        self.works.lock().push(work);
    }
}

impl fmt::Debug for DiskIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DiskIndex").field("header", &self.header).field("reader", &self.reader).finish_non_exhaustive()
    }
}

fn padded(header: &Header) -> usize {
    elanus_kernels::codes::rotate::padded(header.dim)
}

fn floats(bytes: &[u8]) -> impl Iterator<Item = f32> + '_ {
    u32s(bytes).map(f32::from_bits)
}

/// Reads parts of a file into memory. How much it reads was bounded by the length of the file.
struct Loader<'a> {
    reader: &'a dyn ReadAt,
    layout: &'a Layout,
}

impl Loader<'_> {
    fn section(&self, part: Part) -> &Section {
        self.layout.section(part)
    }

    /// Numbers below a bound.
    fn numbers(&self, part: Part, count: usize, bound: usize) -> Result<Vec<u32>, OpenError> {
        let mut numbers = Vec::with_capacity(count);
        read_items(self.reader, self.section(part), 0..count, |_, item| numbers.extend(u32s(item)))?;
        self.check(part, &numbers, bound)?;
        Ok(numbers)
    }

    fn check(&self, part: Part, numbers: &[u32], bound: usize) -> Result<(), OpenError> {
        match numbers.iter().position(|number| *number as usize >= bound && *number != super::layout::EMPTY) {
            None => {}
            Some(at) => return Err(self.refuse(part, numbers[at])),
        }
        let may_be_empty = part == Part::Links;
        if !may_be_empty && numbers.contains(&super::layout::EMPTY) {
            return Err(self.refuse(part, super::layout::EMPTY));
        }
        Ok(())
    }

    fn refuse(&self, part: Part, got: u32) -> OpenError {
        let (section, offset) = (part.name(), self.section(part).offset);
        OpenError::Value { section, offset, problem: "a number beyond those there are", got: got.into() }
    }

    /// Items of which one begins every `stride` bytes.
    fn strided(&self, part: Part, count: usize, stride: usize) -> Result<Vec<u8>, OpenError> {
        let mut bytes = vec![0; count * stride];
        let mut places = bytes.chunks_exact_mut(stride.max(1));
        read_items(self.reader, self.section(part), 0..count, |_, item| {
            if let Some(place) = places.next() {
                place[..item.len()].copy_from_slice(item);
            }
        })?;
        Ok(bytes)
    }

    fn entry_codes(&self, entries: &[u32]) -> Result<Vec<u8>, OpenError> {
        let mut bytes = Vec::with_capacity(entries.len() * self.section(Part::Signs).packing.item);
        for entry in entries {
            let range = *entry as usize..*entry as usize + 1;
            read_items(self.reader, self.section(Part::Signs), range, |_, item| bytes.extend_from_slice(item))?;
        }
        Ok(bytes)
    }

    fn links(&self, count: usize, nodes: usize) -> Result<Vec<u32>, OpenError> {
        let mut links = Vec::with_capacity(count * self.section(Part::Links).packing.item / 4);
        read_items(self.reader, self.section(Part::Links), 0..count, |_, item| links.extend(u32s(item)))?;
        self.check(Part::Links, &links, nodes)?;
        Ok(links)
    }

    fn units(&self, count: usize) -> Result<Vec<u8>, OpenError> {
        let section = self.section(Part::Nodes);
        let mut bytes = vec![0; count * section.packing.unit];
        self.reader.read_at(section.offset, &mut bytes).map_err(|error| ReadError::device(section.offset, &error))?;
        for (unit, bytes) in (0..).zip(bytes.chunks_exact(section.packing.unit)) {
            check_unit(section, unit, bytes)?;
        }
        Ok(bytes)
    }
}

impl From<ReadError> for OpenError {
    fn from(error: ReadError) -> Self {
        Self::Read(error)
    }
}

/// A link that leads to no node, in a record at that offset.
pub(super) fn bad_link(offset: u64, got: u32) -> ReadError {
    ReadError { offset, fault: ReadFault::Value { what: "a link", got: got.into() } }
}
