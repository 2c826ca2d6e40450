// Sums and keys of bytes, exact for rows of up to 2^16 bytes. A side is the sum of the squares (x) and the inverse of
// the length (y), 0 for a zero vector.

override METRIC: u32 = L2;

alias Chunk = vec4<u32>;

fn decode(words: vec4<u32>, part: u32) -> vec4<u32> {
    return words;
}

const PARTS: u32 = 1u;

fn step(sum: Sum, q: vec4<u32>, x: vec4<u32>) -> Sum {
    return sum + product(q.x, x.x) + product(q.y, x.y) + product(q.z, x.z) + product(q.w, x.w);
}

fn key_of(sum: Sum, query_side: vec2<u32>, row_side: vec2<u32>) -> f32 {
    if METRIC == L2 {
        // What wraps on the way comes back: the distance itself is below 2^32.
        return f32(query_side.x + row_side.x - 2u * u32(sum));
    }
    if METRIC == COSINE {
        return cosine_key(f32(sum), query_side.y, row_side.y);
    }
    return 0.0 - f32(sum);
}

fn side_of(squares: vec4<u32>) -> vec2<u32> {
    let square = squares.x + squares.y + squares.z + squares.w;
    return vec2<u32>(square, inverse_length(f32(square)));
}

fn add_squares(sums: vec4<u32>, x: vec4<u32>) -> vec4<u32> {
    let own = vec4<Sum>(product(x.x, x.x), product(x.y, x.y), product(x.z, x.z), product(x.w, x.w));
    return sums + vec4<u32>(own);
}
