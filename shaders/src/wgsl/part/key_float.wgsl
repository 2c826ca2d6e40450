// Sums and keys of floating point. A side is nothing (x) and the inverse of a length (y), 0 for a zero vector.

override METRIC: u32 = L2;

alias Chunk = vec4<f32>;
alias Sum = f32;

fn step(sum: f32, q: vec4<f32>, x: vec4<f32>) -> f32 {
    if METRIC == L2 {
        let d = q - x;
        return fma(d.x, d.x, fma(d.y, d.y, fma(d.z, d.z, fma(d.w, d.w, sum))));
    }
    return fma(q.x, x.x, fma(q.y, x.y, fma(q.z, x.z, fma(q.w, x.w, sum))));
}

fn key_of(sum: f32, query_side: vec2<u32>, row_side: vec2<u32>) -> f32 {
    if METRIC == L2 {
        return sum;
    }
    if METRIC == COSINE {
        return cosine_key(sum, query_side.y, row_side.y);
    }
    return 0.0 - sum;
}

// The side, from the squares of all components.
fn side_of(squares: vec4<f32>) -> vec2<u32> {
    return vec2<u32>(0u, inverse_length((squares.x + squares.y) + (squares.z + squares.w)));
}

fn add_squares(sums: vec4<f32>, x: vec4<f32>) -> vec4<f32> {
    return fma(x, x, sums);
}
