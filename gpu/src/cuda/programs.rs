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
    codes: Vec<(CorpusKind, Program)>,
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

/// The kinds of codes that there are programs for.
const CODES: &[(CorpusKind, &str)] = &[
    (CorpusKind::Sq(4), "codes_sq4"),
    (CorpusKind::Sq(6), "codes_sq6"),
    (CorpusKind::Sq(8), "codes_sq8"),
    (CorpusKind::Pq4, "codes_pq4"),
    (CorpusKind::RaBitQ, "codes_rabitq"),
];

/// What can be searched by what.
pub(super) fn cells() -> Vec<(CorpusKind, Metric)> {
    let rows = ELEMENTS.iter().map(|(element, metrics, _)| (CorpusKind::Rows(*element), *metrics));
    let codes = CODES.iter().map(|(kind, _)| (*kind, DENSE));
    rows.chain(codes).flat_map(|(kind, metrics)| metrics.iter().map(move |metric| (kind, *metric))).collect()
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
        let codes = CODES.iter().map(|(kind, name)| Ok((*kind, Program::find(name)?)));
        Ok(Self {
            families: families.collect::<Result<_, BackendError>>()?,
            codes: codes.collect::<Result<_, BackendError>>()?,
            select: Program::find("select")?,
        })
    }

    /// The scan over a kind of codes.
    pub(super) fn codes(&self, kind: CorpusKind) -> Option<Program> {
        self.codes.iter().find(|(own, _)| *own == kind).map(|(_, program)| *program)
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
