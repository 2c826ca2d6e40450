//! RaBitQ: one to eight bits a component, with estimates that are unbiased and know their error.
//!
//! One bit is Gao and Long, "RaBitQ: Quantizing High-Dimensional Vectors with a Theoretical Error Bound for
//! Approximate Nearest Neighbor Search" (SIGMOD 2024, arXiv 2405.12497); more bits are Gao et al., "Practical and
//! Asymptotically Optimal Quantization of High-Dimensional Vectors in Euclidean Space for Approximate Nearest
//! Neighbor Search" (SIGMOD 2025, arXiv 2409.09913). Vectors are rotated by [`super::rotate`] first.
//!
//! # The code
//! A vector is `o`, its centre `c`, `r = o - c`; all are rotated, with `D` components. Component `i` of the code of
//! `B` bits is `u_i = s_i 2^(B-1) + e_i`: the sign `s_i`, 1 where `r_i >= 0`, and the extra bits `e_i`. It stands for
//! `x_i = u_i - (2^B - 1) / 2`, a point on a grid that is symmetric around 0. The grid is scaled so that the angle
//! between `r` and `x` is small ([`Fit`]); how long `x` is does not matter. The signs alone are the code of one bit,
//! so there are two tiers: the sign plane, and the planes of `e`.
//!
//! # The estimate
//! Theorem 3.2 of the first paper: with `obar = x / |x|`, `<obar, q> / <obar, r>` estimates `<r, q> / |r|^2` without
//! bias. So `<r, q - c>` is near `|r|^2 / <x, r> * (<x, q> - <x, c>)`, from which follow, for the squared distance
//! and for minus the inner product (both are keys, to be minimised):
//!
//! ```text
//! key       = f_add + add + f_rescale * <x, q>
//! error     = eps0 * f_error * |q - c|
//!             L2                                   IP, COSINE
//! add       = |q - c|^2                            -<q, c>
//! f_add     = |r|^2 + 2 |r|^2 <x, c> / <x, r>      -<r, c> + |r|^2 <x, c> / <x, r>
//! f_rescale = -2 |r|^2 / <x, r>                    -|r|^2 / <x, r>
//! f_error   = 2 |r| tan(x, r) / sqrt(D - 1)        |r| tan(x, r) / sqrt(D - 1)
//! ```
//!
//! where `tan(x, r)^2 = |r|^2 |x|^2 / <x, r>^2 - 1`. The error is section 5.2's, to which [`Query::term`] adds what
//! rounding the query costs: the true key lies within `key - error` and `key + error` with the probability that
//! [`EPS0`] states. With `x` of the signs these are tier 0, with `x` of all bits tier 1. `add` and `|q - c|` are a
//! [`Term`], one for each centre and query. A vector that equals its centre has exact factors: its error is 0.
//!
//! Products are exact integers, and the few float operations that follow have one order. So an estimate has the same
//! bits on every instruction set.
//!
//! # Records and blocks
//! Little-endian. Bit `j` of byte `k` of a plane is component `8 k + j`.
//!
//! | record of tier 0, at | bytes | content |
//! |---|---|---|
//! | 0 | `D/8` | signs |
//! | `D/8` | 4, 4, 4 | `f_add`, `f_rescale`, `f_error` as `f32` |
//! | `D/8 + 12` | 2 | number of the centre |
//! | `D/8 + 14` | 2 | the caller's |
//!
//! | record of tier 1, at | bytes | content |
//! |---|---|---|
//! | 0 | `(B-1) D/8` | planes of `e`, the most significant first |
//! | `(B-1) D/8` | 4, 4, 4 | `f_add`, `f_rescale`, `f_error` of the full code as `f32` |
//!
//! | block of 64 rows of tier 0 and of one centre, at | bytes | content |
//! |---|---|---|
//! | `64 k`, `k` from 0 to `D/8 - 1` | 64 | byte `k` of the signs of each row |
//! | `8 D` | 256 | `f_add` of each row |
//! | `8 D + 256` | 256 | `f_rescale` of each row |
//! | `8 D + 512` | 256 | `f_error` of each row |
//!
//! A block is records transposed, without regard to an instruction set: [`blocks`] says how each of them reads it.
//! Records and blocks may hold any bytes whatever: a scan then gives some number, or none.
//!
//! ```
//! use elanus_kernels::{Metric, codes::{rabitq::{Codec, Encoder, Estimator, Fit, Query}, rotate::Rotation}};
//!
//! let rotation = Rotation::new(100, 7)?;
//! let codec = Codec::new(Metric::L2, rotation.padded(), 4)?;
//! let (mut rotated, origin) = (vec![0.0; codec.dim()], vec![0.0; codec.dim()]);
//! let (mut record, mut refine) = (vec![0; codec.record_bytes()], vec![0; codec.refine_bytes()]);
//! let vector: Vec<f32> = (0..100).map(|i| (i as f32).sin()).collect();
//! rotation.apply(&vector, &mut rotated);
//! Encoder::new(codec, Fit::Fast).encode(&rotated, &origin, 0, &mut record, &mut refine);
//!
//! let mut query = Query::new(codec);
//! rotation.apply(&[0.5; 100], &mut rotated);
//! query.prepare(&rotated);
//! let (tier0, tier1) = (codec.records(&record, record.len()), codec.refinements(&refine, refine.len()));
//! let (mut key, mut error) = ([0.0], [0.0]);
//! Estimator::new()?.refine(&query, tier0, tier1, &[0], &[query.origin()], &mut key, &mut error);
//! let exact: f32 = vector.iter().map(|x| (x - 0.5) * (x - 0.5)).sum();
//! assert!((key[0] - exact).abs() < 0.05 * exact);
//! # Ok::<(), elanus_kernels::KernelError>(())
//! ```
pub mod blocks;
mod encode;
mod estimate;
mod layout;
mod query;
mod rescale;
mod scalar;
#[cfg(test)]
mod tests;

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512vbmi;
#[cfg(target_arch = "x86_64")]
mod avx512vnni;
#[cfg(target_arch = "x86_64")]
mod avx512vpopcntdq;
#[cfg(target_arch = "aarch64")]
mod neon;

pub use self::{
    blocks::BlockQuery,
    encode::{Encoder, Fit},
    estimate::Estimator,
    layout::{BLOCK, Codec, Records},
    query::{EPS0, QUERY_BITS, Query, Term},
};
