//! Why a device did not do what it was asked for.
use std::{error::Error, fmt};

use super::CorpusKind;
use crate::{Metric, dispatch::KernelError};

/// Why a device did not do what it was asked for.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub enum BackendError {
    /// The device has no program for this.
    Unsupported {
        /// What was to be searched.
        kind: CorpusKind,
        /// By which metric.
        metric: Metric,
    },
    /// The base is larger than the device's budget, even with nothing else in it.
    Memory {
        /// Bytes that were needed.
        need: u64,
        /// Bytes that there may be.
        budget: u64,
    },
    /// The base was thrown out to make room for another; upload it again.
    Evicted,
    /// The device, its driver or the way to it failed. Nothing more can be expected of it.
    Lost {
        /// What failed, in the driver's words.
        reason: String,
    },
    /// The device refused a single call, for instance for want of memory; later ones may succeed.
    Failed {
        /// What failed, in the driver's words.
        reason: String,
    },
    /// The base belongs to another backend.
    Foreign,
    /// Queries of another kind than the base.
    Kind {
        /// What the corpus is.
        corpus: CorpusKind,
        /// What the queries were for.
        queries: &'static str,
    },
    /// Queries of another dimension than the base.
    Dim {
        /// The base's.
        want: usize,
        /// The queries'.
        got: usize,
    },
    /// A query has a component that is infinite or not a number.
    NotFinite {
        /// Which one.
        query: usize,
    },
    /// There is no centroid to assign rows to.
    NoCentroid,
    /// No kernel could be bound.
    Kernel(KernelError),
}

impl BackendError {
    /// Whether the device is at fault and not the request, so that the CPU can take the work.
    pub const fn is_device(&self) -> bool {
        matches!(self, Self::Memory { .. } | Self::Evicted | Self::Lost { .. } | Self::Failed { .. })
    }
}

impl fmt::Display for BackendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unsupported { kind, metric } => write!(f, "the device has no program for {metric} over {kind}"),
            Self::Memory { need, budget } => {
                write!(f, "{need} bytes are needed where the device may hold {budget}")
            }
            Self::Evicted => f.write_str("the data were thrown out of the device to make room for others"),
            Self::Lost { reason } => write!(f, "the device is lost: {reason}"),
            Self::Failed { reason } => write!(f, "the device refused: {reason}"),
            Self::Foreign => f.write_str("the data belong to another device"),
            Self::Kind { corpus, queries } => write!(f, "{queries} cannot search {corpus}"),
            Self::Dim { want, got } => write!(f, "queries of dimension {got} for rows of dimension {want}"),
            Self::NotFinite { query } => write!(f, "query {query} has a component that is not finite"),
            Self::NoCentroid => f.write_str("no centroid to assign rows to"),
            Self::Kernel(_) => f.write_str("no kernel for the comparison"),
        }
    }
}

impl Error for BackendError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Kernel(error) => Some(error),
            Self::Unsupported { .. }
            | Self::Memory { .. }
            | Self::Evicted
            | Self::Lost { .. }
            | Self::Failed { .. }
            | Self::Foreign
            | Self::Kind { .. }
            | Self::Dim { .. }
            | Self::NotFinite { .. }
            | Self::NoCentroid => None,
        }
    }
}

impl From<KernelError> for BackendError {
    fn from(error: KernelError) -> Self {
        Self::Kernel(error)
    }
}
