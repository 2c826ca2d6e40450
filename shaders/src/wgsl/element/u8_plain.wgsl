// Unsigned bytes, four products one by one.

alias Sum = u32;

fn unsigned(word: u32) -> vec4<u32> {
    return vec4<u32>(word & 255u, (word >> 8u) & 255u, (word >> 16u) & 255u, word >> 24u);
}

fn four_products(q: u32, x: u32) -> u32 {
    return dot(unsigned(q), unsigned(x));
}
