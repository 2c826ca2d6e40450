//! Conversions between `f32` and the element types, against their definitions in `f64`.
#![no_main]
use elanus_fuzz::{Source, same};
use elanus_kernels::{Bf16, F16, Number, U4};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut source = Source::new(bytes);
    for _ in 0..64 {
        let value = if source.byte() % 8 == 0 { source.odd_one() } else { source.f32() };
        let half = F16::from_f32(value);
        check(
            value,
            half.to_f32(),
            [half.0.wrapping_sub(1), half.0.wrapping_add(1)].map(|bits| F16(bits).to_f32()),
            65520.0,
        );
        let brief = Bf16::from_f32(value);
        let limit = f64::from(f32::from_bits(0x7f7f_8000));
        check(
            value,
            brief.to_f32(),
            [brief.0.wrapping_sub(1), brief.0.wrapping_add(1)].map(|bits| Bf16(bits).to_f32()),
            limit,
        );
        let (half, brief) = (F16(source.u32() as u16), Bf16(source.u32() as u16));
        if !half.to_f32().is_nan() {
            assert_eq!(F16::from_f32(half.to_f32()), half);
            assert_eq!(f64::from(half.to_f32()), half_value(half.0));
        }
        if !brief.to_f32().is_nan() {
            assert_eq!(Bf16::from_f32(brief.to_f32()), brief);
        }
        let rounded = f64::from(value).round_ties_even();
        let whole = if rounded.is_nan() { 0.0 } else { rounded };
        assert_eq!(f64::from(i8::from_f32(value)), whole.clamp(-128.0, 127.0));
        assert_eq!(f64::from(u8::from_f32(value)), whole.clamp(0.0, 255.0));
        assert!(same(<f32 as Number>::from_f32(value), value));
        let pair = [source.byte() & 15, source.byte() & 15];
        assert_eq!(U4::new(pair[0], pair[1]).values(), pair);
    }
});

/// The value of binary16 bits that are no NaN.
fn half_value(bits: u16) -> f64 {
    let (exponent, mantissa) = (i32::from(bits >> 10 & 31), f64::from(bits & 1023));
    let magnitude = match exponent {
        0 => mantissa * 2f64.powi(-24),
        31 => f64::INFINITY,
        _ => (1024.0 + mantissa) * 2f64.powi(exponent - 25),
    };
    if bits >> 15 == 1 { -magnitude } else { magnitude }
}

/// `got` is the nearest to `value`, given the `next` numbers on either side of it. Magnitudes of `limit` are infinite.
fn check(value: f32, got: f32, next: [f32; 2], limit: f64) {
    if value.is_nan() {
        assert!(got.is_nan());
        return;
    }
    assert!(got == 0.0 || got.is_sign_negative() == value.is_sign_negative(), "{value} becomes {got}");
    if f64::from(value.abs()) >= limit {
        assert_eq!(got, f32::INFINITY.copysign(value));
        return;
    }
    let off = |to: f32| (f64::from(to) - f64::from(value)).abs();
    assert!(got.is_finite(), "{value} becomes {got}");
    for next in next.into_iter().filter(|next| next.is_finite()) {
        assert!(off(got) <= off(next), "{value} becomes {got} and not {next}");
    }
}
