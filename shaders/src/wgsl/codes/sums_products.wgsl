// Sums of products of codes with queries. A group of GROUP_WORDS words of a row belongs to QUERY_WORDS words of a
// query.

fn sums_of(seat: u32, first_query: u32, rows: vec4<u32>, wanted: bool) -> array<vec4<i32>, QUERIES> {
    var sums: array<vec4<i32>, QUERIES>;
    let room = TILE_WORDS / QUERIES / QUERY_WORDS;
    let groups = params.words / GROUP_WORDS;
    for (var first = 0u; first < groups; first += room) {
        let count = min(room, groups - first);
        let line = count * QUERY_WORDS;
        load_tile(seat, first_query, QUERIES, params.queries, first * QUERY_WORDS, line);
        workgroupBarrier();
        if wanted {
            for (var i = 0u; i < count; i++) {
                let group = unpack_group(rows, (first + i) * GROUP_WORDS);
                for (var j = 0u; j < QUERIES; j++) {
                    sums[j] = step(sums[j], group, j * line + i * QUERY_WORDS);
                }
            }
        }
        workgroupBarrier();
    }
    return sums;
}
