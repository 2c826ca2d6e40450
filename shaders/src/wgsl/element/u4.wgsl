// A word is four times two numbers of four bits.

const LOWER: u32 = 0x0f0f0f0fu;

fn product(q: u32, x: u32) -> u32 {
    return four_products(q & LOWER, x & LOWER) + four_products((q >> 4u) & LOWER, (x >> 4u) & LOWER);
}
