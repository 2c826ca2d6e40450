// What all programs share: one dispatch's numbers, the metrics, and keys as integers that are ordered as the keys are.

// How the host counts the metrics.
const L2: u32 = 0u;
const IP: u32 = 1u;
const COSINE: u32 = 2u;
const HAMMING: u32 = 3u;
const SUBSTRUCTURE: u32 = 4u;
const SUPERSTRUCTURE: u32 = 5u;
const JACCARD: u32 = 6u;
const TANIMOTO: u32 = 7u;
const MHJACCARD: u32 = 8u;

const SIGN: u32 = 0x80000000u;
const INFINITE: u32 = 0x7f800000u;

struct Params {
    // Queries of the batch, and groups of four words that a query or a row has.
    queries: u32,
    width: u32,
    // The id of the first row that is bound. The rows offered are `first + place * stride` of those, `places` in all.
    chunk_first: u32,
    first: u32,
    stride: u32,
    places: u32,
    // Whether the filter counts.
    filtered: u32,
    // How many candidates are selected, and whether they are then forgotten.
    k: u32,
    sample: u32,
    // Where keys are stored: that of query q and place p at `q * key_stride + key_first + p`.
    key_stride: u32,
    key_first: u32,
    // Whether the nearest rows found before do not count.
    fresh: u32,
    // Words of a row, without those that only fill a group, or of its codes.
    words: u32,
    // Words of a row of codes with its factors, and of a query for it.
    row_words: u32,
    query_words: u32,
    // 0, of which the device's compiler does not know.
    zero: f32,
}

@group(0) @binding(0) var<uniform> params: Params;

// A candidate is its id (x) and its key in order (y).
fn less(a: vec2<u32>, b: vec2<u32>) -> bool {
    return a.y < b.y || (a.y == b.y && a.x < b.x);
}

fn is_nan(key: f32) -> bool {
    return (bitcast<u32>(key) & ~SIGN) > INFINITE;
}

// Turned over altogether where the sign is set, and else the sign alone; -0 counts as 0.
fn ordered(key: f32) -> u32 {
    var bits = bitcast<u32>(key);
    if bits == SIGN {
        bits = 0u;
    }
    return bits ^ (SIGN | (0u - (bits >> 31u)));
}
