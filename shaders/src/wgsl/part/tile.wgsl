// Sums of 64 queries with 64 rows, in workgroup memory.
//
// The 256 invocations bring four chunks of each query and row there together (10 KiB), then each adds up four queries
// with four rows: those at its own place along either side and each sixteenth after it. Lines of the tiles have one
// chunk to spare, so that invocations side by side read different banks.

const TILE: u32 = 64u;
const SIDE: u32 = 16u;
const DEPTH: u32 = 4u;
const LINE: u32 = 5u;

var<workgroup> query_tile: array<Chunk, 320>;
var<workgroup> row_tile: array<Chunk, 320>;

// The sums of query `local.y + 16 * j` with row `local.x + 16 * i` in component i of member j.
struct Sums {
    a: vec4<Sum>,
    b: vec4<Sum>,
    c: vec4<Sum>,
    d: vec4<Sum>,
}

fn step_four(sums: vec4<Sum>, q: Chunk, a: Chunk, b: Chunk, c: Chunk, d: Chunk) -> vec4<Sum> {
    return vec4<Sum>(step(sums.x, q, a), step(sums.y, q, b), step(sums.z, q, c), step(sums.w, q, d));
}

// What lies beyond the queries, the places or the width is 0, which adds nothing to any sum.
fn load(invocation: u32, first_query: u32, first_place: u32, first_column: u32) {
    let columns = DEPTH / PARTS;
    for (var i = invocation; i < TILE * columns; i += SIDE * SIDE) {
        let line = i / columns;
        let column = first_column + i % columns;
        var from_query = vec4<u32>();
        var from_row = vec4<u32>();
        if column < params.width {
            if first_query + line < params.queries {
                from_query = queries[(first_query + line) * params.width + column];
            }
            if first_place + line < params.places {
                from_row = rows[row_at(first_place + line) * params.width + column];
            }
        }
        let at = line * LINE + (i % columns) * PARTS;
        for (var part = 0u; part < PARTS; part++) {
            query_tile[at + part] = decode(from_query, part);
            row_tile[at + part] = decode(from_row, part);
        }
    }
}

fn tile_sums(local: vec3<u32>, invocation: u32, first_query: u32, first_place: u32) -> Sums {
    var sums = Sums();
    for (var column = 0u; column < params.width; column += DEPTH / PARTS) {
        load(invocation, first_query, first_place, column);
        workgroupBarrier();
        for (var i = 0u; i < DEPTH; i++) {
            let q = local.y * LINE + i;
            let x = local.x * LINE + i;
            let a = row_tile[x];
            let b = row_tile[x + 80u];
            let c = row_tile[x + 160u];
            let d = row_tile[x + 240u];
            sums.a = step_four(sums.a, query_tile[q], a, b, c, d);
            sums.b = step_four(sums.b, query_tile[q + 80u], a, b, c, d);
            sums.c = step_four(sums.c, query_tile[q + 160u], a, b, c, d);
            sums.d = step_four(sums.d, query_tile[q + 240u], a, b, c, d);
        }
        workgroupBarrier();
    }
    return sums;
}
