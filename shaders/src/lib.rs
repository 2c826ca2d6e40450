//! Text of the GPU programs, so that whoever packages the kernels has it without a file beside the binary.
//!
//! ```
//! let scan = elanus_shaders::find("scan").expect("listed");
//! assert!(scan.entry_points.contains(&"scan_l2"));
//! assert!(scan.source.contains("fn scan_l2"));
//! ```
#![forbid(unsafe_code)]
#![deny(missing_docs)]

/// One program: a text in WGSL and the names a pipeline may start at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Program {
    /// What the program is asked for by.
    pub name: &'static str,
    /// The whole text; it includes nothing.
    pub source: &'static str,
    /// The compute entry points, all of them.
    pub entry_points: &'static [&'static str],
}

/// Every program.
pub static PROGRAMS: &[Program] = &[Program {
    name: "scan",
    source: include_str!("wgsl/scan.wgsl"),
    entry_points: &["scan_l2", "scan_ip", "scan_cosine"],
}];

/// Queries and rows that one workgroup of the program `scan` covers: a dispatch has
/// `row_count.div_ceil(SCAN_TILE)` by `query_count.div_ceil(SCAN_TILE)` workgroups.
pub const SCAN_TILE: u32 = 64;

/// The program of this name.
pub fn find(name: &str) -> Option<&'static Program> {
    PROGRAMS.iter().find(|p| p.name == name)
}

#[cfg(test)]
mod tests;
