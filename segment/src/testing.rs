//! For tests of this crate and of those above it: files that fail on demand, and the suites that every `Dir`
//! and every reader must pass.

mod fault;
pub mod readers;
mod suite;

pub use fault::FaultDir;
pub use suite::dir_suite;
