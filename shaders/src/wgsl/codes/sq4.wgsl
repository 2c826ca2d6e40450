// Codes of four bits: of eight components, the first four are in the lower halves of the bytes of a word.

const SQ_QUERY_WORDS: u32 = 2u;
const GROUP_WORDS: u32 = 1u;
const LOWER: u32 = 0x0f0f0f0fu;

struct Group {
    low: vec4<u32>,
    high: vec4<u32>,
}

fn unpack_group(rows: vec4<u32>, word: u32) -> Group {
    let words = words_at(rows, word);
    return Group(words & vec4<u32>(LOWER), (words >> vec4<u32>(4u)) & vec4<u32>(LOWER));
}

fn step(sums: vec4<i32>, group: Group, at: u32) -> vec4<i32> {
    return four_products(four_products(sums, tile[at], group.low), tile[at + 1u], group.high);
}
