//! Distance kernels, codes and selection for vector search, for whoever builds a database.
//!
//! A [`Kernel`] is a [`Metric`] over an [`Element`] type, bound to the best code for this CPU: AVX-512 with VNNI, BF16,
//! VPOPCNTDQ or VBMI, AVX2, NEON with its extensions, or plain Rust. It returns *keys*, of which the smaller is the nearer;
//! [`Metric::score`] makes the score that a user is shown. The same two vectors have the same key, to the bit, whichever
//! method computed it and on whichever instruction set; three sets that have products of their own round differently
//! within a stated bound (docs/kernels.md), and the bits of a NaN are the machine's.
//!
//! One query and the nearest of many rows, leaving some out; the keys are never written to memory as a whole:
//!
//! ```
//! use elanus_kernels::{Bitmap, Kernel, Metric, Rows, TopK, scan::{Keep, Scan}};
//!
//! let values = [0.0, 0.0, 3.0, 4.0, 1.0, 1.0, 0.5, 0.0];
//! let base = Rows::new(&values, 2)?;
//! let kernel = Kernel::<f32>::new(Metric::L2)?;
//! assert_eq!(kernel.pair(&[0.0, 0.0], base.row(1)), 25.0);
//!
//! let keep = Bitmap::from_fn(base.len(), |row| row != 0);
//! let mut nearest = TopK::new(2);
//! Scan::new(kernel, base, 0).keep(Keep::new(keep.view(), 0)).one(&[0.0, 0.0], 0..base.len(), &mut nearest);
//! let found: Vec<(u32, f32)> = nearest.into_sorted().iter().map(|n| (n.id, n.key)).collect();
//! assert_eq!(found, [(3, 0.25), (2, 2.0)]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A batch of queries as a product of matrices, with exactly the same answers:
//!
//! ```
//! use elanus_kernels::{Metric, Rows, TopK, gemm::{Gemm, Scratch}, rng::Rng};
//!
//! let mut rng = Rng::new(1);
//! let values: Vec<f32> = (0..1000 * 32).map(|_| rng.normal()).collect();
//! let base = Rows::new(&values, 32)?;
//! let gemm = Gemm::<f32>::new(Metric::Cosine)?;
//! let queries = gemm.pack(base.slice(0..100));
//! let mut nearest: Vec<TopK> = (0..queries.len()).map(|_| TopK::new(10)).collect();
//! gemm.search(&queries, base, 0, None, &mut Scratch::default(), &mut nearest);
//! assert_eq!(nearest.swap_remove(7).into_sorted()[0].id, 7);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A quarter of the memory: codes of a byte, and rows chosen by id, as graph search does it:
//!
//! ```
//! use elanus_kernels::{Metric, Rows, codes::{dot::Records, sq::{SqCodec, SqGrid, SqParams}}, rng::Rng};
//!
//! let mut rng = Rng::new(2);
//! let values: Vec<f32> = (0..500 * 64).map(|_| rng.normal()).collect();
//! let base = Rows::new(&values, 64)?;
//! let codec = SqCodec::new(SqParams::train(Metric::L2, 8, SqGrid::PerVector, base)?)?;
//! let mut codes = vec![0; base.len() * codec.record_bytes()];
//! for (row, code) in base.iter().zip(codes.chunks_mut(codec.record_bytes())) {
//!     codec.encode(row, code)?;
//! }
//! let (query, mut keys) = (codec.prepare_rows(base.row(42))?, [0.0; 3]);
//! codec.gather(&query, Records::new(&codes, codec.record_bytes(), base.len()), &[7, 42, 99], &mut keys);
//! assert!(keys[1] < 1.0 && keys[0] > 50.0 && keys[2] > 50.0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | module | holds |
//! |---|---|
//! | [`Kernel`] | a pair, one query against rows in order or by id, a block of queries against a block of rows |
//! | [`TopK`], [`Bitmap`], [`scan`] | the k nearest, which rows may be returned, and scans that write no matrix of scores |
//! | [`gemm`] | batches: exact search, nearest centroids, matrices of keys |
//! | [`codes`] | scalar quantization, product codes of four and eight bits, RaBitQ, rotations |
//! | [`backend`] | the same work on a device: what one offers, and the CPU as the one that is always there |
//! | [`sparse`], [`minhash`], [`max_sim`] | sparse products, MinHash signatures, lists of vectors against lists |
//!
//! The environment variable `ELANUS_ISA` names the best instruction set that may be used (`avx512`, `avx2`, `neon`,
//! `scalar`, ...: [`ISAS`]); a kernel without code for it takes the next one below. A name that is unknown or that this CPU
//! lacks is an error of [`Kernel::new`], never silently replaced. The crate allocates nothing in a distance call, starts no
//! threads and depends on nothing but the standard library. Features: `half` adds conversions to the types of that crate,
//! `simsimd` the module `peer` with simsimd's distances for comparison.
#![deny(missing_docs)]

pub mod backend;
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
