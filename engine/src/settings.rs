//! Settings: plain data with defaults that work.

use crate::shard::SealPolicy;
use serde::{Deserialize, Serialize};

/// What may be tuned. Every field has a default.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Bytes at which growing data of a partition are sealed, the indexes in memory beside them included.
    pub seal_bytes: u64,
    /// Rows at which growing data of a partition are sealed.
    pub seal_rows: u64,
    /// Growing rows from which on an index is worth its while: they are sealed when one is defined, and when writes
    /// pause.
    pub index_rows_min: usize,
    /// Rows from which on a growing segment that is searched gets an index in memory; its graph begins at four times as
    /// many. 0: never, growing rows are compared one by one.
    pub growing_index_rows: usize,
    /// MiB of memory that all DISKANN and AISAQ indexes together may keep; what does not fit is read when it is needed.
    /// At least 1. An index that needs more than is left is not opened: its rows are compared one by one, and its state
    /// says so.
    pub disk_index_memory_mib: u64,
    /// How long writes pause before growing rows are sealed for their index, in milliseconds.
    pub idle_seal_ms: u64,
    /// Bytes of log after which tombstones are saved so that the log can be cut.
    pub checkpoint_wal_bytes: u64,
    /// Bytes of one log file.
    pub wal_file_bytes: u64,
    /// Writes that may wait for the committer; more of them wait to be queued.
    pub commit_queue_length: usize,
    /// Bytes that one group commit takes at most (a single larger write forms its own group).
    pub commit_group_bytes: usize,
    /// Segments per collection that may wait to be sealed before writes wait.
    pub sealing_backlog: usize,
    /// Greatest size of one write, in bytes.
    pub write_bytes_max: usize,
    /// How far behind a Bounded read may be, in milliseconds.
    pub graceful_ms: u64,
    /// Longest wait for a guaranteed timestamp, in milliseconds.
    pub guarantee_wait_ms: u64,
    /// How long deleted rows stay readable at older timestamps, in milliseconds.
    pub retention_ms: u64,
    /// Threads for searching; 0: one for each core.
    pub search_threads: usize,
    /// Threads for building indexes; 0: one for each core.
    pub build_threads: usize,
    /// Collections allowed.
    pub collections_max: usize,
    /// Databases allowed.
    pub databases_max: usize,
    /// Partitions allowed in a collection.
    pub partitions_max: usize,
    /// Greatest limit, and greatest offset + limit.
    pub limit_max: usize,
    /// Greatest number of queries in one search.
    pub queries_max: usize,
    /// Greatest number of queries x hits in one search.
    pub results_max: usize,
    /// Greatest size of what one query returns, in bytes.
    pub output_bytes_max: usize,
    /// Device for the indexes that are made for one: `auto`, `off`, or a family and a number such as `cuda:0`.
    pub gpu: String,
    /// MiB of the device's memory for rows; 0: what the device offers.
    pub gpu_memory_mib: u64,
    /// Whether the device is asked even where the CPU would answer sooner, as tests want it.
    pub gpu_always: bool,
    /// Queries of several searches that the device gets at once, at most.
    pub gpu_batch_queries: usize,
    /// How long the first search waits for others while the device is idle, in microseconds.
    pub gpu_batch_wait_us: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            seal_bytes: 512 << 20,
            seal_rows: 1 << 22,
            index_rows_min: 4_096,
            growing_index_rows: 5_000,
            disk_index_memory_mib: 4_096,
            idle_seal_ms: 3_000,
            checkpoint_wal_bytes: 256 << 20,
            wal_file_bytes: 64 << 20,
            commit_queue_length: 1024,
            commit_group_bytes: 32 << 20,
            sealing_backlog: 4,
            write_bytes_max: 256 << 20,
            graceful_ms: 5_000,
            guarantee_wait_ms: 10_000,
            retention_ms: 600_000,
            search_threads: 0,
            build_threads: 0,
            collections_max: 65_536,
            databases_max: 64,
            partitions_max: 1_024,
            limit_max: 16_384,
            queries_max: 16_384,
            results_max: 1 << 24,
            output_bytes_max: 256 << 20,
            gpu: "auto".to_owned(),
            gpu_memory_mib: 0,
            gpu_always: false,
            gpu_batch_queries: 1_024,
            gpu_batch_wait_us: 0,
        }
    }
}

impl Settings {
    pub(crate) fn seal_policy(&self) -> SealPolicy {
        SealPolicy { bytes: self.seal_bytes, rows: self.seal_rows, backlog: self.sealing_backlog }
    }
}

/// `0` stands for the number of cores.
pub(crate) fn thread_count(setting: usize) -> usize {
    if setting > 0 { setting } else { std::thread::available_parallelism().map_or(1, usize::from) }
}
