// Codes of eight bits, four in a word. They are taken less 128, to which the head of a query has the rest.

const SQ_QUERY_WORDS: u32 = 1u;
const GROUP_WORDS: u32 = 1u;

fn unpack_group(rows: vec4<u32>, word: u32) -> vec4<u32> {
    return words_at(rows, word) ^ vec4<u32>(0x80808080u);
}

fn step(sums: vec4<i32>, group: vec4<u32>, at: u32) -> vec4<i32> {
    return four_products(sums, tile[at], group);
}
