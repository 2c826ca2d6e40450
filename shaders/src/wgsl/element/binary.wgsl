// Bits, 32 in a word. A side is the number of ones (x) and nothing (y).

override METRIC: u32 = HAMMING;

alias Chunk = vec4<u32>;
alias Sum = u32;
const PARTS: u32 = 1u;

fn decode(words: vec4<u32>, part: u32) -> vec4<u32> {
    return words;
}

fn step(sum: u32, q: vec4<u32>, x: vec4<u32>) -> u32 {
    if METRIC == MHJACCARD {
        let differ = select(vec4<u32>(), vec4<u32>(1u), q != x);
        return sum + (differ.x + differ.y) + (differ.z + differ.w);
    }
    var bits = q ^ x;
    if METRIC == JACCARD || METRIC == TANIMOTO {
        bits = q & x;
    }
    if METRIC == SUBSTRUCTURE {
        bits = x & ~q;
    }
    if METRIC == SUPERSTRUCTURE {
        bits = q & ~x;
    }
    let counts = countOneBits(bits);
    return sum + (counts.x + counts.y) + (counts.z + counts.w);
}

// a / b, for a <= b < 2^30, rounded to nearest, ties to even: devices' own division may be off in the last places.
fn ratio(a: u32, b: u32) -> f32 {
    if a == 0u {
        return 0.0;
    }
    // The dividend is brought to [b, 2b), and 24 bits of the quotient follow one by one.
    var exponent = countLeadingZeros(a) - countLeadingZeros(b);
    var left = a << exponent;
    if left < b {
        left *= 2u;
        exponent += 1u;
    }
    left -= b;
    var quotient = 1u;
    for (var i = 0u; i < 23u; i++) {
        left *= 2u;
        let fits = left >= b;
        left -= select(0u, b, fits);
        quotient = quotient * 2u + select(0u, 1u, fits);
    }
    let up = 2u * left > b || (2u * left == b && (quotient & 1u) == 1u);
    // A quotient that is rounded to 2^24 carries into the exponent, which is right.
    return bitcast<f32>(((126u - exponent) << 23u) + quotient + select(0u, 1u, up));
}

fn key_of(sum: u32, query_side: vec2<u32>, row_side: vec2<u32>) -> f32 {
    if METRIC == HAMMING {
        return f32(sum);
    }
    if METRIC == MHJACCARD {
        return ratio(sum, params.words);
    }
    if METRIC == JACCARD || METRIC == TANIMOTO {
        // Two empty sets are taken as two equal sets of one.
        let either = query_side.x + row_side.x - sum;
        let empty = select(0u, 1u, either == 0u);
        if METRIC == JACCARD {
            return ratio(either - sum, either + empty);
        }
        return 0.0 - ratio(sum + empty, either + empty);
    }
    return select(0.0, 1.0, sum > 0u);
}

fn side_of(counts: vec4<u32>) -> vec2<u32> {
    return vec2<u32>((counts.x + counts.y) + (counts.z + counts.w), 0u);
}

fn add_squares(sums: vec4<u32>, x: vec4<u32>) -> vec4<u32> {
    return sums + countOneBits(x);
}
