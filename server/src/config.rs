//! The command line: what is served, where, and within which limits.

use clap::{Args, Parser, Subcommand};
use elanus::Settings;
use elanus::gpu::Choice;
use std::path::PathBuf;
use std::time::Duration;

/// Largest request that is read, in bytes. Clients send what they are given in one request, however large it is, so
/// that this is the most that can be inserted at a time.
pub const REQUEST_BYTES_MAX: usize = 256 << 20;

/// Default of `concurrency`.
const CONCURRENCY: u32 = 256;
/// Default of `queue`.
const QUEUE: u32 = 256;
/// Default of `request_memory`.
const REQUEST_MEMORY_MIB: u32 = 2048;
/// Default of `disk_index_memory`.
const DISK_INDEX_MEMORY_MIB: u32 = 4096;
/// Places of requests beyond those that run or wait: they are read to be refused.
const REFUSED_PLACES: usize = 64;

/// Elanus, a vector database that speaks Milvus's protocol.
#[derive(Debug, Parser)]
#[command(name = "elanus", version, about)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What the program can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve a data folder to Milvus clients until told to stop.
    Serve(ServeArgs),
    /// Load a real data set into a fresh database, index it, measure searches, and serve it.
    Demo(crate::demo::DemoArgs),
    /// List the devices that indexes such as GPU_BRUTE_FORCE can use, with their limits and speeds.
    Devices,
}

/// Which device, and how much of it.
#[derive(Debug, Clone, Default, Args)]
pub struct GpuArgs {
    /// Device for indexes such as GPU_BRUTE_FORCE: `auto`, `off`, or one of those that `elanus devices` lists, such as
    /// `cuda:0` or `wgpu:0`. `auto` takes the first that is no software; without one the CPU does the work.
    #[arg(long, value_name = "DEVICE", default_value_t = Choice::Auto)]
    pub gpu: Choice,

    /// MiB of the device's memory that rows may take; what the device offers if not given. Rows beyond are exchanged
    /// for those that were searched least recently.
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u32).range(1..=16_777_216))]
    pub gpu_memory: Option<u32>,
}

impl GpuArgs {
    /// The engine's settings, with this device.
    pub fn settings(&self) -> Settings {
        let gpu_memory_mib = self.gpu_memory.map_or(0, u64::from);
        Settings { gpu: self.gpu.to_string(), gpu_memory_mib, ..Settings::default() }
    }
}

/// Options of `serve`.
#[derive(Debug, Clone, Args)]
pub struct ServeArgs {
    /// Folder of the data; made if it does not exist.
    #[arg(long, value_name = "DIR", default_value = "./elanus-data")]
    pub data: PathBuf,

    /// Address for clients. There is no authentication: reach beyond this machine only on a network you trust.
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:19530")]
    pub listen: String,

    /// Address of the health check (`/healthz`) and the metrics (`/metrics`).
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:9091")]
    pub http: String,

    /// Requests that run at the same time; further ones wait. Those that tell of the server itself, such as the
    /// version or its health, do not count.
    #[arg(
        long,
        value_name = "COUNT",
        default_value_t = CONCURRENCY,
        value_parser = clap::value_parser!(u32).range(1..=65_536)
    )]
    pub concurrency: u32,

    /// Requests that may wait after having been read; further ones are refused with Milvus's rate limit, so that
    /// clients send them again.
    #[arg(
        long,
        value_name = "COUNT",
        default_value_t = QUEUE,
        value_parser = clap::value_parser!(u32).range(0..=1_048_576)
    )]
    pub queue: u32,

    /// MiB of all requests together that are read, wait or run; further ones are not read until there is room. A
    /// request of up to 64 KiB is not counted, one larger than this waits until it is alone. Running a request may take
    /// a few times its size.
    #[arg(
        long,
        value_name = "MIB",
        default_value_t = REQUEST_MEMORY_MIB,
        value_parser = clap::value_parser!(u32).range(1..=1_048_576)
    )]
    pub request_memory: u32,

    /// MiB of memory that all DISKANN and AISAQ indexes together may keep; the rest of them stays on disk. An index that
    /// needs more than is left is not opened, and its rows are compared one by one.
    #[arg(
        long,
        value_name = "MIB",
        default_value_t = DISK_INDEX_MEMORY_MIB,
        value_parser = clap::value_parser!(u32).range(1..=16_777_216)
    )]
    pub disk_index_memory: u32,

    /// Seconds that running requests get to finish when the server is told to stop.
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 30,
        value_parser = clap::value_parser!(u64).range(0..=86_400)
    )]
    pub stop_timeout: u64,

    #[command(flatten)]
    pub gpu: GpuArgs,

    /// What to log, such as `info` or `warn,elanus=debug`; the variable `RUST_LOG` comes before it.
    #[arg(long, value_name = "FILTER", default_value = "info")]
    pub log: String,
}

impl ServeArgs {
    /// The defaults, but for the folder and the addresses.
    pub fn with_defaults(data: &std::path::Path, listen: &str, http: &str) -> Self {
        Self {
            data: data.to_owned(),
            listen: listen.to_owned(),
            http: http.to_owned(),
            concurrency: CONCURRENCY,
            queue: QUEUE,
            request_memory: REQUEST_MEMORY_MIB,
            disk_index_memory: DISK_INDEX_MEMORY_MIB,
            stop_timeout: 30,
            gpu: GpuArgs::default(),
            log: "warn".to_owned(),
        }
    }

    /// Requests that may be in memory at the same time: those that run or wait, and some that are being refused.
    pub fn places(&self) -> usize {
        self.concurrency as usize + self.queue as usize + REFUSED_PLACES
    }

    /// The engine's settings.
    pub fn settings(&self) -> Settings {
        Settings { disk_index_memory_mib: self.disk_index_memory.into(), ..self.gpu.settings() }
    }

    /// How long running requests get to finish when the server is told to stop.
    pub fn stop_timeout(&self) -> Duration {
        Duration::from_secs(self.stop_timeout)
    }
}

#[cfg(test)]
mod tests;
