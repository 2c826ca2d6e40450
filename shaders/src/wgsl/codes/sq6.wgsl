// Codes of six bits: of sixteen components, two words have the lower four bits as codes of four bits have them, and one
// the upper two, those of four components in each field of two bits.

const SQ_QUERY_WORDS: u32 = 4u;
const GROUP_WORDS: u32 = 3u;
const LOWER: u32 = 0x0f0f0f0fu;
const UPPER: u32 = 0x30303030u;

struct Group {
    a: vec4<u32>,
    b: vec4<u32>,
    c: vec4<u32>,
    d: vec4<u32>,
}

fn lower(words: vec4<u32>) -> vec4<u32> {
    return words & vec4<u32>(LOWER);
}

fn upper(words: vec4<u32>) -> vec4<u32> {
    return words & vec4<u32>(UPPER);
}

fn unpack_group(rows: vec4<u32>, word: u32) -> Group {
    let first = words_at(rows, word);
    let second = words_at(rows, word + 1u);
    let rest = words_at(rows, word + 2u);
    return Group(
        lower(first) | upper(rest << vec4<u32>(4u)),
        lower(first >> vec4<u32>(4u)) | upper(rest << vec4<u32>(2u)),
        lower(second) | upper(rest),
        lower(second >> vec4<u32>(4u)) | upper(rest >> vec4<u32>(2u)),
    );
}

fn step(sums: vec4<i32>, group: Group, at: u32) -> vec4<i32> {
    let half = four_products(four_products(sums, tile[at], group.a), tile[at + 1u], group.b);
    return four_products(four_products(half, tile[at + 2u], group.c), tile[at + 3u], group.d);
}
