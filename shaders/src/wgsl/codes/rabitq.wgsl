// Signs of RaBitQ, 32 in a word, against the planes of the queries: a sum is that of the differing bits, each weighed by
// its plane. The head of a query: half its unit, what is added, and what twice the sum is taken from. The factors of a
// row: what is added, and what the product is multiplied with.

// The planes.
override QUERY_WORDS: u32 = 4u;
const GROUP_WORDS: u32 = 1u;

fn unpack_group(rows: vec4<u32>, word: u32) -> vec4<u32> {
    return words_at(rows, word);
}

fn step(sums: vec4<i32>, group: vec4<u32>, at: u32) -> vec4<i32> {
    var counts = vec4<u32>();
    for (var plane = 0u; plane < QUERY_WORDS; plane++) {
        counts += countOneBits(group ^ vec4<u32>(tile[at + plane])) << vec4<u32>(plane);
    }
    return sums + vec4<i32>(counts);
}

fn factors_of(row: u32) -> vec4<f32> {
    return vec4<f32>(factor(row, 0u), factor(row, 1u), 0.0, 0.0);
}

fn key_of(sum: i32, query: u32, factors: vec4<f32>) -> f32 {
    let product = rounded(head(query, 0u), f32(head_integer(query, 2u) - 2 * sum));
    return (factors.x + head(query, 1u)) + rounded(factors.y, product);
}
