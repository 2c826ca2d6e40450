// Up to QUERIES queries against all rows of codes, each of which is read once: an invocation takes four rows. A
// workgroup covers 1,024 places along y and z, and QUERIES queries along x.

@compute @workgroup_size(256)
fn scan(
    @builtin(local_invocation_index) seat: u32,
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    let first_query = group.x * QUERIES;
    let place = vec4<u32>((group.y + group.z * groups.y) * 1024u + seat) + vec4<u32>(0u, 256u, 512u, 768u);
    let wanted = vec4<bool>(is_wanted(place.x), is_wanted(place.y), is_wanted(place.z), is_wanted(place.w));
    // What is not wanted reads the first row, as the invocations beside it do.
    var rows = vec4<u32>();
    for (var i = 0u; i < 4u; i++) {
        if wanted[i] {
            rows[i] = row_start(row_at(place[i]));
        }
    }
    var sums = sums_of(seat, first_query, rows, any(wanted));
    var factors: array<vec4<f32>, 4>;
    for (var i = 0u; i < 4u; i++) {
        factors[i] = factors_of(rows[i]);
    }
    for (var j = 0u; j < QUERIES; j++) {
        let query = first_query + j;
        if query < params.queries {
            let within = window(query);
            for (var i = 0u; i < 4u; i++) {
                if wanted[i] {
                    offer(query, within, place[i], key_of(sums[j][i], query, factors[i]));
                }
            }
        }
    }
}
