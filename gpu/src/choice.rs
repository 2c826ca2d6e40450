//! Which device does the work: what was asked for, what there is, and how one is opened.
#[cfg(test)]
mod tests;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use elanus_kernels::backend::{Backend, BackendError, Caps, DeviceKind};

/// What is said where a device is chosen.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Choice {
    /// The first device of the first family that has one; never one that computes on the CPU.
    #[default]
    Auto,
    /// None.
    Off,
    /// This one, or an error.
    Named {
        /// Its family.
        kind: DeviceKind,
        /// Its number within the family.
        ordinal: usize,
    },
}

/// Families that have a name on the command line, whether or not this build has them.
const NAMED: [DeviceKind; 2] = [DeviceKind::Cuda, DeviceKind::Wgpu];

impl FromStr for Choice {
    type Err = ChoiceError;

    fn from_str(text: &str) -> Result<Self, ChoiceError> {
        let unreadable = || ChoiceError::Unreadable { text: text.to_owned() };
        let (name, ordinal) = text.split_once(':').unwrap_or((text, "0"));
        let kind = NAMED.into_iter().find(|kind| kind.name() == name);
        match (text, kind) {
            ("auto", _) => Ok(Self::Auto),
            ("off", _) => Ok(Self::Off),
            (_, Some(kind)) => Ok(Self::Named { kind, ordinal: ordinal.parse().map_err(|_| unreadable())? }),
            (_, None) => Err(unreadable()),
        }
    }
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Off => f.write_str("off"),
            Self::Named { kind, ordinal } => write!(f, "{kind}:{ordinal}"),
        }
    }
}

/// Opens a device by its number, with so many bytes of its memory; `None` leaves that to the device.
pub type Open = fn(usize, Option<u64>) -> Result<Arc<dyn Backend>, BackendError>;

/// Devices that are reached in the same way.
#[derive(Clone, Copy, Debug)]
pub struct Family {
    /// What they are called.
    pub kind: DeviceKind,
    /// Those that are there. Without a driver there are none.
    pub list: fn() -> Vec<Caps>,
    /// How one is opened.
    pub open: Open,
}

/// The families that this build has, in the order in which [`Choice::Auto`] tries them.
pub static FAMILIES: &[Family] = &[
    #[cfg(feature = "cuda")]
    Family { kind: DeviceKind::Cuda, list: crate::cuda::list, open: crate::cuda::open },
    #[cfg(feature = "wgpu")]
    Family { kind: DeviceKind::Wgpu, list: crate::wgpu::list, open: crate::wgpu::open },
];

/// A device that was opened, if there is one.
#[derive(Debug)]
pub struct Opened {
    /// The device.
    pub backend: Option<Arc<dyn Backend>>,
    /// Devices that were tried in vain before it, with the reasons.
    pub refused: Vec<(String, BackendError)>,
}

/// Why there is no device of that choice.
#[derive(Clone, PartialEq, Debug)]
pub enum ChoiceError {
    /// The text names no device.
    Unreadable {
        /// The text.
        text: String,
    },
    /// The program was built without that family.
    NotBuilt {
        /// The family.
        kind: DeviceKind,
        /// The families it has.
        built: Vec<DeviceKind>,
    },
    /// There is no such device.
    Absent {
        /// What was asked for.
        place: String,
        /// What there is.
        found: Vec<String>,
    },
    /// The device is there and cannot be used.
    Refused {
        /// The device.
        place: String,
        /// Why.
        source: BackendError,
    },
}

impl fmt::Display for ChoiceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { text } => {
                write!(f, "{text:?} names no device: say auto, off, or a family and a number such as cuda:0 or wgpu:0")
            }
            Self::NotBuilt { kind, built } if built.is_empty() => {
                write!(f, "this build has no backend {kind}, nor any other")
            }
            Self::NotBuilt { kind, built } => {
                let built: Vec<&str> = built.iter().map(|kind| kind.name()).collect();
                write!(f, "this build has no backend {kind}, only {}", built.join(", "))
            }
            Self::Absent { place, found } if found.is_empty() => {
                write!(f, "there is no device {place}: none was found on this machine")
            }
            Self::Absent { place, found } => write!(f, "there is no device {place}, only {}", found.join(", ")),
            Self::Refused { place, .. } => write!(f, "device {place} cannot be used"),
        }
    }
}

impl std::error::Error for ChoiceError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Refused { source, .. } => Some(source),
            Self::Unreadable { .. } | Self::NotBuilt { .. } | Self::Absent { .. } => None,
        }
    }
}

/// Whether a device is the CPU under another name, such as a driver for programs that want a card.
pub fn is_software(caps: &Caps) -> bool {
    caps.limits.iter().any(|(name, value)| *name == "type" && value == "cpu")
}

/// Every device of these families.
pub fn list(families: &[Family]) -> Vec<Caps> {
    families.iter().flat_map(|family| (family.list)()).collect()
}

/// Opens the chosen device, with so many bytes of its memory; `None` leaves that to the device.
///
/// # Errors
/// When a device was named that is not there or cannot be used.
pub fn open(choice: Choice, budget: Option<u64>, families: &[Family]) -> Result<Opened, ChoiceError> {
    match choice {
        Choice::Off => Ok(Opened { backend: None, refused: Vec::new() }),
        Choice::Auto => Ok(first(budget, families)),
        Choice::Named { kind, ordinal } => {
            let backend = named(kind, ordinal, budget, families)?;
            Ok(Opened { backend: Some(backend), refused: Vec::new() })
        }
    }
}

fn first(budget: Option<u64>, families: &[Family]) -> Opened {
    let mut refused = Vec::new();
    for family in families {
        for caps in (family.list)().iter().filter(|caps| !is_software(caps)) {
            match (family.open)(caps.ordinal, budget) {
                Ok(backend) => return Opened { backend: Some(backend), refused },
                Err(error) => refused.push((caps.place(), error)),
            }
        }
    }
    Opened { backend: None, refused }
}

fn named(
    kind: DeviceKind,
    ordinal: usize,
    budget: Option<u64>,
    families: &[Family],
) -> Result<Arc<dyn Backend>, ChoiceError> {
    let Some(family) = families.iter().find(|family| family.kind == kind) else {
        return Err(ChoiceError::NotBuilt { kind, built: families.iter().map(|family| family.kind).collect() });
    };
    let place = format!("{kind}:{ordinal}");
    if !(family.list)().iter().any(|caps| caps.ordinal == ordinal) {
        let found = list(families).iter().map(|caps| format!("{} ({})", caps.place(), caps.name)).collect();
        return Err(ChoiceError::Absent { place, found });
    }
    (family.open)(ordinal, budget).map_err(|source| ChoiceError::Refused { place, source })
}
