//! The sectioned bytes that every index is saved in.
//!
//! All numbers are little-endian.
//!
//! | offset | size | what |
//! |---|---|---|
//! | 0 | 8 | magic, `ELANUSIX` |
//! | 8 | 4 | version, 1 |
//! | 12 | 4 | kind of index: 1 flat, 2 graph with hierarchy, 3 inverted lists |
//! | 16 | 8 | number of sections |
//! | 24 | 8 | length of the whole in bytes |
//! | 32 | 24 each | section table: tag (4), item (4), offset (8), length (8) |
//!
//! Sections follow in the order of the table. Each begins at a multiple of 64 and zero bytes fill the gap before it;
//! the whole ends with the last section. A tag and an item name a section once; the item is the level of a section
//! that exists for each level, the role of a tier (0 what a walk compares, 1 what refines it) for its sections, and 0
//! otherwise.

use std::io::{self, Write};

use bytemuck::Pod;
use elanus_kernels::{ElementType, Metric};

use crate::array::Array;
use crate::{Blob, OpenError, Spec};

const MAGIC: [u8; 8] = *b"ELANUSIX";
const VERSION: u32 = 1;
const HEADER: usize = 32;
const ENTRY: usize = 24;
const ALIGN: usize = 64;
/// More sections than any index has; a bound on what a forged header can make the reader look at.
const MAX_SECTIONS: u64 = 256;

/// What kind of index the bytes hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Flat,
    Hnsw,
    Ivf,
}

impl Kind {
    fn number(self) -> u32 {
        match self {
            Self::Flat => 1,
            Self::Hnsw => 2,
            Self::Ivf => 3,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Flat => "1 (flat)",
            Self::Hnsw => "2 (graph with hierarchy)",
            Self::Ivf => "3 (inverted lists)",
        }
    }
}

/// What a section holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tag {
    /// Numbers of the whole index, eight bytes each.
    Meta,
    /// A bit for each row: whether it is indexed. Missing when every row is.
    Present,
    /// Links of the lowest level.
    Links,
    /// Inverse Euclidean norms of the rows.
    Norms,
    /// Row ids of an upper level.
    UpperIds,
    /// Links of an upper level.
    UpperLinks,
    /// Numbers of a tier, eight bytes each; the item is the tier's role.
    CodeParams,
    /// What a tier's codes stand for, as f32: means, codebooks.
    CodeTables,
    /// A tier's codes.
    Codes,
    /// Where the entries of inverted lists begin.
    ListStarts,
    /// The rows of the entries of inverted lists.
    ListEntries,
    /// What the entries of inverted lists add to a key.
    ListTerms,
    /// Which widths of a search find how much.
    Promise,
}

const TAGS: [Tag; 13] = [
    Tag::Meta,
    Tag::Present,
    Tag::Links,
    Tag::Norms,
    Tag::UpperIds,
    Tag::UpperLinks,
    Tag::CodeParams,
    Tag::CodeTables,
    Tag::Codes,
    Tag::ListStarts,
    Tag::ListEntries,
    Tag::ListTerms,
    Tag::Promise,
];

impl Tag {
    fn number(self) -> u32 {
        match self {
            Self::Meta => 1,
            Self::Present => 2,
            Self::Links => 3,
            Self::Norms => 4,
            Self::UpperIds => 5,
            Self::UpperLinks => 6,
            Self::CodeParams => 7,
            Self::CodeTables => 8,
            Self::Codes => 9,
            Self::ListStarts => 10,
            Self::ListEntries => 11,
            Self::ListTerms => 12,
            Self::Promise => 13,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Meta => "meta",
            Self::Present => "present",
            Self::Links => "links",
            Self::Norms => "norms",
            Self::UpperIds => "upper ids",
            Self::UpperLinks => "upper links",
            Self::CodeParams => "code parameters",
            Self::CodeTables => "code tables",
            Self::Codes => "codes",
            Self::ListStarts => "list starts",
            Self::ListEntries => "list entries",
            Self::ListTerms => "list terms",
            Self::Promise => "promise",
        }
    }
}

/// A section to be written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part<'a> {
    pub(crate) tag: Tag,
    pub(crate) item: u32,
    pub(crate) bytes: &'a [u8],
}

/// Writes header, table and sections.
pub(crate) fn write(out: &mut dyn Write, kind: Kind, parts: &[Part<'_>]) -> io::Result<()> {
    let mut end = HEADER + ENTRY * parts.len();
    let mut table = Vec::with_capacity(ENTRY * parts.len());
    for part in parts {
        let offset = end.next_multiple_of(ALIGN);
        table.extend(part.tag.number().to_le_bytes());
        table.extend(part.item.to_le_bytes());
        table.extend((offset as u64).to_le_bytes());
        table.extend((part.bytes.len() as u64).to_le_bytes());
        end = offset + part.bytes.len();
    }
    out.write_all(&MAGIC)?;
    out.write_all(&VERSION.to_le_bytes())?;
    out.write_all(&kind.number().to_le_bytes())?;
    out.write_all(&(parts.len() as u64).to_le_bytes())?;
    out.write_all(&(end as u64).to_le_bytes())?;
    out.write_all(&table)?;
    let mut at = HEADER + table.len();
    for part in parts {
        let gap = at.next_multiple_of(ALIGN) - at;
        out.write_all(&[0; ALIGN][..gap])?;
        out.write_all(part.bytes)?;
        at += gap + part.bytes.len();
    }
    Ok(())
}

/// A section found in saved bytes.
#[derive(Clone, Debug)]
pub(crate) struct Section {
    pub(crate) tag: Tag,
    pub(crate) item: u32,
    pub(crate) offset: u64,
    pub(crate) blob: Blob,
}

impl Section {
    /// The section's bytes as exactly `count` numbers, in place.
    pub(crate) fn array<T: Pod>(&self, count: u64) -> Result<Array<T>, OpenError> {
        let got = self.blob.len() as u64;
        let want = count.checked_mul(size_of::<T>() as u64);
        if want != Some(got) {
            let want = want.unwrap_or(u64::MAX);
            return Err(OpenError::Length { section: self.tag.name(), offset: self.offset, want, got });
        }
        let misaligned = OpenError::Misaligned { section: self.tag.name(), offset: self.offset };
        Array::map(self.blob.clone()).ok_or(misaligned)
    }

    /// The refusal of the value at `position` of numbers of `size` bytes.
    pub(crate) fn refuse(&self, position: usize, size: usize, problem: &'static str, got: u64) -> OpenError {
        let offset = self.offset + (position * size) as u64;
        OpenError::Value { section: self.tag.name(), offset, problem, got }
    }
}

/// Saved bytes whose header and table were checked.
#[derive(Clone, Debug)]
pub(crate) struct Container {
    kind: u32,
    sections: Vec<Section>,
}

impl Container {
    /// Checks header and table; what the sections hold is for the index to check.
    pub(crate) fn read(blob: &Blob) -> Result<Self, OpenError> {
        let bytes = blob.as_slice();
        let have = bytes.len() as u64;
        let cut = |section, offset: u64, need| OpenError::Truncated { section, offset, need, have };
        let magic: [u8; 8] = field(bytes, 0).ok_or_else(|| cut("header", 0, HEADER as u64))?;
        if magic != MAGIC {
            return Err(OpenError::Magic { got: magic });
        }
        if bytes.len() < HEADER {
            return Err(cut("header", 0, HEADER as u64));
        }
        let version = u32_at(bytes, 8);
        if version != VERSION {
            return Err(OpenError::Version { got: version, max: VERSION });
        }
        let count = u64_at(bytes, 16);
        if count > MAX_SECTIONS {
            let problem = "more sections than an index has";
            return Err(OpenError::Value { section: "header", offset: 16, problem, got: count });
        }
        let table_len = ENTRY as u64 * count;
        if HEADER as u64 + table_len > have {
            return Err(cut("section table", HEADER as u64, table_len));
        }
        let total = u64_at(bytes, 24);
        if total > have {
            return Err(cut("whole", 0, total));
        }
        let mut end = HEADER as u64 + table_len;
        let mut sections = Vec::with_capacity(count as usize);
        for position in 0..count as usize {
            let section = read_entry(blob, HEADER + ENTRY * position, end)?;
            end = section.offset + section.blob.len() as u64;
            if sections.iter().any(|s: &Section| (s.tag, s.item) == (section.tag, section.item)) {
                return Err(OpenError::Misplaced { section: section.tag.name(), offset: section.offset });
            }
            sections.push(section);
        }
        if end != total || total != have {
            return Err(OpenError::Length { section: "whole", offset: 0, want: end, got: have });
        }
        Ok(Self { kind: u32_at(bytes, 12), sections })
    }

    /// Whether the bytes hold that kind of index.
    pub(crate) fn is(&self, kind: Kind) -> bool {
        self.kind == kind.number()
    }

    pub(crate) fn expect_kind(&self, kind: Kind) -> Result<(), OpenError> {
        if self.is(kind) { Ok(()) } else { Err(OpenError::Kind { want: kind.name(), got: self.kind }) }
    }

    pub(crate) fn find(&self, tag: Tag, item: u32) -> Option<&Section> {
        self.sections.iter().find(|section| section.tag == tag && section.item == item)
    }

    pub(crate) fn need(&self, tag: Tag, item: u32) -> Result<&Section, OpenError> {
        self.find(tag, item).ok_or(OpenError::Missing { section: tag.name() })
    }

    /// How many sections there are, by which an index sees that none is left over.
    pub(crate) fn len(&self) -> usize {
        self.sections.len()
    }
}

fn read_entry(blob: &Blob, at: usize, end: u64) -> Result<Section, OpenError> {
    let bytes = blob.as_slice();
    let have = bytes.len() as u64;
    let number = u32_at(bytes, at);
    let item = u32_at(bytes, at + 4);
    let offset = u64_at(bytes, at + 8);
    let need = u64_at(bytes, at + 16);
    let tag = TAGS.into_iter().find(|tag| tag.number() == number).ok_or(OpenError::Value {
        section: "section table",
        offset: at as u64,
        problem: "unknown section tag",
        got: u64::from(number),
    })?;
    let section = tag.name();
    // The one place a section may be is right after what comes before it, so that the bytes have one form.
    if offset != end.next_multiple_of(ALIGN as u64) {
        return Err(OpenError::Misplaced { section, offset });
    }
    if offset > have || need > have - offset {
        return Err(OpenError::Truncated { section, offset, need, have });
    }
    let range = offset as usize..(offset + need) as usize;
    Ok(Section { tag, item, offset, blob: blob.slice(range) })
}

fn field<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

/// Four bytes that the caller knows to be there; zero if they are not.
fn u32_at(bytes: &[u8], at: usize) -> u32 {
    field(bytes, at).map_or(0, u32::from_le_bytes)
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    field(bytes, at).map_or(0, u64::from_le_bytes)
}

/// How many numbers of the meta section every kind of index has.
pub(crate) const META_SHARED: usize = 5;

/// The numbers that every index begins its meta section with: element, metric, dimension, rows, indexed rows.
pub(crate) fn shared_meta(spec: &Spec, rows: usize, nodes: usize) -> [u64; META_SHARED] {
    let (element, metric) = (element_number(spec.element()), metric_number(spec.metric()));
    [element, metric, spec.dim() as u64, rows as u64, nodes as u64]
}

/// Reads a meta section of `count` numbers, the shared ones checked against the spec.
pub(crate) fn read_meta(container: &Container, spec: &Spec, count: usize) -> Result<Vec<u64>, OpenError> {
    let section = container.need(Tag::Meta, 0)?;
    let meta = section.array::<u64>(count as u64)?.as_slice().to_vec();
    let [element, metric, dim, _, _] = shared_meta(spec, 0, 0);
    for (what, want, got) in [("element", element, meta[0]), ("metric", metric, meta[1]), ("dimension", dim, meta[2])] {
        if want != got {
            return Err(OpenError::Mismatch { what, want, got });
        }
    }
    if meta[4] > meta[3] {
        return Err(section.refuse(4, 8, "more indexed rows than rows", meta[4]));
    }
    Ok(meta)
}

/// Reads which rows are indexed: the section must be there exactly when not all are, and agree with the count.
pub(crate) fn read_present(container: &Container, rows: u64, nodes: u64) -> Result<Option<Array<u64>>, OpenError> {
    let Some(section) = container.find(Tag::Present, 0) else {
        let missing = OpenError::Missing { section: Tag::Present.name() };
        return if rows == nodes { Ok(None) } else { Err(missing) };
    };
    let words = section.array::<u64>(rows.div_ceil(64))?;
    let ones: u64 = words.as_slice().iter().map(|word| u64::from(word.count_ones())).sum();
    let tail = words.as_slice().last().map_or(0, |last| if rows.is_multiple_of(64) { 0 } else { last >> (rows % 64) });
    if tail != 0 {
        return Err(section.refuse(words.as_slice().len() - 1, 8, "bits set past the last row", tail));
    }
    if ones != nodes || rows == nodes {
        return Err(section.refuse(0, 8, "indexed rows do not match the meta section", ones));
    }
    Ok(Some(words))
}

fn element_number(element: ElementType) -> u64 {
    match element {
        ElementType::F32 => 1,
        ElementType::F16 => 2,
        ElementType::Bf16 => 3,
        ElementType::I8 => 4,
        ElementType::U8 => 5,
        ElementType::U4 => 6,
        ElementType::Binary => 7,
    }
}

fn metric_number(metric: Metric) -> u64 {
    match metric {
        Metric::L2 => 1,
        Metric::Ip => 2,
        Metric::Cosine => 3,
        Metric::Hamming => 4,
        Metric::Jaccard => 5,
        Metric::Tanimoto => 6,
        Metric::Substructure => 7,
        Metric::Superstructure => 8,
        Metric::MhJaccard => 9,
    }
}

#[cfg(test)]
mod tests;
