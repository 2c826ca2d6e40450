//! The devices that this build can reach, and opening one by name.
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use elanus_kernels::backend::{Backend, BackendError, Caps, Cpu};

use super::Failure;

type Open = fn(usize, Option<u64>) -> Result<Arc<dyn Backend>, BackendError>;

/// A family of devices: its name, what it finds, and how one is opened.
struct Family {
    name: &'static str,
    list: fn() -> Vec<Caps>,
    open: Open,
}

static FAMILIES: &[Family] = &[
    #[cfg(feature = "cuda")]
    Family { name: "cuda", list: elanus_gpu::cuda::list, open: elanus_gpu::cuda::open },
    #[cfg(feature = "wgpu")]
    Family { name: "wgpu", list: elanus_gpu::wgpu::list, open: elanus_gpu::wgpu::open },
    Family { name: "cpu", list: || vec![Cpu::new().caps().clone()], open: |_, _| Ok(Arc::new(Cpu::new())) },
];

/// Everything that is found, cards first.
pub(crate) fn list() -> Vec<Caps> {
    FAMILIES.iter().flat_map(|family| (family.list)()).collect()
}

/// The device of this name, such as `cuda:0`.
pub(crate) fn open(name: &str) -> Result<Arc<dyn Backend>, Failure> {
    let (family, ordinal) = name.split_once(':').unwrap_or((name, "0"));
    let ordinal = ordinal.parse::<usize>().map_err(|_| format!("{name} is no device; one is `cuda:0`"))?;
    let known = FAMILIES.iter().find(|one| one.name == family).ok_or_else(|| {
        let names: Vec<&str> = FAMILIES.iter().map(|one| one.name).collect();
        format!("this build has no devices of the family {family}; it has {}", names.join(", "))
    })?;
    Ok((known.open)(ordinal, None)?)
}

/// A clock for [`Backend::measure`].
pub(crate) fn clock() -> impl Fn() -> Duration {
    let start = Instant::now();
    move || start.elapsed()
}

pub(crate) fn print() -> Result<(), Failure> {
    for caps in list() {
        println!("{}  {}, driver {}", caps.place(), caps.name, caps.driver);
        for (name, value) in &caps.limits {
            println!("    {name}: {value}");
        }
        let speed = open(&caps.place())?.measure(&clock())?;
        println!(
            "    reads {:.1} GB/s, takes in {:.1} GB/s, answers in {:.1} us at least",
            speed.read_bytes_per_ns,
            speed.upload_bytes_per_ns,
            speed.round_trip_ns / 1e3
        );
    }
    Ok(())
}
