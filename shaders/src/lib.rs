//! Text of the GPU programs, so that whoever packages them has it without a file beside the binary.
//!
//! [`cuda`] is for NVIDIA cards through their own driver, [`wgsl`] for every maker's through Vulkan, Metal or DirectX 12.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

pub mod cuda;
pub mod wgsl;
