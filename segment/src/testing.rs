//! For tests of this crate and of those above it: files that fail on demand, and the suite that every `Dir` must pass.

mod fault;
mod suite;

pub use fault::FaultDir;
pub use suite::dir_suite;
