//! simsimd, which answers one pair a call.
use elanus_kernels::{Bf16, Binary, Element, F16, Metric, U4};

/// A distance of one pair as simsimd has it.
pub(crate) type Theirs<E> = fn(&[E], &[E]) -> f64;

/// What simsimd has for a type.
pub(crate) trait Peer: Element {
    /// The distance for a metric, if it has one.
    fn theirs(metric: Metric) -> Option<Theirs<Self>>;
}

#[cfg(target_arch = "x86_64")]
mod simsimd_peer {
    use simsimd::{BinarySimilarity, SpatialSimilarity, bf16, f16};

    use super::{Bf16, Binary, F16, Metric, Peer, Theirs};

    macro_rules! spatial {
        ($ours:ty, $theirs:ty) => {
            impl Peer for $ours {
                fn theirs(metric: Metric) -> Option<Theirs<Self>> {
                    fn cast(row: &[$ours]) -> &[$theirs] {
                        // SAFETY: both types are transparent over the same bits.
                        unsafe { std::slice::from_raw_parts(row.as_ptr().cast(), row.len()) }
                    }
                    Some(match metric {
                        Metric::L2 => |a, b| <$theirs>::l2sq(cast(a), cast(b)).unwrap_or(f64::NAN),
                        Metric::Ip => |a, b| <$theirs>::dot(cast(a), cast(b)).unwrap_or(f64::NAN),
                        Metric::Cosine => {
                            |a, b| <$theirs as SpatialSimilarity>::cos(cast(a), cast(b)).unwrap_or(f64::NAN)
                        }
                        _ => return None,
                    })
                }
            }
        };
    }
    spatial!(f32, f32);
    spatial!(F16, f16);
    spatial!(Bf16, bf16);
    spatial!(i8, i8);

    impl Peer for Binary {
        fn theirs(metric: Metric) -> Option<Theirs<Self>> {
            Some(match metric {
                Metric::Hamming => |a, b| {
                    let (a, b) = (Self::as_bytes_slice(a), Self::as_bytes_slice(b));
                    <u8 as BinarySimilarity>::hamming(a, b).unwrap_or(f64::NAN)
                },
                Metric::Jaccard => |a, b| {
                    let (a, b) = (Self::as_bytes_slice(a), Self::as_bytes_slice(b));
                    <u8 as BinarySimilarity>::jaccard(a, b).unwrap_or(f64::NAN)
                },
                _ => return None,
            })
        }
    }
}

/// Types that simsimd has no numbers over.
macro_rules! alone {
    ($($ours:ty),*) => {
        $(impl Peer for $ours {
            fn theirs(_metric: Metric) -> Option<Theirs<Self>> {
                None
            }
        })*
    };
}
alone!(u8, U4);
#[cfg(not(target_arch = "x86_64"))]
alone!(f32, F16, Bf16, i8, Binary);
