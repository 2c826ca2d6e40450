// A few queries against all rows: each row is read once, by a team of TEAM invocations that stand side by side, four
// rows at a time. A workgroup covers 1,024 / TEAM places along x and z, and QUERIES queries along y.

fn step_four(sums: vec4<Sum>, q: Chunk, a: Chunk, b: Chunk, c: Chunk, d: Chunk) -> vec4<Sum> {
    return vec4<Sum>(step(sums.x, q, a), step(sums.y, q, b), step(sums.z, q, c), step(sums.w, q, d));
}

// The words of a row, or nothing where it is not wanted.
fn words_of(row: u32, column: u32, wanted: bool) -> vec4<u32> {
    if wanted {
        return rows[row * params.width + column];
    }
    return vec4<u32>();
}

fn scan_rows(seat: u32, group: vec3<u32>, groups: vec3<u32>) {
    let block = group.x + group.z * groups.x;
    let place = (block * (256u / TEAM) + seat / TEAM) * 4u;
    let lane = seat % TEAM;
    let first_query = group.y * QUERIES;
    let wanted = vec4<bool>(is_wanted(place), is_wanted(place + 1u), is_wanted(place + 2u), is_wanted(place + 3u));
    var sums: array<vec4<Sum>, QUERIES>;
    if any(wanted) {
        let row = vec4<u32>(row_at(place), row_at(place + 1u), row_at(place + 2u), row_at(place + 3u));
        for (var column = lane; column < params.width; column += TEAM) {
            let a = words_of(row.x, column, wanted.x);
            let b = words_of(row.y, column, wanted.y);
            let c = words_of(row.z, column, wanted.z);
            let d = words_of(row.w, column, wanted.w);
            for (var part = 0u; part < PARTS; part++) {
                let e = decode(a, part);
                let f = decode(b, part);
                let g = decode(c, part);
                let h = decode(d, part);
                for (var j = 0u; j < QUERIES; j++) {
                    if first_query + j < params.queries {
                        let q = decode(queries[(first_query + j) * params.width + column], part);
                        sums[j] = step_four(sums[j], q, e, f, g, h);
                    }
                }
            }
        }
    }
    for (var j = 0u; j < QUERIES; j++) {
        let all = total(seat, sums[j]);
        let query = first_query + j;
        if query < params.queries {
            let within = window(query);
            for (var i = 0u; i < 4u; i++) {
                if i % TEAM == lane && wanted[i] {
                    let key = key_of(all[i], query_sides[query], row_sides[row_at(place + i)]);
                    offer(query, within, place + i, key);
                }
            }
        }
    }
}
