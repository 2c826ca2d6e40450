const LEAST_NORMAL: u32 = 0x00800000u;

// The bits of the inverse of a length, from its square; one step of Newton's method makes good what the device's own
// root is off. The inverse of no length is 0 and so is that of an infinite one.
fn inverse_length(square: f32) -> u32 {
    if square == 0.0 || (bitcast<u32>(square) & ~SIGN) >= INFINITE {
        // A square that is not a number makes every cosine so.
        return select(0u, bitcast<u32>(square), is_nan(square));
    }
    let first = inverseSqrt(square);
    return bitcast<u32>(fma(first * 0.5, fma(-(square * first), first, 1.0), first));
}

fn cosine_key(sum: f32, query_inverse: u32, row_inverse: u32) -> f32 {
    // In this order, as the product of the two inverses may leave the range of f32.
    var cosine = (sum * bitcast<f32>(query_inverse)) * bitcast<f32>(row_inverse);
    // No clamp, which may make a number of what is none.
    if cosine > 1.0 {
        cosine = 1.0;
    }
    if cosine < -1.0 {
        cosine = -1.0;
    }
    return 0.0 - cosine;
}
