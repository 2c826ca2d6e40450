// Signed bytes, four products one by one.

alias Sum = i32;

fn signed(word: u32) -> vec4<i32> {
    let bits = bitcast<i32>(word);
    return vec4<i32>((bits << 24u) >> 24u, (bits << 16u) >> 24u, (bits << 8u) >> 24u, bits >> 24u);
}

fn product(q: u32, x: u32) -> i32 {
    return dot(signed(q), signed(x));
}
