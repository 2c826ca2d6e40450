//! Vectors on a device: each row padded to whole pieces of sixteen bytes, and the squared lengths beside them.
use std::any::Any;
use std::sync::Arc;

use elanus_kernels::backend::{BackendError, CorpusKind, Resident, checks::Shape};
use elanus_kernels::{AnyRows, Bf16, Binary, ElementType, F16, Metric};

use super::args::SquaresArgs;
use super::device::{Device, Memory};
use super::driver::Lines;
use super::lane::Lane;
use super::lanes::Lanes;
use super::programs::{Family, Programs};
use crate::pool::{Counted, Pool, Slot};

/// What the programs read at a time: rows begin at multiples of it.
const ROW_ALIGN: usize = 16;

/// The largest squared length whose keys cannot overflow: that of the query, of the row and twice their product add up
/// to four of it.
const LONGEST: f32 = f32::MAX / 8.0;

/// Components of bytes whose squared distances are exact in 32 bits: each adds at most `255 * 255`.
const I8_UNITS: usize = 32_768;

/// The memory of a corpus.
#[derive(Debug)]
pub(super) struct Stored {
    pub(super) rows: Memory,
    /// Of vectors; codes have none.
    pub(super) squares: Option<Memory>,
    /// The largest squared length, of numbers that are rounded; else 0.
    pub(super) longest: f32,
}

/// A corpus as its owner has it.
#[derive(Debug)]
pub(super) struct Held {
    device: Arc<Device>,
    slot: Arc<Slot<Stored>>,
    element: ElementType,
    /// Units of a row.
    pub(super) dim: usize,
    /// From one row to the next.
    pub(super) row_bytes: usize,
    len: u32,
}

impl Resident for Held {
    fn len(&self) -> usize {
        self.len as usize
    }

    fn kind(&self) -> CorpusKind {
        CorpusKind::Rows(self.element)
    }

    fn device_bytes(&self) -> u64 {
        self.slot.bytes()
    }

    fn is_evicted(&self) -> bool {
        self.slot.is_evicted()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl Held {
    /// The corpus behind a handle, if it is on this device.
    pub(super) fn of<'a>(resident: &'a dyn Resident, device: &Arc<Device>) -> Result<&'a Self, BackendError> {
        let held = resident.as_any().downcast_ref::<Self>().filter(|held| Arc::ptr_eq(&held.device, device));
        held.ok_or(BackendError::Foreign)
    }

    pub(super) fn shape(&self) -> Shape {
        Shape::new(self, self.dim)
    }

    /// Rows.
    pub(super) fn rows(&self) -> u32 {
        self.len
    }

    pub(super) fn element(&self) -> ElementType {
        self.element
    }

    /// The memory, which stays as long as what is returned is kept.
    pub(super) fn memory(&self) -> Result<Arc<Counted<Stored>>, BackendError> {
        self.slot.get().ok_or(BackendError::Evicted)
    }

    /// Copies rows to the device.
    pub(super) fn upload(
        device: &Arc<Device>,
        pool: &Arc<Pool<Stored>>,
        lanes: &Lanes,
        programs: &Programs,
        rows: AnyRows<'_>,
    ) -> Result<Self, BackendError> {
        device.check()?;
        let (element, dim) = (rows.element(), rows.dim());
        // The kind is at fault and no metric; the first one stands for all.
        let unsupported = BackendError::Unsupported { kind: CorpusKind::Rows(element), metric: Metric::L2 };
        let family = *programs.family(element).ok_or(unsupported)?;
        let (len, row_bytes) = sizes(rows)?;
        let sent = |lane: &mut Lane, at: u64| send_rows(lane, at, rows, row_bytes);
        let slot = pool.insert(len as u64 * (row_bytes as u64 + 4), || {
            Stored::make(device, lanes, &family, (len, dim, row_bytes), sent)
        })?;
        Ok(Self { device: Arc::clone(device), slot, element, dim, row_bytes, len: len as u32 })
    }

    /// Rows of zeros that never were on the host and count against no budget, to be measured with.
    pub(super) fn zeros(
        device: &Arc<Device>,
        lanes: &Lanes,
        family: &Family,
        len: u32,
        dim: usize,
    ) -> Result<Self, BackendError> {
        let row_bytes = (dim * family.element.size_bytes()).next_multiple_of(ROW_ALIGN);
        let words = u64::from(len) * row_bytes as u64 / 4;
        let zeros = |lane: &mut Lane, at: u64| lane.fill(at, 0, words);
        let apart = Pool::new(u64::MAX);
        let slot = apart.insert(0, || Stored::make(device, lanes, family, (len as usize, dim, row_bytes), zeros))?;
        Ok(Self { device: Arc::clone(device), slot, element: family.element, dim, row_bytes, len })
    }
}

impl Stored {
    /// Memory for `(rows, units, bytes from one row to the next)`, which `write` fills.
    fn make(
        device: &Arc<Device>,
        lanes: &Lanes,
        family: &Family,
        (len, dim, row_bytes): (usize, usize, usize),
        write: impl FnOnce(&mut Lane, u64) -> Result<(), BackendError>,
    ) -> Result<Self, BackendError> {
        let rows = Memory::new(device, len as u64 * row_bytes as u64)?;
        let squares = Memory::new(device, len as u64 * 4)?;
        // After the memory, so that it is settled before the memory goes.
        let mut lane = lanes.take()?;
        write(&mut lane, rows.address())?;
        square(&mut lane, family, rows.address(), squares.address(), len as u64, dim, row_bytes)?;
        let longest = if family.rescore.is_some() { longest(&mut lane, &squares, len)? } else { 0.0 };
        lane.synchronise()?;
        check_length(longest, "a row")?;
        Ok(Self { rows, squares: Some(squares), longest })
    }
}

/// Rows and bytes from one to the next, where the programs can number them.
fn sizes(rows: AnyRows<'_>) -> Result<(usize, usize), BackendError> {
    let refused = |reason: String| Err(BackendError::Failed { reason });
    if rows.element() == ElementType::I8 && rows.dim() > I8_UNITS {
        return refused(format!("rows of {} bytes, where sums are exact up to {I8_UNITS}", rows.dim()));
    }
    let row_bytes = rows.dim().checked_mul(rows.element().size_bytes());
    let row_bytes = row_bytes.and_then(|bytes| bytes.checked_next_multiple_of(ROW_ALIGN));
    match row_bytes.filter(|bytes| i32::try_from(*bytes).is_ok()) {
        Some(row_bytes) if u32::try_from(rows.len()).is_ok_and(|len| len < u32::MAX) => Ok((rows.len(), row_bytes)),
        Some(_) => refused(format!("{} rows, where 32 bits number them", rows.len())),
        None => refused(format!("rows of {} units, where 31 bits count the bytes", rows.dim())),
    }
}

/// Whether keys with a vector of this squared length stay finite. The CPU keeps to the rules for those that do not.
pub(super) fn check_length(square: f32, what: &str) -> Result<(), BackendError> {
    if square <= LONGEST {
        Ok(())
    } else {
        Err(BackendError::Failed { reason: format!("{what} has the squared length {square}, too large for a device") })
    }
}

/// Copies rows to `to`, padded with zeros.
pub(super) fn send_rows(lane: &mut Lane, to: u64, rows: AnyRows<'_>, row_bytes: usize) -> Result<(), BackendError> {
    let (bytes, own) = (stored(rows), rows.dim() * rows.element().size_bytes());
    if own == row_bytes {
        return lane.send_bytes(to, bytes);
    }
    lane.send(to, rows.len() * row_bytes, |mut room, mut at| {
        while !room.is_empty() {
            // A piece may begin and end within a row.
            let (row, within) = (at / row_bytes, at % row_bytes);
            let (now, later) = room.split_at_mut((row_bytes - within).min(room.len()));
            let (values, padding) = now.split_at_mut(own.saturating_sub(within).min(now.len()));
            values.copy_from_slice(&bytes[row * own + within.min(own)..][..values.len()]);
            padding.fill(0);
            at += values.len() + padding.len();
            room = later;
        }
    })
}

/// The bytes of rows.
fn stored(rows: AnyRows<'_>) -> &[u8] {
    match rows {
        AnyRows::F32(rows) => bytemuck::cast_slice(rows.data()),
        AnyRows::F16(rows) => bytemuck::cast_slice(F16::as_bits_slice(rows.data())),
        AnyRows::Bf16(rows) => bytemuck::cast_slice(Bf16::as_bits_slice(rows.data())),
        AnyRows::I8(rows) => bytemuck::cast_slice(rows.data()),
        AnyRows::U8(rows) => rows.data(),
        AnyRows::Binary(rows) => Binary::as_bytes_slice(rows.data()),
        AnyRows::U4(_) => &[],
    }
}

/// Computes the squared lengths of `count` rows.
pub(super) fn square(
    lane: &mut Lane,
    family: &Family,
    rows: u64,
    squares: u64,
    count: u64,
    dim: usize,
    row_bytes: usize,
) -> Result<(), BackendError> {
    if count == 0 {
        return Ok(());
    }
    let args = SquaresArgs { rows, squares, count, units: dim as u32, row_bytes: row_bytes as u32 };
    let blocks = count.div_ceil(u64::from(family.squares.warps())) as u32;
    // SAFETY: the callers hold so many rows and squares until they have waited for the lane.
    unsafe { lane.launch(family.squares, [blocks, 1], &args) }
}

/// The largest of the squares; infinity where one is not a number.
fn longest(lane: &mut Lane, squares: &Memory, len: usize) -> Result<f32, BackendError> {
    let mut most = 0.0_f32;
    let step = (lane.incoming_bytes() / 4).max(1);
    for first in (0..len).step_by(step) {
        lane.clear_incoming()?;
        let lines = Lines::piece(squares.address() + first as u64 * 4, step.min(len - first) * 4);
        let arriving = lane.receive(lines)?;
        lane.synchronise()?;
        let values: &[f32] = bytemuck::cast_slice(lane.arrived(arriving));
        most = values.iter().fold(most, |most, value| if value.is_nan() { f32::INFINITY } else { most.max(*value) });
    }
    Ok(most)
}
