//! The sections of saved lists, and the checks that make opened bytes safe to scan.
//!
//! | section | numbers | what |
//! |---|---|---|
//! | meta | 9 of 8 bytes | element (1 f32, 2 f16, 3 bf16), metric (1 L2, 2 IP, 3 COSINE), dimension, rows, rows in lists, lists as asked for (0 for a choice), components of a code, whether rows are in two lists, lists (0 where there are none, and no section beyond present) |
//! | present | 1 bit for each row, in words of 8 bytes | whether the row can be returned; missing when all can |
//! | code tables, item 0 | dimension of 4 bytes | the mean, f32; only for L2 |
//! | code tables, item 1 | lists times dimension of 4 bytes | centres, f32 |
//! | code tables, item 2 | codes times 16 times components of 4 bytes | centroids of the codes, f32 |
//! | list starts | lists + 2 of 4 bytes | where the entries of each list begin, where the last ones end, where the loose rows end |
//! | list entries | 4 bytes each | the row of each entry, then the loose rows |
//! | codes | whole blocks for each list | 4-bit codes in the vector-major layout of the kernels |
//! | list terms | entries without the loose ones of 4 bytes | what each adds to a key, f32; only for L2 |
//! | promise | 28 of 4 bytes | as for a graph; missing where it was not measured |

use std::io::{self, Write};

use elanus_kernels::codes::pq4::{CENTROIDS, MAX_M};
use elanus_kernels::codes::pq8::Codebooks;
use elanus_kernels::{BitmapView, Metric};

use super::space::Space;
use super::{IvfIndex, LAYOUT, ListShape, Lists, MAX_ROWS, block_starts, supports};
use crate::array::Array;
use crate::container::{self, Container, Kind, Part, Section, Tag};
use crate::plan::calibrate::Calibration;
use crate::{OpenError, Spec, check};

const META: usize = container::META_SHARED + 4;
/// Items of the code tables.
const MEAN: u32 = 0;
const CENTRES: u32 = 1;
const BOOKS: u32 = 2;

pub(super) fn save(index: &IvfIndex, out: &mut dyn Write) -> io::Result<()> {
    let shared = container::shared_meta(&index.spec, index.rows, index.nodes);
    let ListShape { lists, part, spill } = index.shape;
    let count = index.lists.as_ref().map_or(0, Lists::len);
    let meta = [&shared[..], &[lists as u64, part as u64, u64::from(spill), count as u64]].concat();
    let of = |tag, item, bytes| Part { tag, item, bytes };
    let mut parts = vec![of(Tag::Meta, 0, bytemuck::cast_slice(&meta))];
    parts.extend(index.present.as_ref().map(|words| of(Tag::Present, 0, words.as_bytes())));
    if let Some(lists) = &index.lists {
        let is_l2 = index.spec.metric() == Metric::L2;
        parts.extend(is_l2.then(|| of(Tag::CodeTables, MEAN, lists.space.mean.as_bytes())));
        parts.push(of(Tag::CodeTables, CENTRES, lists.centres.as_bytes()));
        parts.push(of(Tag::CodeTables, BOOKS, lists.books.as_bytes()));
        parts.push(of(Tag::ListStarts, 0, lists.starts.as_bytes()));
        parts.push(of(Tag::ListEntries, 0, lists.ids.as_bytes()));
        parts.push(of(Tag::Codes, 0, lists.codes.as_bytes()));
        parts.extend(is_l2.then(|| of(Tag::ListTerms, 0, lists.terms.as_bytes())));
    }
    parts.extend(index.promise.as_ref().map(Calibration::part));
    container::write(out, Kind::Ivf, &parts)
}

impl IvfIndex {
    /// Opens what [`save`] wrote for a spec whose parameters ask for that shape.
    ///
    /// # Errors
    /// When the bytes are not such an index or were saved from another spec or shape.
    pub(crate) fn open(container: &Container, spec: &Spec, shape: ListShape) -> Result<Self, OpenError> {
        container.expect_kind(Kind::Ivf)?;
        check::kernel(spec.element(), spec.metric())?;
        let shape = shape.fitted(spec.dim());
        let section = container.need(Tag::Meta, 0)?;
        let meta = container::read_meta(container, spec, META)?;
        let own = [
            ("lists", shape.lists as u64, meta[5]),
            ("components of a code", shape.part as u64, meta[6]),
            ("two lists for a row", u64::from(shape.spill), meta[7]),
        ];
        for (what, want, got) in own {
            if want != got {
                return Err(OpenError::Mismatch { what, want, got });
            }
        }
        let (rows, nodes, count) = (meta[3], meta[4], meta[8]);
        if rows > MAX_ROWS as u64 {
            return Err(section.refuse(3, 8, "more rows than lists hold", rows));
        }
        if count > nodes || !supports(spec.element(), spec.metric()) {
            return Err(section.refuse(8, 8, "more lists than rows", count));
        }
        let present = container::read_present(container, rows, nodes)?;
        let is_node = |row: u32| -> bool {
            let bits = present.as_ref().map(|words| BitmapView::new(words.as_slice(), rows as usize));
            u64::from(row) < rows && bits.is_none_or(|bits| bits.get(row as usize))
        };
        let lists = if count == 0 { None } else { Some(read_lists(container, spec, shape, count, is_node)?) };
        let of_lists = if spec.metric() == Metric::L2 { 7 } else { 5 };
        let promise = Calibration::read(container)?;
        let besides = 1 + usize::from(present.is_some()) + usize::from(promise.is_some());
        let want = besides + if lists.is_some() { of_lists } else { 0 };
        if container.len() != want {
            return Err(OpenError::Mismatch { what: "sections", want: want as u64, got: container.len() as u64 });
        }
        let (rows, nodes) = (rows as usize, nodes as usize);
        Ok(Self { spec: spec.clone(), shape, rows, nodes, present, lists, promise })
    }
}

fn read_lists(
    container: &Container,
    spec: &Spec,
    shape: ListShape,
    count: u64,
    is_node: impl Fn(u32) -> bool,
) -> Result<Lists, OpenError> {
    let (dim, m, is_l2) = (spec.dim() as u64, shape.codes(spec.dim()), spec.metric() == Metric::L2);
    debug_assert!(m <= MAX_M, "no spec has as many components");
    let table = |item, numbers| container.need(Tag::CodeTables, item)?.array::<f32>(numbers);
    let mean = if is_l2 { table(MEAN, dim)? } else { Array::Owned(Vec::new()) };
    let centres = table(CENTRES, count.saturating_mul(dim))?;
    let books = table(BOOKS, (m * CENTROIDS * shape.part) as u64)?;
    let codebooks = Codebooks::new(books.as_slice(), m, CENTROIDS, shape.part)?;
    let section = container.need(Tag::ListStarts, 0)?;
    let starts = section.array::<u32>(count + 2)?;
    if let Some(at) = starts.as_slice().windows(2).position(|pair| pair[0] > pair[1]) {
        let got = starts.as_slice()[at + 1];
        return Err(section.refuse(at + 1, 4, "a list ends before it begins", u64::from(got)));
    }
    if starts.as_slice()[0] != 0 {
        return Err(section.refuse(0, 4, "entries before the first list", u64::from(starts.as_slice()[0])));
    }
    let (coded, all) = (starts.as_slice()[count as usize], starts.as_slice()[count as usize + 1]);
    let section = container.need(Tag::ListEntries, 0)?;
    let ids = section.array::<u32>(u64::from(all))?;
    check_entries(section, ids.as_slice(), is_node)?;
    let blocks = block_starts(&starts.as_slice()[..count as usize + 1]);
    let bytes = blocks[count as usize] as u64 * LAYOUT.block_bytes(m) as u64;
    let codes = container.need(Tag::Codes, 0)?.array::<u8>(bytes)?;
    let terms =
        if is_l2 { container.need(Tag::ListTerms, 0)?.array(u64::from(coded))? } else { Array::Owned(Vec::new()) };
    let space = Space { metric: spec.metric(), mean };
    Ok(Lists { space, centres, books, codebooks, starts, ids, codes, terms, blocks })
}

/// Every entry is of a row that may be returned.
fn check_entries(section: &Section, ids: &[u32], is_node: impl Fn(u32) -> bool) -> Result<(), OpenError> {
    match ids.iter().position(|row| !is_node(*row)) {
        Some(at) => Err(section.refuse(at, 4, "an entry of no row", u64::from(ids[at]))),
        None => Ok(()),
    }
}
