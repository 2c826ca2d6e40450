// Components of 32 bits: a group of four words has four.

const PARTS: u32 = 1u;

fn decode(words: vec4<u32>, part: u32) -> vec4<f32> {
    return bitcast<vec4<f32>>(words);
}
