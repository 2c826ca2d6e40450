//! Conversions to and from the types of the crate `half`, without copying. Only with the feature `half`.
use half::{bf16, f16};

use crate::element::{Bf16, F16};

macro_rules! twin {
    ($ours:ident, $theirs:ident) => {
        impl From<$theirs> for $ours {
            fn from(value: $theirs) -> Self {
                Self(value.to_bits())
            }
        }

        impl From<$ours> for $theirs {
            fn from(value: $ours) -> Self {
                Self::from_bits(value.0)
            }
        }

        impl $ours {
            /// Looks at numbers of the crate `half` as numbers of this one.
            pub const fn from_half_slice(numbers: &[$theirs]) -> &[Self] {
                // SAFETY: both are `repr(transparent)` over `u16`, and every bit pattern is valid.
                unsafe { std::slice::from_raw_parts(numbers.as_ptr().cast(), numbers.len()) }
            }

            /// Looks at numbers as numbers of the crate `half`.
            pub const fn as_half_slice(numbers: &[Self]) -> &[$theirs] {
                // SAFETY: as above.
                unsafe { std::slice::from_raw_parts(numbers.as_ptr().cast(), numbers.len()) }
            }
        }
    };
}
twin!(F16, f16);
twin!(Bf16, bf16);

#[cfg(test)]
mod tests {
    use super::{Bf16, F16, bf16, f16};

    #[test]
    fn every_number_is_the_same_in_both_crates() {
        for bits in 0..=u16::MAX {
            assert_eq!(f16::from(F16(bits)).to_bits(), bits);
            assert_eq!(F16::from(f16::from_bits(bits)).0, bits);
            let (ours, theirs) = (F16(bits).to_f32(), f16::from_bits(bits).to_f32());
            assert!(ours == theirs || (ours.is_nan() && theirs.is_nan()));
            let (ours, theirs) = (Bf16(bits).to_f32(), bf16::from_bits(bits).to_f32());
            assert!(ours == theirs || (ours.is_nan() && theirs.is_nan()));
        }
        let theirs = [f16::from_f32(0.5), f16::from_f32(-2.0)];
        assert_eq!(F16::from_half_slice(&theirs), [F16::from_f32(0.5), F16::from_f32(-2.0)]);
        let ours = [Bf16::from_f32(0.5)];
        assert_eq!(Bf16::as_half_slice(&ours), [bf16::from_f32(0.5)]);
        assert_eq!(Bf16::as_half_slice(&ours).as_ptr().cast(), ours.as_ptr());
    }
}
