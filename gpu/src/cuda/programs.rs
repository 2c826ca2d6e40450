//! Which programs search which vectors.
use elanus_kernels::backend::{BackendError, CorpusKind};
use elanus_kernels::{ElementType, Metric};
use elanus_shaders::cuda::{ENTRIES, Entry};

/// A program by its number in the list of all.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Program(usize);

impl Program {
    fn find(name: &str) -> Result<Self, BackendError> {
        let place = ENTRIES.iter().position(|entry| entry.name == name);
        place.map(Self).ok_or_else(|| BackendError::Failed { reason: format!("there is no program {name}") })
    }

    /// Its number.
    pub(super) fn number(self) -> usize {
        self.0
    }

    /// What it is.
    pub(super) fn entry(self) -> &'static Entry {
        &ENTRIES[self.0]
    }

    /// Warps of a block.
    pub(super) fn warps(self) -> u32 {
        (self.entry().threads / 32).max(1)
    }
}

/// The programs over vectors of one element type.
#[derive(Clone, Copy, Debug)]
pub(super) struct Family {
    /// The element type.
    pub(super) element: ElementType,
    /// Scans for a few queries, which read the rows as fast as memory gives them.
    pub(super) few: Program,
    /// Scans for many queries; none where [`Family::few`] serves them too.
    pub(super) many: Option<Program>,
    /// Squared lengths.
    pub(super) squares: Program,
    /// Final keys; none where those of the scan are exact.
    pub(super) rescore: Option<Program>,
}

/// All programs.
#[derive(Clone, Debug)]
pub(super) struct Programs {
    families: Vec<Family>,
    /// The smallest of the candidates.
    pub(super) select: Program,
}

/// Queries up to which rows are read more slowly than keys are computed, even where that takes two tiles of queries.
const FEW: usize = 32;

/// The metrics of numbers, and those of bits.
const DENSE: &[Metric] = &[Metric::L2, Metric::Ip, Metric::Cosine];
const BITS: &[Metric] = &[Metric::Hamming, Metric::Jaccard];

/// The element types that there are programs for, with their metrics and whether their keys are rounded.
const ELEMENTS: &[(ElementType, &[Metric], bool)] = &[
    (ElementType::F32, DENSE, true),
    (ElementType::F16, DENSE, true),
    (ElementType::Bf16, DENSE, true),
    (ElementType::I8, DENSE, false),
    (ElementType::Binary, BITS, false),
];

/// What can be searched by what.
pub(super) fn cells() -> Vec<(CorpusKind, Metric)> {
    let all = ELEMENTS.iter();
    all.flat_map(|(element, metrics, _)| metrics.iter().map(|metric| (CorpusKind::Rows(*element), *metric))).collect()
}

impl Programs {
    /// Looks all of them up.
    pub(super) fn find() -> Result<Self, BackendError> {
        let families = ELEMENTS.iter().map(|(element, _, rounded)| {
            let named = |task: &str| Program::find(&format!("{task}_{element}"));
            Ok(Family {
                element: *element,
                few: named("scan_few")?,
                many: if *element == ElementType::Binary { None } else { Some(named("scan_many")?) },
                squares: named("squares")?,
                rescore: if *rounded { Some(named("rescore")?) } else { None },
            })
        });
        Ok(Self { families: families.collect::<Result<_, BackendError>>()?, select: Program::find("select")? })
    }

    /// The programs over an element type.
    pub(super) fn family(&self, element: ElementType) -> Option<&Family> {
        self.families.iter().find(|family| family.element == element)
    }
}

impl Family {
    /// The scan for so many queries.
    pub(super) fn scan(&self, queries: usize) -> Program {
        match self.many {
            Some(many) if queries > FEW => many,
            Some(_) | None => self.few,
        }
    }
}
