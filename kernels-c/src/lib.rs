//! Distance kernels for vector search, for C: the declarations are in `include/elanus_kernels.h`.
//!
//! The header is written from this source by `cargo xtask header`. A function that can fail returns an
//! [`ElanusStatus`]; `elanus_last_error` then says, for the calling thread, what was wrong. Every pointer is checked for
//! null and every size for overflow; that a pointer has as many values behind it as the sizes say is the caller's duty.
#![deny(missing_docs)]

mod error;
mod kernel;
mod select;
mod slices;

pub use error::{ElanusStatus, elanus_last_error};
pub use kernel::*;
pub use select::*;
