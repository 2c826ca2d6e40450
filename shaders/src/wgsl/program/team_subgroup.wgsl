// Teams add up within a subgroup, which has to be whole and not smaller than a team.

override TEAM: u32 = 8u;

fn total(seat: u32, own: vec4<Sum>) -> vec4<Sum> {
    var all = own;
    for (var distance = TEAM / 2u; distance > 0u; distance /= 2u) {
        all += subgroupShuffleXor(all, distance);
    }
    return all;
}

// Seats follow the subgroups, whatever invocations a device puts into one.
@compute @workgroup_size(256)
fn scan(
    @builtin(subgroup_id) subgroup: u32,
    @builtin(subgroup_size) size: u32,
    @builtin(subgroup_invocation_id) invocation: u32,
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    scan_rows(subgroup * size + invocation, group, groups);
}
