//! Distance kernels for vector search, and the small vocabulary that the crates above share.
//!
//! A [`Kernel`] is a [`Metric`] over an [`Element`] type, bound to the best instruction set of this CPU: AVX-512, AVX2,
//! NEON, or plain Rust. It returns *keys*, of which the smaller is the nearer; [`Metric::score`] makes the score that a
//! user is shown. The same two vectors have the same key, to the bit, whichever method computed it and on whichever
//! instruction set.
//!
//! One pair:
//!
//! ```
//! use elanus_kernels::{Kernel, Metric};
//!
//! let kernel = Kernel::<f32>::new(Metric::Ip)?;
//! let key = kernel.pair(&[1.0, 2.0, 3.0], &[4.0, 5.0, 6.0]);
//! assert_eq!(key, -32.0);
//! assert_eq!(kernel.metric().score(key), 32.0);
//! # Ok::<(), elanus_kernels::KernelError>(())
//! ```
//!
//! The nearest of many rows, leaving some out:
//!
//! ```
//! use elanus_kernels::{Bitmap, Kernel, Metric, Rows, TopK};
//!
//! let values = [0.0, 0.0, 3.0, 4.0, 1.0, 1.0, 0.5, 0.0];
//! let base = Rows::new(&values, 2)?;
//! let mut keys = vec![0.0; base.len()];
//! Kernel::<f32>::new(Metric::L2)?.rows(&[0.0, 0.0], base, &mut keys);
//!
//! let mut keep = Bitmap::full(base.len());
//! keep.set(0, false);
//! let mut nearest = TopK::new(2);
//! nearest.push_block(0, &keys, Some(keep.view()));
//! let found: Vec<(u32, f32)> = nearest.into_sorted().iter().map(|n| (n.id, n.key)).collect();
//! assert_eq!(found, [(3, 0.25), (2, 2.0)]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Half the memory, and rows chosen by id, as graph search does it:
//!
//! ```
//! use elanus_kernels::{F16, Kernel, Metric, Rows};
//!
//! let values: Vec<F16> = [1.0, 0.0, 0.0, 2.0, -3.0, 0.0].map(F16::from_f32).to_vec();
//! let base = Rows::new(&values, 2)?;
//! let query = [1.0, 0.0].map(F16::from_f32);
//! let mut keys = [0.0; 2];
//! Kernel::<F16>::new(Metric::Cosine)?.gather(&query, base, &[2, 0], &mut keys);
//! assert_eq!(keys, [1.0, -1.0]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The environment variable `ELANUS_ISA` (`avx512`, `avx2`, `neon`, `scalar`) forces an instruction set; a name that
//! cannot be obeyed is an error of [`Kernel::new`], never a silent fallback. The crate allocates nothing in a distance
//! call, starts no threads and depends on nothing but the standard library.
#![deny(missing_docs)]

mod bitmap;
mod bits;
mod cell;
pub mod codes;
pub mod dispatch;
mod element;
pub mod facts;
mod float;
pub mod gemm;
#[cfg(feature = "half")]
mod half;
mod int;
mod isa;
pub mod max_sim;
mod metric;
pub mod minhash;
#[cfg(feature = "simsimd")]
pub mod peer;
mod prefetch;
pub mod rng;
mod rows;
pub mod scan;
pub mod sparse;
mod topk;

pub use bitmap::{Bitmap, BitmapView, Ones};
pub use dispatch::{IsaError, Kernel, KernelError, cpu};
pub use element::{Bf16, Binary, ELEMENTS, Element, ElementType, F16, Number, U4};
pub use isa::{ISAS, IsaInfo};
pub use metric::{METRICS, Metric};
pub use rows::{AnyRows, Rows, ShapeError, Vector};
pub use topk::{KeyRange, Neighbor, TopK};
