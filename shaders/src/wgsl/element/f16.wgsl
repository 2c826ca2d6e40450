// Binary16 components: a group of four words has twice four.

const PARTS: u32 = 2u;

fn decode(words: vec4<u32>, part: u32) -> vec4<f32> {
    let two = select(words.zw, words.xy, part == 0u);
    return vec4<f32>(unpack2x16float(two.x), unpack2x16float(two.y));
}
