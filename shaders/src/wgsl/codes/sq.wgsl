// Keys of scalar codes. The head of a query: scale, middle, sum, constant, the weights of the square and the product,
// whether the key is a cosine, the grid of all rows (min, step), and what the sum of products lacks. The factors of a
// row: its own grid, if it has one, and the square, for a cosine its root.

const QUERY_WORDS: u32 = SQ_QUERY_WORDS;

fn four_products(sums: vec4<i32>, q: u32, x: vec4<u32>) -> vec4<i32> {
    return sums + vec4<i32>(product(q, x.x), product(q, x.y), product(q, x.z), product(q, x.w));
}

fn factors_of(row: u32) -> vec4<f32> {
    if params.row_words > params.words + 1u {
        return vec4<f32>(factor(row, 0u), factor(row, 1u), factor(row, 2u), 0.0);
    }
    return vec4<f32>(0.0, 0.0, factor(row, 0u), 0.0);
}

fn key_of(sum: i32, query: u32, factors: vec4<f32>) -> f32 {
    var grid = factors.xy;
    if params.row_words == params.words + 1u {
        grid = vec2<f32>(head(query, 7u), head(query, 8u));
    }
    let product = rounded(head(query, 0u), f32(sum + head_integer(query, 9u)));
    let inner = rounded(grid.x, head(query, 2u)) + rounded(grid.y, product + head(query, 1u));
    var key = (head(query, 3u) + rounded(head(query, 4u), factors.z)) + rounded(head(query, 5u), inner);
    if head_integer(query, 6u) == 0 {
        return key;
    }
    if factors.z <= 0.0 {
        return 0.0;
    }
    key /= factors.z;
    // No clamp, which may make a number of what is none.
    if key > 1.0 {
        key = 1.0;
    }
    if key < -1.0 {
        key = -1.0;
    }
    return key;
}
