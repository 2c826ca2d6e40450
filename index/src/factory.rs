//! The list of index types, what one can do, and what it builds from.

use std::fmt::Debug;
use std::io::Write;
use std::sync::Arc;

use elanus_kernels::backend::Backend;
use elanus_kernels::{AnyRows, BitmapView, ElementType, Metric};
use rayon::ThreadPool;

use crate::gpu::{Device, GpuBruteForce};
use crate::hnsw::{HNSW, HNSW_PQ, HNSW_PRQ, HNSW_SQ};
use crate::read_at::ReadAt;
use crate::{
    Aisaq, AutoIndex, Blob, BuildError, Cancel, Diskann, Flat, Index, OpenError, Param, ParamError, ParamSet,
    SpecError, Stage, WriteError,
};

/// The greatest dimension that a [`Spec`] takes.
pub(crate) const MAX_DIM: usize = 32_768;

/// Every index type, in the order of the documentation.
pub static INDEXES: &[&'static dyn IndexFactory] =
    &[&Flat, &HNSW, &HNSW_SQ, &HNSW_PQ, &HNSW_PRQ, &AutoIndex, &Diskann, &Aisaq, &GpuBruteForce];

/// The index type of that name or alias; letter case does not matter.
pub fn find(name: &str) -> Option<&'static dyn IndexFactory> {
    let is_called = |factory: &&&'static dyn IndexFactory| {
        factory.name().eq_ignore_ascii_case(name)
            || factory.aliases().iter().any(|alias| alias.eq_ignore_ascii_case(name))
    };
    INDEXES.iter().find(is_called).copied()
}

/// One index type. Adding one means one such entry in [`INDEXES`].
pub trait IndexFactory: Sync + Send + Debug {
    /// Its name, as clients spell it.
    fn name(&self) -> &'static str;

    /// Other names it goes by.
    fn aliases(&self) -> &'static [&'static str];

    /// Its parameters of both stages.
    fn params(&self) -> &'static [Param];

    /// Whether it takes vectors of this element type with this metric.
    fn supports(&self, element: ElementType, metric: Metric) -> bool;

    /// The type as one of those that answer from a file, if it is.
    fn on_file(&self) -> Option<&dyn FileFactory> {
        None
    }

    /// Refuses build parameters that do not go together, or not with such vectors.
    ///
    /// # Errors
    /// When they do not.
    fn check(&self, _params: &ParamSet, _element: ElementType, _dim: usize) -> Result<(), ParamError> {
        Ok(())
    }

    /// Whether its indexes can be searched by a device.
    fn takes_device(&self) -> bool {
        false
    }

    /// Whether its indexes compare every row that may be returned, so that none is missed.
    fn is_exact(&self) -> bool {
        false
    }

    /// Builds an index over `rows`; a row's id is its position.
    ///
    /// Rows whose bit in `present` is clear have no vector: they are neither indexed nor ever returned, whatever their
    /// bytes are. The same spec, rows and seed give the same index on any number of threads.
    ///
    /// # Errors
    /// When the shapes do not fit the spec, or the caller cancelled.
    fn build(
        &self,
        spec: &Spec,
        rows: AnyRows<'_>,
        present: Option<BitmapView<'_>>,
        cx: &BuildCx<'_>,
    ) -> Result<Box<dyn Index>, BuildError>;

    /// Builds an index over `rows` from those of parts whose rows they are, as [`IndexFactory::build`] would over the
    /// same rows, but in less time. `None` when that cannot be done or would not pay: the caller then builds.
    ///
    /// Rows that no part has may be among `rows`, as long as they are few. The same spec, parts, rows and seed give the
    /// same index on any number of threads.
    ///
    /// # Errors
    /// Those of [`IndexFactory::build`].
    fn merge(
        &self,
        _spec: &Spec,
        _parts: &[MergePart<'_>],
        _rows: AnyRows<'_>,
        _present: Option<BitmapView<'_>>,
        _cx: &BuildCx<'_>,
    ) -> Result<Option<Box<dyn Index>>, BuildError> {
        Ok(None)
    }

    /// Opens what [`Index::save`] wrote, using the bytes in place.
    ///
    /// # Errors
    /// When the bytes are not such an index or were saved from another spec. Whatever they are, nothing read from them
    /// can make a later search leave its bounds.
    fn open(&self, blob: Blob, spec: &Spec, cx: &OpenCx<'_>) -> Result<Box<dyn Index>, OpenError>;
}

/// An index type whose indexes answer from a file that is read as searches need it, so that it need be neither in memory
/// nor mapped.
pub trait FileFactory: Sync + Send + Debug {
    /// Builds an index and writes the bytes that [`IndexFactory::open`] and [`FileFactory::open_at`] take, of which it
    /// holds only a few in memory at a time.
    ///
    /// # Errors
    /// Those of [`IndexFactory::build`] and of the writer.
    fn write(
        &self,
        spec: &Spec,
        rows: AnyRows<'_>,
        present: Option<BitmapView<'_>>,
        cx: &BuildCx<'_>,
        out: &mut dyn Write,
    ) -> Result<(), WriteError>;

    /// Opens what was written, keeping at most `budget` bytes in memory, which [`Index::footprint_bytes`] tells. Damage
    /// to what is not kept is found when a search reads it.
    ///
    /// # Errors
    /// As [`IndexFactory::open`], and [`OpenError::Memory`] when the budget is below what the index needs.
    fn open_at(&self, reader: Arc<dyn ReadAt>, spec: &Spec, budget: u64) -> Result<Box<dyn Index>, OpenError>;
}

/// One of the indexes that are merged.
#[derive(Clone, Copy)]
pub struct MergePart<'a> {
    /// The index.
    pub index: &'a dyn Index,
    /// Where each of its rows is among those of the merged index; `None` for a row that was dropped.
    pub row: &'a (dyn Fn(u32) -> Option<u32> + Sync),
}

impl Debug for MergePart<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MergePart").field("index", &self.index).finish_non_exhaustive()
    }
}

/// What an index is built from: its type, element, dimension, metric and build parameters, checked against each other.
#[derive(Clone, Debug)]
pub struct Spec {
    factory: &'static dyn IndexFactory,
    element: ElementType,
    dim: usize,
    metric: Metric,
    given: Vec<(String, String)>,
    params: ParamSet,
}

impl Spec {
    /// Checks the parts against the index type.
    ///
    /// # Errors
    /// When the type does not take the element with the metric, the dimension is zero or too large, or a parameter is
    /// refused.
    pub fn new(
        factory: &'static dyn IndexFactory,
        element: ElementType,
        dim: usize,
        metric: Metric,
        params: Vec<(String, String)>,
    ) -> Result<Self, SpecError> {
        if !factory.supports(element, metric) {
            return Err(SpecError::Unsupported { index: factory.name(), element, metric });
        }
        if dim == 0 || dim > MAX_DIM {
            return Err(SpecError::Dim { dim, max: MAX_DIM });
        }
        let parsed = crate::parse(factory.params(), Stage::Build, &params)?;
        factory.check(&parsed, element, dim)?;
        Ok(Self { factory, element, dim, metric, given: params, params: parsed })
    }

    /// The index type.
    pub fn factory(&self) -> &'static dyn IndexFactory {
        self.factory
    }

    /// The element type of the rows.
    pub fn element(&self) -> ElementType {
        self.element
    }

    /// The dimension of the rows.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// The metric.
    pub fn metric(&self) -> Metric {
        self.metric
    }

    /// The build parameters as they were given.
    pub fn given(&self) -> &[(String, String)] {
        &self.given
    }

    /// The build parameters with defaults filled in.
    pub fn params(&self) -> &ParamSet {
        &self.params
    }

    /// Checks that rows and the bitmap over them fit, and that the spec is of the factory called `name`.
    pub(crate) fn check_build(
        &self,
        name: &'static str,
        rows: AnyRows<'_>,
        present: Option<BitmapView<'_>>,
        max_rows: usize,
    ) -> Result<(), BuildError> {
        if self.factory.name() != name {
            return Err(BuildError::Factory { want: name, got: self.factory.name() });
        }
        if rows.element() != self.element {
            return Err(BuildError::Element { want: self.element, got: rows.element() });
        }
        if rows.dim() != self.dim {
            return Err(BuildError::Dim { want: self.dim, got: rows.dim() });
        }
        if rows.len() > max_rows {
            return Err(BuildError::TooManyRows { rows: rows.len(), max: max_rows });
        }
        match present {
            Some(bits) if bits.len() != rows.len() => Err(BuildError::Present { want: rows.len(), got: bits.len() }),
            Some(_) | None => Ok(()),
        }
    }
}

/// What the caller of a build lends to it.
#[derive(Clone, Copy)]
pub struct BuildCx<'a> {
    /// The threads to build on; without them the calling thread does the work.
    pub pool: Option<&'a ThreadPool>,
    /// Where chance begins. It decides levels and the order of insertion.
    pub seed: u64,
    /// Ends the build early.
    pub cancel: &'a Cancel,
    /// Told rows done and rows in all, from one thread, never decreasing.
    pub progress: &'a (dyn Fn(u64, u64) + Sync),
    /// The device that may search what is built, and may help to build it.
    pub device: Option<&'a Arc<Device>>,
}

/// What the caller of an open lends to it.
#[derive(Clone, Copy, Debug, Default)]
pub struct OpenCx<'a> {
    /// The device that may search what is opened.
    pub device: Option<&'a Arc<Device>>,
}

impl BuildCx<'_> {
    /// The device, for blocks of distances or nearest centroids of a build. It is opened if that has not been done, which
    /// the calling thread waits for; `None` when there is none.
    pub fn backend(&self) -> Option<Arc<dyn Backend>> {
        self.device.and_then(|device| device.wait().ok())
    }
}

impl Debug for BuildCx<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let threads = self.pool.map_or(1, ThreadPool::current_num_threads);
        f.debug_struct("BuildCx").field("threads", &threads).field("seed", &self.seed).finish_non_exhaustive()
    }
}

/// A `progress` that tells nobody.
pub fn no_progress(_done: u64, _total: u64) {}

#[cfg(test)]
mod tests;
