// Teams add up by way of workgroup memory.

override TEAM: u32 = 8u;

var<workgroup> partial: array<vec4<Sum>, 256>;

fn total(seat: u32, own: vec4<Sum>) -> vec4<Sum> {
    partial[seat] = own;
    workgroupBarrier();
    let first = seat - seat % TEAM;
    var all = vec4<Sum>();
    for (var i = 0u; i < TEAM; i++) {
        all += partial[first + i];
    }
    workgroupBarrier();
    return all;
}

@compute @workgroup_size(256)
fn scan(
    @builtin(local_invocation_index) seat: u32,
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    scan_rows(seat, group, groups);
}
