//! A corpus in the device's memory: parts no larger than a program can bind, rows padded to groups of four words.
use std::any::Any;
use std::num::NonZeroU64;
use std::ops::Range;
use std::sync::Arc;

use ::wgpu::{BindGroup, Buffer, BufferUsages};
use elanus_kernels::backend::{BackendError, CorpusKind, Resident};
use elanus_kernels::{AnyRows, Bf16, Binary, ElementType, F16, U4};
use elanus_shaders::wgsl::{Element, GROUP_BYTES, INVOCATIONS, Program};

use super::codes::Shape;
use super::steps::{Numbers, Shared, entries};
use crate::pool::Slot;

/// Bytes that are copied into one staging buffer.
pub(super) const PIECE_BYTES: usize = 4 << 20;

/// Bytes on their way before the device is waited for, so that staging buffers do not pile up.
pub(super) const UNDERWAY_BYTES: usize = 32 << 20;

/// Bytes of the longest row over bytes whose sums fit 32 bits.
const INTEGER_ROW_BYTES: usize = 1 << 16;

/// Bytes of a row's side.
const SIDE_BYTES: u64 = 8;

/// How rows lie in the device's memory.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout {
    /// Bytes of a row in the caller's memory.
    pub(super) row_bytes: usize,
    /// Groups of four words of a row.
    pub(super) width: u32,
    /// Rows of a part; the last may have fewer.
    pub(super) part_rows: usize,
}

impl Layout {
    /// # Errors
    /// When a row is longer than the device can bind or the programs can count.
    pub(super) fn new(rows: AnyRows<'_>, element: Element, part_bytes: u64) -> Result<Self, BackendError> {
        let row_bytes = rows.dim().saturating_mul(unit_bytes(rows.element()));
        let stride = row_bytes.div_ceil(GROUP_BYTES) as u64 * GROUP_BYTES as u64;
        let longest =
            if matches!(element, Element::I8 | Element::U8 | Element::U4) { INTEGER_ROW_BYTES } else { usize::MAX };
        if stride > part_bytes || row_bytes > longest {
            return Err(BackendError::Failed { reason: format!("rows of {row_bytes} bytes are too long for it") });
        }
        let part_rows = (part_bytes / stride).min(u64::from(u32::MAX)) as usize;
        let width = (stride / GROUP_BYTES as u64) as u32;
        Ok(Self { row_bytes, width, part_rows })
    }

    pub(super) fn stride(&self) -> usize {
        self.width as usize * GROUP_BYTES
    }

    /// Bytes that so many rows take.
    pub(super) fn bytes(&self, rows: usize) -> u64 {
        rows as u64 * (self.stride() as u64 + SIDE_BYTES)
    }
}

/// Rows `first..first + rows` of a corpus.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) first: u32,
    pub(super) rows: u32,
    /// The rows and their sides, or the codes.
    pub(super) group: BindGroup,
}

/// What a corpus holds of the device.
#[derive(Debug)]
pub(super) struct Memory {
    pub(super) parts: Vec<Part>,
}

/// What a corpus is to the programs.
#[derive(Clone, Copy, Debug)]
pub(super) enum Form {
    /// Vectors.
    Rows(Element),
    /// Codes.
    Codes(Shape),
}

/// The handle of a corpus.
#[derive(Debug)]
pub(super) struct Held {
    /// The number of the backend that made it.
    pub(super) owner: u64,
    pub(super) kind: CorpusKind,
    pub(super) form: Form,
    pub(super) dim: usize,
    pub(super) len: usize,
    pub(super) slot: Arc<Slot<Memory>>,
}

impl Held {
    /// The element type.
    ///
    /// # Errors
    /// When it is codes.
    pub(super) fn element(&self) -> Result<Element, BackendError> {
        match self.form {
            Form::Rows(element) => Ok(element),
            Form::Codes(_) => Err(BackendError::Kind { corpus: self.kind, queries: "vectors" }),
        }
    }
}

impl Resident for Held {
    fn len(&self) -> usize {
        self.len
    }

    fn kind(&self) -> CorpusKind {
        self.kind
    }

    fn device_bytes(&self) -> u64 {
        if self.is_evicted() { 0 } else { self.slot.bytes() }
    }

    fn is_evicted(&self) -> bool {
        self.slot.is_evicted()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// Copies rows to the device and computes their sides.
///
/// # Errors
/// When the device fails.
pub(super) fn upload(
    shared: &Shared,
    element: Element,
    layout: &Layout,
    rows: AnyRows<'_>,
) -> Result<Memory, BackendError> {
    let mut parts = Vec::new();
    let usage = BufferUsages::STORAGE | BufferUsages::COPY_DST;
    for first in (0..rows.len()).step_by(layout.part_rows) {
        let count = layout.part_rows.min(rows.len() - first);
        let part = shared.device.guarded(|| {
            let held = shared.device.buffer((count * layout.stride()) as u64, usage);
            let sides = shared.device.buffer(count as u64 * SIDE_BYTES, usage);
            write(shared, &held, layout, rows.slice(first..first + count))?;
            square(shared, element, layout, &held, &sides, count as u32)?;
            let group = entries(&shared.device, &shared.programs.part, &[&held, &sides]);
            Ok(Part { first: first as u32, rows: count as u32, group })
        })?;
        parts.push(part);
    }
    Ok(Memory { parts })
}

/// Writes all rows to the beginning of a buffer, in pieces.
pub(super) fn write(shared: &Shared, to: &Buffer, layout: &Layout, rows: AnyRows<'_>) -> Result<(), BackendError> {
    let (from, stride) = (bytes(rows), layout.stride());
    let step = (PIECE_BYTES / stride).max(1);
    let mut padded = Vec::new();
    let mut underway = 0;
    for first in (0..rows.len()).step_by(step) {
        let range = first..rows.len().min(first + step);
        let piece = pad(from, layout, range.clone(), &mut padded);
        let Some(size) = NonZeroU64::new(piece.len() as u64) else { continue };
        let Some(mut view) = shared.device.queue.write_buffer_with(to, (first * stride) as u64, size) else {
            return Err(BackendError::Failed { reason: "no memory to copy rows from".to_owned() });
        };
        view.copy_from_slice(piece);
        drop(view);
        underway += piece.len();
        if underway >= UNDERWAY_BYTES {
            shared.device.run(None)?;
            underway = 0;
        }
    }
    Ok(())
}

/// The bytes of some rows as the device holds them.
fn pad<'a>(from: &'a [u8], layout: &Layout, range: Range<usize>, to: &'a mut Vec<u8>) -> &'a [u8] {
    let (row_bytes, stride) = (layout.row_bytes, layout.stride());
    let from = &from[range.start * row_bytes..range.end * row_bytes];
    if row_bytes == stride {
        return from;
    }
    to.clear();
    to.resize(range.len() * stride, 0);
    for (to, from) in to.chunks_exact_mut(stride).zip(from.chunks_exact(row_bytes)) {
        to[..row_bytes].copy_from_slice(from);
    }
    to
}

fn square(
    shared: &Shared,
    element: Element,
    layout: &Layout,
    rows: &Buffer,
    sides: &Buffer,
    count: u32,
) -> Result<(), BackendError> {
    let pipeline = shared.pipeline(Program::Squares, element, None, layout.width)?;
    let numbers = Numbers { width: layout.width, places: count, ..Numbers::default() };
    let uniform = shared.device.buffer(Numbers::BYTES, BufferUsages::UNIFORM | BufferUsages::COPY_DST);
    shared.device.queue.write_buffer(&uniform, 0, bytemuck::cast_slice(&numbers.words()));
    let group = entries(&shared.device, &shared.programs.squares, &[&uniform, rows, sides]);
    let mut encoder = shared.device.inner.create_command_encoder(&Default::default());
    {
        let mut pass = encoder.begin_compute_pass(&Default::default());
        pass.set_pipeline(&pipeline);
        pass.set_bind_group(0, &group, &[0]);
        let [x, y, z] = shared.grid(u64::from(count.div_ceil(INVOCATIONS)), 1);
        pass.dispatch_workgroups(x, y, z);
    }
    shared.device.run(Some(encoder.finish()))
}

fn unit_bytes(element: ElementType) -> usize {
    match element {
        ElementType::F32 => 4,
        ElementType::F16 | ElementType::Bf16 => 2,
        ElementType::I8 | ElementType::U8 | ElementType::U4 | ElementType::Binary => 1,
    }
}

/// The bytes of all rows. Devices read the least significant byte first, as every host that drives one writes it.
fn bytes(rows: AnyRows<'_>) -> &[u8] {
    match rows {
        AnyRows::F32(rows) => bytemuck::cast_slice(rows.data()),
        AnyRows::F16(rows) => bytemuck::cast_slice(F16::as_bits_slice(rows.data())),
        AnyRows::Bf16(rows) => bytemuck::cast_slice(Bf16::as_bits_slice(rows.data())),
        AnyRows::I8(rows) => bytemuck::cast_slice(rows.data()),
        AnyRows::U8(rows) => rows.data(),
        AnyRows::U4(rows) => U4::as_bytes_slice(rows.data()),
        AnyRows::Binary(rows) => Binary::as_bytes_slice(rows.data()),
    }
}
