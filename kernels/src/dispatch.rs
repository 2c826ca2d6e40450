//! Binds a metric and an element type to the instruction set of this process, chosen once.
#[cfg(test)]
mod tests;

use std::{env, error::Error, ffi::OsStr, fmt, sync::OnceLock};

use crate::{
    cell::Cell,
    element::{Element, ElementType},
    isa::{self, ISAS, IsaInfo, Version},
    metric::Metric,
    prefetch,
    rows::Rows,
};

/// The environment variable that names the instruction set to use.
pub const ISA_VARIABLE: &str = "ELANUS_ISA";

/// Why the instruction set that was asked for cannot be used.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum IsaError {
    /// No instruction set has this name.
    Unknown {
        /// What was asked for.
        name: String,
    },
    /// This CPU, or this build, does not have it.
    Unavailable {
        /// What was asked for.
        name: &'static str,
        /// What it needs.
        needs: &'static str,
    },
}

impl fmt::Display for IsaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { name } => {
                write!(f, "unknown instruction set {name:?}; known are")?;
                for (i, isa) in ISAS.iter().enumerate() {
                    write!(f, "{} {}", if i == 0 { "" } else { "," }, isa.name())?;
                }
                Ok(())
            }
            Self::Unavailable { name, needs } => {
                write!(f, "instruction set {name} is not available on this machine (needs {needs})")
            }
        }
    }
}

impl Error for IsaError {}

/// The best instruction set that may be used: the one that `ELANUS_ISA` names, or the best available if the variable is
/// unset or empty. A kernel without code for this set uses the next one in [`ISAS`] for which it has. The variable is
/// read once, at the first call.
///
/// # Errors
/// When the variable names a set that does not exist or is not available. It is not replaced by another.
pub fn choice() -> Result<&'static IsaInfo, IsaError> {
    static CHOICE: OnceLock<Result<&'static IsaInfo, IsaError>> = OnceLock::new();
    CHOICE.get_or_init(|| choose(env::var_os(ISA_VARIABLE).as_deref())).clone()
}

/// The choice for a value of the variable.
fn choose(asked: Option<&OsStr>) -> Result<&'static IsaInfo, IsaError> {
    match asked.filter(|name| !name.is_empty()) {
        Some(name) => find(&name.to_string_lossy()),
        None => {
            let usable = |isa: &&IsaInfo| isa.is_available() && !isa.by_request();
            Ok(ISAS.iter().copied().find(usable).expect("the scalar set is always available"))
        }
    }
}

/// Finds an instruction set of this machine by its name.
///
/// # Errors
/// When there is none of that name, or it is not available.
pub fn find(name: &str) -> Result<&'static IsaInfo, IsaError> {
    match ISAS.iter().copied().find(|isa| isa.name() == name) {
        Some(isa) => usable(isa),
        None => Err(IsaError::Unknown { name: name.to_owned() }),
    }
}

/// The set that was asked for, if this machine has it.
pub(crate) fn usable(isa: &'static IsaInfo) -> Result<&'static IsaInfo, IsaError> {
    if isa.is_available() { Ok(isa) } else { Err(IsaError::Unavailable { name: isa.name(), needs: isa.summary() }) }
}

/// The version for the set that was asked for, if this machine has that: its own, or the next one below.
pub(crate) fn bind<F: Copy>(versions: &[Version<F>], isa: &'static IsaInfo) -> Result<(&'static IsaInfo, F), IsaError> {
    let unavailable = IsaError::Unavailable { name: isa.name(), needs: isa.summary() };
    isa::pick(versions, usable(isa)?).ok_or(unavailable)
}

/// Why a kernel cannot be had.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum KernelError {
    /// The instruction set cannot be used.
    Isa(IsaError),
    /// The metric is not defined over the element type.
    Unsupported {
        /// What was asked for.
        metric: Metric,
        /// What it was asked for over.
        element: ElementType,
    },
}

impl fmt::Display for KernelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Isa(_) => f.write_str("no kernel could be chosen"),
            Self::Unsupported { metric, element } => write!(f, "metric {metric} is not defined over {element} vectors"),
        }
    }
}

impl Error for KernelError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Isa(error) => Some(error),
            Self::Unsupported { .. } => None,
        }
    }
}

impl From<IsaError> for KernelError {
    fn from(error: IsaError) -> Self {
        Self::Isa(error)
    }
}

/// A metric over an element type, bound to an instruction set: a few function pointers, free to copy.
///
/// Keys are to be minimised; [`Metric::score`] turns them into scores. A pair of vectors has the same key, to the bit,
/// from every method, in any position, and with either vector as the query where the metric is symmetric.
///
/// Rows may begin at any address. Where they begin at multiples of 64 bytes, loads of a whole cache line do not straddle
/// two, which is up to half the time when the rows are in the cache.
#[derive(Clone, Copy, Debug)]
pub struct Kernel<E: Element> {
    metric: Metric,
    isa: &'static IsaInfo,
    cell: Cell<E>,
}

impl<E: Element> Kernel<E> {
    /// The kernel for `metric`, of the best instruction set that [`choice`] allows.
    ///
    /// # Errors
    /// When that set cannot be used, or the metric is not defined over `E`.
    pub fn new(metric: Metric) -> Result<Self, KernelError> {
        Self::on(choice()?, metric)
    }

    /// The kernel for `metric`, of the instruction set `isa` or, if there is none, of the next one below it in [`ISAS`].
    ///
    /// # Errors
    /// When this machine does not have that set, or the metric is not defined over `E`.
    pub fn on(isa: &'static IsaInfo, metric: Metric) -> Result<Self, KernelError> {
        let Some((isa, cell)) = isa::pick(E::versions(metric), usable(isa)?) else {
            return Err(KernelError::Unsupported { metric, element: E::TYPE });
        };
        Ok(Self { metric, isa, cell })
    }

    /// The kernel of each instruction set that has one of its own and that this CPU can run, best first.
    pub fn all(metric: Metric) -> impl Iterator<Item = Self> {
        let versions = E::versions(metric).iter();
        versions.filter_map(move |version| version.available().map(|cell| Self { metric, isa: version.isa, cell }))
    }

    /// The instruction sets that have a kernel of their own for `metric`, best first, whether this CPU can run them or
    /// not; empty where the metric is not defined over `E`.
    pub fn sets(metric: Metric) -> impl Iterator<Item = &'static IsaInfo> {
        E::versions(metric).iter().map(|version| version.isa)
    }

    /// The metric.
    pub const fn metric(&self) -> Metric {
        self.metric
    }

    /// The name of the instruction set.
    pub const fn isa(&self) -> &'static str {
        self.isa.name()
    }

    /// The key of two vectors.
    ///
    /// # Panics
    /// When their lengths differ.
    #[inline]
    pub fn pair(&self, a: &[E], b: &[E]) -> f32 {
        self.cell.pair(a, b)
    }

    /// The key of a query with each row, in order.
    ///
    /// # Panics
    /// When the dimensions differ or `keys` has not one place for each row.
    #[inline]
    pub fn rows(&self, query: &[E], base: Rows<'_, E>, keys: &mut [f32]) {
        self.cell.rows(query, base, keys);
    }

    /// The key of a query with each row that `ids` names, in that order. Later rows are prefetched while earlier ones
    /// are computed.
    ///
    /// # Panics
    /// When the dimensions differ, `keys` has not one place for each id, or there is no row of that id.
    #[inline]
    pub fn gather(&self, query: &[E], base: Rows<'_, E>, ids: &[u32], keys: &mut [f32]) {
        self.cell.gather(query, base, ids, keys);
    }

    /// The key of every query with every row: query `q` and row `r` at `keys[q * base.len() + r]`.
    ///
    /// # Panics
    /// When the dimensions differ or `keys` has not one place for each combination.
    #[inline]
    pub fn tile(&self, queries: Rows<'_, E>, base: Rows<'_, E>, keys: &mut [f32]) {
        self.cell.tile(queries, base, keys);
    }

    /// Asks for the first 512 bytes of row `id` to be brought into the cache, which starts the hardware's own prefetching
    /// of the rest; does nothing when there is no such row.
    #[inline]
    pub fn prefetch(&self, base: Rows<'_, E>, id: u32) {
        if (id as usize) < base.len() {
            prefetch::row(base.row(id as usize).as_ptr(), base.dim());
        }
    }

    /// The Euclidean norm of a vector: the root of the sum of the squares. Over `f32` and bf16 that sum is an `f32`, so
    /// the norm is infinite where components pass about 1.8e19 in magnitude, and loses precision, down to 0, where all
    /// are below about 1e-19.
    pub fn norm(&self, v: &[E]) -> f32 {
        self.cell.square(v).sqrt()
    }
}

/// Lines that describe what was found and chosen, for printing beside results.
pub fn cpu() -> Vec<String> {
    let chosen = match choice() {
        Ok(isa) => format!("instruction set: {} ({})", isa.name(), isa.summary()),
        Err(error) => format!("instruction set: none, {error}"),
    };
    let sets: Vec<&str> = ISAS.iter().filter(|isa| isa.is_available()).map(|isa| isa.name()).collect();
    vec![
        chosen,
        format!("available: {}", sets.join(", ")),
        format!("architecture: {}", env::consts::ARCH),
        format!("cpu flags: {}", flags().join(" ")),
    ]
}

/// The CPU's features that matter to vector code.
#[cfg(target_arch = "x86_64")]
fn flags() -> Vec<&'static str> {
    macro_rules! detected {
        ($($name:tt),*) => { [$(($name, std::arch::is_x86_feature_detected!($name))),*] };
    }
    let flags = detected!(
        "avx",
        "avx2",
        "fma",
        "f16c",
        "avxvnni",
        "avx512f",
        "avx512bw",
        "avx512vl",
        "avx512dq",
        "avx512vnni",
        "avx512bf16",
        "avx512vpopcntdq",
        "avx512vbmi",
        "avx512fp16"
    );
    flags.iter().filter(|(_, found)| *found).map(|(name, _)| *name).collect()
}

/// The CPU's features that matter to vector code.
#[cfg(target_arch = "aarch64")]
fn flags() -> Vec<&'static str> {
    macro_rules! detected {
        ($($name:tt),*) => { [$(($name, std::arch::is_aarch64_feature_detected!($name))),*] };
    }
    let flags = detected!("neon", "fp16", "fhm", "dotprod", "i8mm", "bf16", "sve", "sve2");
    flags.iter().filter(|(_, found)| *found).map(|(name, _)| *name).collect()
}

/// The CPU's features that matter to vector code.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn flags() -> Vec<&'static str> {
    Vec::new()
}
