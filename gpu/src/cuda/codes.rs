//! Codes on a device: tiles of 32 rows, in which sixteen bytes of each row lie side by side.
mod queries;
mod tiles;

use std::any::Any;
use std::sync::Arc;

use elanus_kernels::Metric;
use elanus_kernels::backend::{BackendError, Corpus, CorpusKind, Resident, checks::Shape};
use elanus_kernels::codes::{rabitq, sq::SqRange};

pub(super) use self::queries::Queried;
use self::tiles::{Source, Tiling};
use super::corpus::Stored;
use super::device::{Device, Memory};
use super::lanes::Lanes;
use super::programs::{Program, Programs};
use crate::pool::{Counted, Pool, Slot};

/// Bytes of tiles that are written at a time, at least one tile.
const WRITTEN_BYTES: usize = 1 << 20;

/// What codes are, besides their tiles.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Form {
    /// Scalar codes of vectors of `dim` components; the grid where it is that of all rows.
    Sq { bits: u32, dim: usize, grid: Option<SqRange> },
    /// Product codes of `m` sub-quantizers.
    Pq4 { m: usize },
    /// RaBitQ's signs.
    RaBitQ { codec: rabitq::Codec },
}

impl Form {
    const fn kind(&self) -> CorpusKind {
        match self {
            Self::Sq { bits, .. } => CorpusKind::Sq(*bits),
            Self::Pq4 { .. } => CorpusKind::Pq4,
            Self::RaBitQ { .. } => CorpusKind::RaBitQ,
        }
    }
}

/// Codes as their owner has them.
#[derive(Debug)]
pub(super) struct Codes {
    device: Arc<Device>,
    slot: Arc<Slot<Stored>>,
    form: Form,
    tiling: Tiling,
    program: Program,
    len: u32,
}

impl Resident for Codes {
    fn len(&self) -> usize {
        self.len as usize
    }

    fn kind(&self) -> CorpusKind {
        self.form.kind()
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

impl Codes {
    /// The codes behind a handle, if that is what it stands for, and they are on this device.
    pub(super) fn of<'a>(resident: &'a dyn Resident, device: &Arc<Device>) -> Option<&'a Self> {
        resident.as_any().downcast_ref::<Self>().filter(|codes| Arc::ptr_eq(&codes.device, device))
    }

    pub(super) fn shape(&self) -> Shape {
        Shape::new(self, 0)
    }

    /// The memory, which stays as long as what is returned is kept.
    pub(super) fn memory(&self) -> Result<Arc<Counted<Stored>>, BackendError> {
        self.slot.get().ok_or(BackendError::Evicted)
    }

    /// Copies codes to the device.
    pub(super) fn upload(
        device: &Arc<Device>,
        pool: &Arc<Pool<Stored>>,
        lanes: &Lanes,
        programs: &Programs,
        corpus: Corpus<'_>,
    ) -> Result<Self, BackendError> {
        device.check()?;
        // The kind is at fault and no metric; the first one stands for all.
        let unsupported = BackendError::Unsupported { kind: corpus.kind(), metric: Metric::L2 };
        let program = programs.codes(corpus.kind()).ok_or_else(|| unsupported.clone())?;
        let source = Source::new(corpus)?.ok_or(unsupported)?;
        let (form, tiling) = (source.form(), Tiling::of(&source.form()));
        let Some(len) = u32::try_from(corpus.len()).ok().filter(|len| *len < u32::MAX) else {
            return Err(BackendError::Failed { reason: format!("{} rows, where 32 bits number them", corpus.len()) });
        };
        let count = corpus.len().div_ceil(tiles::ROWS);
        let bytes = (count as u64).saturating_mul(tiling.tile_bytes() as u64);
        let slot = pool.insert(bytes, || {
            let memory = Memory::new(device, bytes)?;
            // After the memory, so that it is settled before the memory goes.
            let mut lane = lanes.take()?;
            let together = (WRITTEN_BYTES / tiling.tile_bytes()).max(1);
            let mut buffer = vec![0; together.min(count) * tiling.tile_bytes()];
            for first in (0..count).step_by(together) {
                let some = &mut buffer[..together.min(count - first) * tiling.tile_bytes()];
                some.fill(0);
                for (place, tile) in some.chunks_mut(tiling.tile_bytes()).enumerate() {
                    source.write(&tiling, first + place, tile);
                }
                lane.send_bytes(memory.address() + (first * tiling.tile_bytes()) as u64, some)?;
            }
            lane.synchronise()?;
            Ok(Stored { rows: memory, squares: None, longest: 0.0 })
        })?;
        Ok(Self { device: Arc::clone(device), slot, form, tiling, program, len })
    }
}
