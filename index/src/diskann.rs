//! DISKANN and AISAQ: graphs in a file that is read as searches need it, with little of it in memory.
//!
//! DISKANN keeps codes of all rows in memory, and reads links and vectors of the nodes that a search passes, after
//! Subramanya and others, "DiskANN: Fast Accurate Billion-point Nearest Neighbor Search on a Single Node" (NeurIPS
//! 2019). AISAQ keeps hardly anything: the codes of a node's neighbours lie beside it, after Tatsuno and others,
//! "AiSAQ: All-in-Storage ANNS with Product Quantization" (arXiv 2404.06004). In both the codes are RaBitQ's, of one
//! bit a component to walk by, and a vector that is read gives the true key at once.
//!
//! There are two ways to have one. As any index, through [`IndexFactory`]: its bytes are a [`Blob`], in memory or
//! mapped. And by [`Diskann::open_at`] or [`Aisaq::open_at`] over a [`ReadAt`], for a file larger than the memory that
//! it may take: then nothing of it is mapped, no rows are lent to a search, and [`Diskann::write`] writes such a file
//! from front to back.

mod coder;
mod connect;
mod layout;
mod open;
mod pages;
mod scan;
mod search;
mod settings;
mod vectors;
mod walk;
mod write;

use std::io::Write;
use std::sync::Arc;

use elanus_kernels::{AnyRows, BitmapView, ElementType, Metric};

use self::layout::Kind;
pub use self::open::DiskIndex;
pub use self::write::WriteError;
use crate::graph::MAX_NODE;
use crate::read_at::{InMemory, ReadAt};
use crate::{
    Blob, BuildCx, BuildError, FileFactory, Index, IndexFactory, OpenCx, OpenError, Param, ParamError, ParamSet, Spec,
    check,
};

/// DISKANN: codes in memory, links and vectors in a file.
#[derive(Clone, Copy, Debug)]
pub struct Diskann;

/// AISAQ: nearly everything in a file.
#[derive(Clone, Copy, Debug)]
pub struct Aisaq;

/// What the two types share, each with its own kind.
macro_rules! disk_factory {
    ($type:ident, $kind:expr, $name:literal, $params:expr) => {
        impl $type {
            /// Builds an index and writes its file, of which it holds no more than a unit in memory at a time.
            ///
            /// # Errors
            /// Those of [`IndexFactory::build`] and of the writer.
            pub fn write(
                &self,
                spec: &Spec,
                rows: AnyRows<'_>,
                present: Option<BitmapView<'_>>,
                cx: &BuildCx<'_>,
                out: &mut dyn Write,
            ) -> Result<(), WriteError> {
                spec.check_build($name, rows, present, MAX_NODE as usize)?;
                write::write($kind, spec, rows, present, cx, out)
            }

            /// Opens a file that is read and not mapped, of which at most `budget` bytes are kept in memory. Damage to
            /// what is not kept is found when a search reads it.
            ///
            /// # Errors
            /// When the file is no such index or of another spec, or the budget is below what the index needs.
            pub fn open_at(&self, reader: Arc<dyn ReadAt>, spec: &Spec, budget: u64) -> Result<DiskIndex, OpenError> {
                check::open_spec(spec, $name)?;
                check::kernel(spec.element(), spec.metric())?;
                DiskIndex::open($kind, reader, spec, budget)
            }
        }

        impl FileFactory for $type {
            fn write(
                &self,
                spec: &Spec,
                rows: AnyRows<'_>,
                present: Option<BitmapView<'_>>,
                cx: &BuildCx<'_>,
                out: &mut dyn Write,
            ) -> Result<(), WriteError> {
                Self::write(self, spec, rows, present, cx, out)
            }

            fn open_at(&self, reader: Arc<dyn ReadAt>, spec: &Spec, budget: u64) -> Result<Box<dyn Index>, OpenError> {
                Ok(Box::new(Self::open_at(self, reader, spec, budget)?))
            }
        }

        impl IndexFactory for $type {
            fn name(&self) -> &'static str {
                $name
            }

            fn aliases(&self) -> &'static [&'static str] {
                &[]
            }

            fn params(&self) -> &'static [Param] {
                $params
            }

            fn supports(&self, element: ElementType, metric: Metric) -> bool {
                vectors::takes(element) && element.supports(metric)
            }

            fn on_file(&self) -> Option<&dyn FileFactory> {
                Some(self)
            }

            fn check(&self, params: &ParamSet, _element: ElementType, _dim: usize) -> Result<(), ParamError> {
                settings::check(params)
            }

            fn build(
                &self,
                spec: &Spec,
                rows: AnyRows<'_>,
                present: Option<BitmapView<'_>>,
                cx: &BuildCx<'_>,
            ) -> Result<Box<dyn Index>, BuildError> {
                let mut bytes = Vec::new();
                match self.write(spec, rows, present, cx, &mut bytes) {
                    Ok(()) => {}
                    Err(WriteError::Build(error)) => return Err(error),
                    Err(WriteError::Io(error)) => unreachable!("a vector takes all bytes: {error}"),
                }
                match self.open_at(Arc::new(InMemory::new(Blob::from_vec(bytes))), spec, u64::MAX) {
                    Ok(index) => Ok(Box::new(index)),
                    Err(OpenError::Kernel(error)) => Err(BuildError::Kernel(error)),
                    Err(error) => unreachable!("what was just written opens: {error}"),
                }
            }

            fn open(&self, blob: Blob, spec: &Spec, _cx: &OpenCx<'_>) -> Result<Box<dyn Index>, OpenError> {
                let index = self.open_at(Arc::new(InMemory::new(blob)), spec, u64::MAX)?;
                index.check_all()?;
                Ok(Box::new(index))
            }
        }
    };
}

disk_factory!(Diskann, Kind::Diskann, "DISKANN", settings::DISKANN);
disk_factory!(Aisaq, Kind::Aisaq, "AISAQ", settings::AISAQ);

#[cfg(test)]
mod tests;
