//! Graphics cards behind [`elanus_kernels::backend::Backend`]: NVIDIA's through CUDA, every other maker's through wgpu.
//!
//! The feature `cuda` needs no toolkit to build, and nothing but the driver to run; the feature `wgpu` reaches Vulkan,
//! Metal or DirectX 12. A machine without either is not an error: nothing is found there, and the CPU does the work.
#![deny(missing_docs)]

pub mod choice;
#[cfg(feature = "cuda")]
pub mod cuda;
pub mod passes;
pub mod pool;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
#[cfg(feature = "wgpu")]
pub mod wgpu;
