// Unsigned bytes, four products at a time.

alias Sum = u32;

fn four_products(q: u32, x: u32) -> u32 {
    return dot4U8Packed(q, x);
}
