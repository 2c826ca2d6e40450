// bf16 components, the upper halves of f32: a group of four words has twice four.

const PARTS: u32 = 2u;
const UPPER: u32 = 0xffff0000u;

fn decode(words: vec4<u32>, part: u32) -> vec4<f32> {
    let two = select(words.zw, words.xy, part == 0u);
    return bitcast<vec4<f32>>(vec4<u32>(two.x << 16u, two.x & UPPER, two.y << 16u, two.y & UPPER));
}
