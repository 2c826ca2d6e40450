//! Conversions over every binary16 number and every way of rounding to one.
use super::{Bf16, Binary, ELEMENTS, Element, ElementType, F16, Number, U4};

/// The value by the definition of binary16, in double precision.
fn definition(bits: u16) -> f64 {
    let sign = if bits & 0x8000 == 0 { 1.0 } else { -1.0 };
    let (exponent, mantissa) = (i32::from(bits >> 10 & 31), f64::from(bits & 0x3ff));
    match exponent {
        0 => sign * mantissa * 2f64.powi(-24),
        31 if mantissa == 0.0 => sign * f64::INFINITY,
        31 => f64::NAN,
        _ => sign * (1024.0 + mantissa) * 2f64.powi(exponent - 25),
    }
}

#[test]
fn every_binary16_widens_exactly_and_comes_back() {
    for bits in 0..=u16::MAX {
        let (wide, want) = (F16(bits).to_f32(), definition(bits));
        if want.is_nan() {
            assert!(wide.is_nan());
            let back = F16::from_f32(wide).0;
            assert_eq!(back, bits | 0x200, "a NaN keeps its sign and payload and is quiet");
        } else {
            assert_eq!(f64::from(wide).to_bits(), want.to_bits(), "{bits:#x}");
            assert_eq!(F16::from_f32(wide).0, bits);
        }
    }
}

#[test]
fn rounding_is_to_nearest_with_ties_to_even() {
    // Between each two neighbours: the middle goes to the even one, anything else to the nearer.
    for low in 0..0x7bffu16 {
        let (a, b) = (F16(low).to_f32(), F16(low + 1).to_f32());
        let middle = (a + b) / 2.0;
        let even = if low.is_multiple_of(2) { low } else { low + 1 };
        for sign in [0, 0x8000] {
            let signed = |x: f32| if sign == 0 { x } else { -x };
            assert_eq!(F16::from_f32(signed(middle)).0, even | sign, "middle above {low:#x}");
            assert_eq!(F16::from_f32(signed(middle.next_down())).0, low | sign);
            assert_eq!(F16::from_f32(signed(middle.next_up())).0, (low + 1) | sign);
        }
    }
}

#[test]
fn magnitudes_past_the_range_become_infinite() {
    assert_eq!(F16::from_f32(65_504.0).0, 0x7bff);
    assert_eq!(F16::from_f32(65_520f32.next_down()).0, 0x7bff);
    assert_eq!(F16::from_f32(65_520.0).0, 0x7c00);
    assert_eq!(F16::from_f32(-1e30).0, 0xfc00);
    assert_eq!(F16::from_f32(f32::INFINITY).0, 0x7c00);
    assert_eq!(F16::from_f32(f32::from_bits(1)).0, 0);
    assert_eq!(F16::from_f32(-f32::from_bits(1)).0, 0x8000);
}

#[test]
fn debug_shows_the_number() {
    assert_eq!(format!("{:?}", F16::from_f32(-1.5)), "-1.5");
    assert_eq!(format!("{:?}", F16::default()), "0.0");
}

#[test]
fn bits_are_seen_without_copying() {
    let bits = [0x3c00u16, 0x4000];
    let numbers = F16::from_bits_slice(&bits);
    assert_eq!(numbers, [F16::from_f32(1.0), F16::from_f32(2.0)]);
    assert_eq!(F16::as_bits_slice(numbers).as_ptr(), bits.as_ptr());
    assert_eq!(F16::as_bits_slice(numbers), bits);
}

#[test]
fn packed_units_are_seen_as_bytes_without_copying() {
    let bytes = [0x00u8, 0x21, 0xff];
    let (fours, bits) = (U4::from_bytes_slice(&bytes), Binary::from_bytes_slice(&bytes));
    assert_eq!(fours[1].values(), [1, 2]);
    assert_eq!((U4::as_bytes_slice(fours), Binary::as_bytes_slice(bits)), (&bytes[..], &bytes[..]));
    assert_eq!(U4::as_bytes_slice(fours).as_ptr(), bytes.as_ptr());
    assert_eq!(U4::as_bytes_slice(&[U4::new(3, 4)]), [0x43]);
}

#[test]
fn every_bf16_widens_exactly_and_comes_back() {
    for bits in 0..=u16::MAX {
        let wide = Bf16(bits).to_f32();
        assert_eq!(wide.to_bits(), u32::from(bits) << 16);
        let back = Bf16::from_f32(wide).0;
        assert_eq!(back, if wide.is_nan() { bits | 0x40 } else { bits });
    }
}

#[test]
fn rounding_to_bf16_is_to_nearest_with_ties_to_even() {
    for low in 0..0x7f7fu16 {
        let (a, b) = (Bf16(low).to_f32(), Bf16(low + 1).to_f32());
        let middle = a + (b - a) / 2.0;
        let even = if low.is_multiple_of(2) { low } else { low + 1 };
        for sign in [0, 0x8000] {
            let signed = |x: f32| if sign == 0 { x } else { -x };
            assert_eq!(Bf16::from_f32(signed(middle)).0, even | sign, "middle above {low:#x}");
            assert_eq!(Bf16::from_f32(signed(middle.next_down())).0, low | sign);
            assert_eq!(Bf16::from_f32(signed(middle.next_up())).0, (low + 1) | sign);
        }
    }
    assert_eq!(Bf16::from_f32(f32::MAX).0, 0x7f80, "past the range");
    assert!(Bf16::from_f32(f32::from_bits(0x7f80_0001)).to_f32().is_nan(), "a NaN is not rounded to infinity");
}

#[test]
fn bytes_round_to_nearest_and_stop_at_the_ends() {
    for (value, signed, unsigned) in [(2.5, 2, 2), (-3.5, -4, 0), (1e9, 127, 255), (-1e9, -128, 0), (f32::NAN, 0, 0)] {
        assert_eq!((i8::from_f32(value), u8::from_f32(value)), (signed, unsigned), "{value}");
    }
}

#[test]
fn types_name_themselves() {
    let names: Vec<&str> = ELEMENTS.iter().map(|element| element.name()).collect();
    assert_eq!(names, ["f32", "f16", "bf16", "i8", "u8", "u4", "binary"]);
    assert_eq!((ElementType::F32.size_bytes(), ElementType::F16.size_bytes()), (size_of::<f32>(), size_of::<F16>()));
    assert_eq!((<f32 as Element>::TYPE, F16::TYPE), (ElementType::F32, ElementType::F16));
    assert_eq!(<f32 as Number>::from_f32(0.1).to_f32(), 0.1);
    assert_eq!((ElementType::U4.components(), ElementType::Binary.components()), (2, 8));
}
