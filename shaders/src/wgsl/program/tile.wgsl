// Many queries against all rows: a workgroup covers a tile of 64 places along x and z and 64 queries along y.

fn offer_four(query: u32, first_place: u32, sums: vec4<Sum>) {
    if query >= params.queries {
        return;
    }
    let within = window(query);
    for (var i = 0u; i < 4u; i++) {
        let place = first_place + SIDE * i;
        if is_wanted(place) {
            offer(query, within, place, key_of(sums[i], query_sides[query], row_sides[row_at(place)]));
        }
    }
}

@compute @workgroup_size(16, 16)
fn scan(
    @builtin(local_invocation_id) local: vec3<u32>,
    @builtin(local_invocation_index) invocation: u32,
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    let first_place = (group.x + group.z * groups.x) * TILE;
    let first_query = group.y * TILE;
    if first_place >= params.places {
        return;
    }
    let sums = tile_sums(local, invocation, first_query, first_place);
    let query = first_query + local.y;
    let place = first_place + local.x;
    offer_four(query, place, sums.a);
    offer_four(query + SIDE, place, sums.b);
    offer_four(query + 2u * SIDE, place, sums.c);
    offer_four(query + 3u * SIDE, place, sums.d);
}
