// The k smallest candidates of each query, by a bitonic sort of all of them in 16 KiB of workgroup memory. A workgroup
// takes one query.

@group(0) @binding(6) var<storage, read_write> selected: array<vec2<u32>>;

var<workgroup> ids: array<u32, 2048>;
var<workgroup> orders: array<u32, 2048>;

fn exchange(pair: u32, run: u32, distance: u32) {
    let first = 2u * pair - (pair & (distance - 1u));
    let second = first + distance;
    let a = vec2<u32>(ids[first], orders[first]);
    let b = vec2<u32>(ids[second], orders[second]);
    let rises = (first & run) == 0u;
    if less(b, a) == rises {
        ids[first] = b.x;
        orders[first] = b.y;
        ids[second] = a.x;
        orders[second] = a.y;
    }
}

@compute @workgroup_size(256)
fn smallest(
    @builtin(local_invocation_index) invocation: u32,
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    let query = group.x + group.z * groups.x;
    if query >= params.queries {
        return;
    }
    if invocation == 0u {
        ids[0] = atomicLoad(&states[query].count);
    }
    // All invocations have the same number, and have read it before the place is written again.
    let offered = workgroupUniformLoad(&ids[0]);
    let count = min(offered, CAPACITY);
    var size = 2u;
    while size < count {
        size *= 2u;
    }
    for (var i = invocation; i < size; i += 256u) {
        var candidate = vec2<u32>(0xffffffffu, 0xffffffffu);
        if i < count {
            candidate = candidates[query * CAPACITY + i];
        }
        ids[i] = candidate.x;
        orders[i] = candidate.y;
    }
    workgroupBarrier();
    if count >= params.k {
        for (var run = 2u; run <= size; run *= 2u) {
            for (var distance = run / 2u; distance > 0u; distance /= 2u) {
                for (var pair = invocation; pair < size / 2u; pair += 256u) {
                    exchange(pair, run, distance);
                }
                workgroupBarrier();
            }
        }
    }
    let kept = min(count, params.k);
    if params.sample == 0u {
        for (var i = invocation; i < kept; i += 256u) {
            let one = vec2<u32>(ids[i], orders[i]);
            candidates[query * CAPACITY + i] = one;
            selected[query * params.k + i] = one;
        }
    }
    if invocation == 0u {
        if count >= params.k {
            var bound = vec2<u32>(ids[params.k - 1u], orders[params.k - 1u]);
            // What is forgotten has to be found again, the last one included.
            if params.sample == 1u {
                bound.x += 1u;
                bound.y += select(0u, 1u, bound.x == 0u);
            }
            states[query].bound = bound;
        }
        if params.sample == 1u {
            atomicStore(&states[query].count, 0u);
        } else {
            atomicStore(&states[query].count, kept);
            states[query].kept = kept;
            if offered > CAPACITY {
                states[query].overflowed = 1u;
            }
        }
    }
}
