// A word is four unsigned bytes.

fn product(q: u32, x: u32) -> u32 {
    return four_products(q, x);
}
