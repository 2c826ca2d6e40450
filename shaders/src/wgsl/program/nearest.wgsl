// The nearest row of each of many queries: a workgroup takes 64 queries and walks along all places.

const NONE: vec2<u32> = vec2<u32>(0xffffffffu, 0xffffffffu);

@group(0) @binding(5) var<storage, read_write> nearest: array<vec2<u32>>;

var<workgroup> best_of: array<vec2<u32>, 256>;

fn better(best: vec2<u32>, query: u32, first_place: u32, sums: vec4<Sum>) -> vec2<u32> {
    var least = best;
    for (var i = 0u; i < 4u; i++) {
        let place = first_place + SIDE * i;
        if query < params.queries && place < params.places {
            let key = key_of(sums[i], query_sides[query], row_sides[row_at(place)]);
            let found = vec2<u32>(params.chunk_first + row_at(place), ordered(key));
            if !is_nan(key) && less(found, least) {
                least = found;
            }
        }
    }
    return least;
}

// The best of the invocations along a line, and of the chunks before.
fn merge(local: vec3<u32>, invocation: u32, query: u32, best: vec2<u32>) {
    best_of[invocation] = best;
    workgroupBarrier();
    if local.x == 0u && query < params.queries {
        var least = best;
        for (var i = 1u; i < SIDE; i++) {
            if less(best_of[invocation + i], least) {
                least = best_of[invocation + i];
            }
        }
        if params.fresh == 1u || less(least, nearest[query]) {
            nearest[query] = least;
        }
    }
    workgroupBarrier();
}

@compute @workgroup_size(16, 16)
fn assign(
    @builtin(local_invocation_id) local: vec3<u32>,
    @builtin(local_invocation_index) invocation: u32,
    @builtin(workgroup_id) group: vec3<u32>,
) {
    let first_query = group.x * TILE;
    let query = first_query + local.y;
    var a = NONE;
    var b = NONE;
    var c = NONE;
    var d = NONE;
    for (var first_place = 0u; first_place < params.places; first_place += TILE) {
        let sums = tile_sums(local, invocation, first_query, first_place);
        let place = first_place + local.x;
        a = better(a, query, place, sums.a);
        b = better(b, query + SIDE, place, sums.b);
        c = better(c, query + 2u * SIDE, place, sums.c);
        d = better(d, query + 3u * SIDE, place, sums.d);
    }
    merge(local, invocation, query, a);
    merge(local, invocation, query + SIDE, b);
    merge(local, invocation, query + 2u * SIDE, c);
    merge(local, invocation, query + 3u * SIDE, d);
}
