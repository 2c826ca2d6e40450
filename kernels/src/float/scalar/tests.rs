//! The emulated fused multiply-add against the C library's.
use super::{F32x16, LANES, Lane};
use crate::rng::Rng;

/// Numbers whose products and sums meet the rounding boundaries: few mantissa bits, exponents near each other or near
/// the subnormal range.
fn draw(rng: &mut Rng) -> f32 {
    let sign = if rng.below(2) == 0 { 1.0 } else { -1.0 };
    let mantissa = match rng.below(3) {
        0 => rng.next_u64() as u32 & 0x7f_ffff,
        1 => (rng.next_u64() as u32 & 7) << 20,
        _ => 1 << rng.below(23),
    };
    let exponent = match rng.below(3) {
        0 => 127 + rng.below(30) as u32 - 15,
        1 => rng.below(60) as u32,
        _ => rng.below(256) as u32,
    };
    sign * f32::from_bits(exponent << 23 | mantissa)
}

#[test]
fn fma_rounds_once() {
    let mut rng = Rng::new(51);
    for _ in 0..40_000 {
        let [a, b, c] = [(); 3].map(|()| std::array::from_fn::<f32, LANES, _>(|_| draw(&mut rng)));
        let got = F32x16(c).fma(F32x16(a), F32x16(b)).0;
        for i in 0..LANES {
            let want = a[i].mul_add(b[i], c[i]);
            let same = got[i].to_bits() == want.to_bits() || (got[i].is_nan() && want.is_nan());
            assert!(same, "{:e} * {:e} + {:e}: {:e} for {want:e}", a[i], b[i], c[i], got[i]);
        }
    }
}

#[test]
fn fma_handles_the_halfway_cases_that_two_roundings_miss() {
    // 1 + 2^-24 is halfway; a product of 2^-24 (1 + 2^-23)(1 - 2^-23) is below it by less than f64 can show.
    let (a, b) = (2f32.powi(-24) * (1.0 + f32::EPSILON), 1.0 - f32::EPSILON);
    let got = F32x16([1.0; LANES]).fma(F32x16([a; LANES]), F32x16([b; LANES])).0;
    assert_eq!(got, [1.0; LANES]);
    let above = F32x16([1.0; LANES]).fma(F32x16([a; LANES]), F32x16([1.0; LANES])).0;
    assert_eq!(above, [1.0 + f32::EPSILON; LANES]);
}
