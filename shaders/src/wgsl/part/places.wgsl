// Which rows are offered.

@group(0) @binding(3) var<storage, read> admitted: array<u32>;

// The row at a place, counted from the first that is bound.
fn row_at(place: u32) -> u32 {
    return params.first + place * params.stride;
}

// Whether there is such a place and the filter admits its row.
fn is_wanted(place: u32) -> bool {
    if place >= params.places {
        return false;
    }
    if params.filtered == 0u {
        return true;
    }
    let id = params.chunk_first + row_at(place);
    return ((admitted[id / 32u] >> (id % 32u)) & 1u) == 1u;
}
