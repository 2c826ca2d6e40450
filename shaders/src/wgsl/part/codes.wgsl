// Queries against codes: what is bound, and how it lies. The words of a row are its codes and then its factors; sixteen
// rows lie side by side, word by word.

const LANES: u32 = 16u;
const HEAD_WORDS: u32 = 12u;
const TILE_WORDS: u32 = 2048u;

@group(0) @binding(1) var<storage, read> queries: array<u32>;
// What a key needs of a query beside the codes.
@group(0) @binding(2) var<storage, read> heads: array<u32>;
@group(1) @binding(0) var<storage, read> codes: array<u32>;

// A stretch of each query of the workgroup.
var<workgroup> tile: array<u32, 2048>;

// Where a row begins.
fn row_start(row: u32) -> u32 {
    return (row / LANES) * LANES * params.row_words + row % LANES;
}

// The same word of four rows.
fn words_at(rows: vec4<u32>, word: u32) -> vec4<u32> {
    let at = rows + vec4<u32>(LANES * word);
    return vec4<u32>(codes[at.x], codes[at.y], codes[at.z], codes[at.w]);
}

fn factor(row: u32, number: u32) -> f32 {
    return bitcast<f32>(codes[row + LANES * (params.words + number)]);
}

fn head(query: u32, number: u32) -> f32 {
    return bitcast<f32>(heads[query * HEAD_WORDS + number]);
}

fn head_integer(query: u32, number: u32) -> i32 {
    return bitcast<i32>(heads[query * HEAD_WORDS + number]);
}

// The product, rounded by itself: a device that fuses what it can finds this fused already.
fn rounded(a: f32, b: f32) -> f32 {
    return fma(a, b, params.zero);
}

// Brings `words` words from word `start` on of so many queries to the tile, one after another. What lies beyond the
// last query is 0.
fn load_tile(seat: u32, first: u32, count: u32, end: u32, start: u32, words: u32) {
    for (var i = seat; i < count * words; i += 256u) {
        let query = first + i / words;
        var word = 0u;
        if query < end {
            word = queries[query * params.query_words + start + i % words];
        }
        tile[i] = word;
    }
}
