// Signed bytes, four products at a time.

alias Sum = i32;

fn product(q: u32, x: u32) -> i32 {
    return dot4I8Packed(q, x);
}
