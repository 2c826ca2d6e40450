//! simsimd's distances of one pair, as keys: a second opinion for tests, and the peer of the benchmarks. Only with the
//! feature `simsimd`.
//!
//! No kernel is taken from simsimd: at every dimension that was measured this crate's own are faster (docs/kernels.md).
#![allow(clippy::wildcard_enum_match_arm, reason = "the peer has few metrics, and a new one of ours is not among them")]
use simsimd::{BinarySimilarity, SpatialSimilarity, bf16, f16};

use crate::{
    element::{Bf16, Binary, Element, F16, U4},
    metric::Metric,
};

/// The key of one pair.
pub type Pair<E> = fn(&[E], &[E]) -> f32;

/// What simsimd has for an element type.
pub trait Peer: Element {
    /// The key for a metric, where simsimd has it. A pair that it refuses (of different lengths) has the key NaN.
    fn pair(metric: Metric) -> Option<Pair<Self>>;
}

/// The key for a distance, or NaN.
fn key(metric: Metric, distance: Option<f64>) -> f32 {
    distance.map_or(f32::NAN, |distance| match metric {
        Metric::Ip => 0.0 - distance as f32,
        // simsimd gives one minus the cosine.
        Metric::Cosine => distance as f32 - 1.0,
        _ => distance as f32,
    })
}

macro_rules! spatial {
    ($ours:ty, $theirs:ty) => {
        impl Peer for $ours {
            fn pair(metric: Metric) -> Option<Pair<Self>> {
                fn cast(row: &[$ours]) -> &[$theirs] {
                    // SAFETY: both types are transparent over the same bits.
                    unsafe { std::slice::from_raw_parts(row.as_ptr().cast(), row.len()) }
                }
                match metric {
                    Metric::L2 => Some(|a, b| key(Metric::L2, <$theirs>::l2sq(cast(a), cast(b)))),
                    Metric::Ip => Some(|a, b| key(Metric::Ip, <$theirs>::dot(cast(a), cast(b)))),
                    Metric::Cosine => {
                        Some(|a, b| key(Metric::Cosine, <$theirs as SpatialSimilarity>::cos(cast(a), cast(b))))
                    }
                    _ => None,
                }
            }
        }
    };
}
spatial!(f32, f32);
spatial!(F16, f16);
spatial!(Bf16, bf16);
spatial!(i8, i8);

impl Peer for Binary {
    fn pair(metric: Metric) -> Option<Pair<Self>> {
        match metric {
            Metric::Hamming => {
                Some(|a, b| key(Metric::Hamming, u8::hamming(Self::as_bytes_slice(a), Self::as_bytes_slice(b))))
            }
            Metric::Jaccard => {
                Some(|a, b| key(Metric::Jaccard, u8::jaccard(Self::as_bytes_slice(a), Self::as_bytes_slice(b))))
            }
            _ => None,
        }
    }
}

macro_rules! alone {
    ($($ours:ty),*) => {
        $(impl Peer for $ours {
            fn pair(_metric: Metric) -> Option<Pair<Self>> {
                None
            }
        })*
    };
}
alone!(u8, U4);

#[cfg(test)]
mod tests {
    use super::{Bf16, Binary, F16, Metric, Peer};
    use crate::{dispatch::Kernel, metric::METRICS, rng::Rng};

    fn agrees<E: Peer>(slack: f32, mut draw: impl FnMut(&mut Rng) -> E) {
        let mut rng = Rng::new(61);
        let mut compared = 0;
        for metric in METRICS {
            let (Some(theirs), Ok(ours)) = (E::pair(*metric), Kernel::<E>::new(*metric)) else { continue };
            for dim in [1, 7, 64, 100, 257, 768, 1536] {
                let (a, b): (Vec<E>, Vec<E>) =
                    ((0..dim).map(|_| draw(&mut rng)).collect(), (0..dim).map(|_| draw(&mut rng)).collect());
                let (want, got) = (theirs(&a, &b), ours.pair(&a, &b));
                let scale = got.abs().max(if *metric == Metric::Ip { dim as f32 } else { 1.0 });
                assert!((want - got).abs() <= slack * scale, "{} {metric} dim {dim}: {want} {got}", E::TYPE);
                compared += 1;
            }
        }
        assert!(compared >= 14, "{} was compared {compared} times", E::TYPE);
    }

    #[test]
    fn simsimd_gives_the_same_keys() {
        agrees::<f32>(1e-4, Rng::normal);
        // simsimd's roots and divisions are approximate, and its bf16 is rounded in pairs.
        agrees::<F16>(1e-2, |rng| F16::from_f32(rng.normal()));
        agrees::<Bf16>(3e-2, |rng| Bf16::from_f32(rng.normal()));
        agrees::<i8>(1e-2, |rng| rng.next_u64() as i8);
        agrees::<Binary>(1e-3, |rng| Binary(rng.next_u64() as u8));
    }

    #[test]
    fn metrics_that_simsimd_lacks_are_absent() {
        assert!(u8::pair(Metric::L2).is_none() && f32::pair(Metric::Hamming).is_none());
        assert_eq!(F16::from_f32(1.0).to_f32(), 1.0);
    }
}
