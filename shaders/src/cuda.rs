//! Programs for NVIDIA cards: their text, what the compiler made of it, and what a launch has to know.
//!
//! A program is the text of several files, one after another, each of which includes what it needs unless it is there
//! already; so the text stands for itself, and a compiler that is given the files finds the same. `cargo xtask ptx`
//! compiles it; the result is for cards of compute capability 8.0 or more, and the driver translates it for the card.
//!
//! ```
//! let entry = elanus_shaders::cuda::entry("scan_few_bf16").expect("listed");
//! assert_eq!((entry.program, entry.threads, entry.query_tile), ("scan_few", 256, 32));
//! ```

/// A text that is compiled as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Program {
    /// What it is called.
    pub name: &'static str,
    /// The whole text, with all that it includes.
    pub source: &'static str,
    /// What the compiler made of it.
    pub ptx: &'static str,
}

/// Where a launch may begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// The function.
    pub name: &'static str,
    /// The program that it is in.
    pub program: &'static str,
    /// Threads of a block; no other number will do.
    pub threads: u32,
    /// Queries that a block has in hand.
    pub query_tile: u32,
    /// Rows that a block has in hand; of `rescore`, candidates.
    pub row_tile: u32,
    /// Bytes of dynamic shared memory to be asked for.
    pub shared_bytes: u32,
    /// Blocks that a multiprocessor of a large card runs together.
    pub resident_blocks: u32,
    /// Registers of a thread, at most: more would leave no room for the blocks above, or be kept in memory.
    pub registers: u32,
}

/// Rows of queries in a buffer are a multiple of this, those that are too many being 0.
pub const QUERY_PADDING: u32 = 128;

/// Components of a row of i8, at most: sums stay below 2^31.
pub const I8_UNITS_MAX: u32 = 32_768;

/// Candidates of a query that `select` has room for, at most.
pub const CAPACITY_MAX: u32 = 8_192;

/// Tiles of a scan, at most: `count.div_ceil(row_tile) * query_count.div_ceil(query_tile)` has to stay below 2^32.
pub const TILES_MAX: u64 = u32::MAX as u64;

/// Rows of a tile of codes: the programs `codes_*` read a chunk of sixteen bytes of each side by side.
pub const CODES_TILE: usize = 32;

/// Every program.
pub static PROGRAMS: &[Program] = &[
    Program { name: "scan_few", source: SCAN_FEW, ptx: include_str!("cuda/ptx/scan_few.ptx") },
    Program { name: "scan_many", source: SCAN_MANY, ptx: include_str!("cuda/ptx/scan_many.ptx") },
    Program { name: "select", source: SELECT, ptx: include_str!("cuda/ptx/select.ptx") },
    Program { name: "squares", source: SQUARES, ptx: include_str!("cuda/ptx/squares.ptx") },
    Program { name: "rescore", source: RESCORE, ptx: include_str!("cuda/ptx/rescore.ptx") },
    Program { name: "codes", source: CODES, ptx: include_str!("cuda/ptx/codes.ptx") },
];

const SCAN_FEW: &str = concat!(
    include_str!("cuda/device.cuh"),
    include_str!("cuda/args.cuh"),
    include_str!("cuda/keys.cuh"),
    include_str!("cuda/queue.cuh"),
    include_str!("cuda/tile.cuh"),
    include_str!("cuda/matrix.cuh"),
    include_str!("cuda/direct.cuh"),
    include_str!("cuda/scan_few.cu"),
);

const SCAN_MANY: &str = concat!(
    include_str!("cuda/device.cuh"),
    include_str!("cuda/args.cuh"),
    include_str!("cuda/keys.cuh"),
    include_str!("cuda/queue.cuh"),
    include_str!("cuda/tile.cuh"),
    include_str!("cuda/matrix.cuh"),
    include_str!("cuda/simt.cuh"),
    include_str!("cuda/scan_many.cu"),
);

const SELECT: &str =
    concat!(include_str!("cuda/device.cuh"), include_str!("cuda/args.cuh"), include_str!("cuda/select.cu"),);

const SQUARES: &str = concat!(
    include_str!("cuda/device.cuh"),
    include_str!("cuda/args.cuh"),
    include_str!("cuda/elements.cuh"),
    include_str!("cuda/squares.cu"),
);

const RESCORE: &str = concat!(
    include_str!("cuda/device.cuh"),
    include_str!("cuda/args.cuh"),
    include_str!("cuda/elements.cuh"),
    include_str!("cuda/rescore.cu"),
);

const CODES: &str = concat!(
    include_str!("cuda/device.cuh"),
    include_str!("cuda/args.cuh"),
    include_str!("cuda/keys.cuh"),
    include_str!("cuda/codes.cuh"),
    include_str!("cuda/codes.cu"),
);

/// Every entry point.
pub static ENTRIES: &[Entry] = &[
    matrix("scan_few_bf16", "scan_few", 32, 128, 99_584, 2, 128),
    matrix("scan_few_f16", "scan_few", 32, 128, 99_584, 2, 128),
    matrix("scan_few_i8", "scan_few", 32, 128, 99_584, 2, 128),
    direct("scan_few_f32"),
    direct("scan_few_binary"),
    matrix("scan_many_bf16", "scan_many", 128, 256, 93_184, 1, 255),
    matrix("scan_many_f16", "scan_many", 128, 256, 93_184, 1, 255),
    matrix("scan_many_i8", "scan_many", 128, 256, 93_184, 1, 255),
    matrix("scan_many_f32", "scan_many", 128, 128, 67_584, 1, 255),
    Entry { shared_bytes: 66_624, ..plain("select", "select", 1, 0, 3, 85) },
    plain("squares_f32", "squares", 0, 8, 4, 64),
    plain("squares_f16", "squares", 0, 8, 4, 64),
    plain("squares_bf16", "squares", 0, 8, 4, 64),
    plain("squares_i8", "squares", 0, 8, 4, 64),
    plain("squares_binary", "squares", 0, 8, 4, 64),
    plain("rescore_f32", "rescore", 1, 8, 4, 64),
    plain("rescore_f16", "rescore", 1, 8, 4, 64),
    plain("rescore_bf16", "rescore", 1, 8, 4, 64),
    codes("codes_sq4", 8),
    codes("codes_sq6", 8),
    codes("codes_sq8", 8),
    codes("codes_pq4", 4),
    codes("codes_rabitq", 4),
];

const fn matrix(
    name: &'static str,
    program: &'static str,
    query_tile: u32,
    row_tile: u32,
    shared_bytes: u32,
    resident_blocks: u32,
    registers: u32,
) -> Entry {
    Entry { name, program, threads: 256, query_tile, row_tile, shared_bytes, resident_blocks, registers }
}

/// Four warps of sixteen rows each.
const fn direct(name: &'static str) -> Entry {
    Entry {
        name,
        program: "scan_few",
        threads: 128,
        query_tile: 16,
        row_tile: 64,
        shared_bytes: 8_192,
        resident_blocks: 3,
        registers: 168,
    }
}

const fn plain(
    name: &'static str,
    program: &'static str,
    query_tile: u32,
    row_tile: u32,
    resident_blocks: u32,
    registers: u32,
) -> Entry {
    Entry { name, program, threads: 256, query_tile, row_tile, shared_bytes: 0, resident_blocks, registers }
}

/// A row for each thread.
const fn codes(name: &'static str, query_tile: u32) -> Entry {
    Entry { shared_bytes: 33_152, ..plain(name, "codes", query_tile, 256, 3, 80) }
}

/// The program of this name.
pub fn program(name: &str) -> Option<&'static Program> {
    PROGRAMS.iter().find(|program| program.name == name)
}

/// The entry point of this name.
pub fn entry(name: &str) -> Option<&'static Entry> {
    ENTRIES.iter().find(|entry| entry.name == name)
}

#[cfg(test)]
mod tests;
