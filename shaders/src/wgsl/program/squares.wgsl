// The side of each row: what keys need of it alone. An invocation takes one row.

@group(0) @binding(1) var<storage, read> rows: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read_write> sides: array<vec2<u32>>;

@compute @workgroup_size(256)
fn squares(
    @builtin(local_invocation_index) invocation: u32,
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    let row = (group.x + group.z * groups.x) * 256u + invocation;
    if row >= params.places {
        return;
    }
    var sums = Chunk();
    for (var column = 0u; column < params.width; column++) {
        for (var part = 0u; part < PARTS; part++) {
            sums = add_squares(sums, decode(rows[row * params.width + column], part));
        }
    }
    sides[row] = side_of(sums);
}
