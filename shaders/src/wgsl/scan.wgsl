// Exact scan: a block of queries against a block of rows, one key for each pair.
//
// Both matrices are row-major f32 with `dim` columns. A key is to be minimised whatever the metric:
//   scan_l2      squared Euclidean distance
//   scan_ip      minus the inner product
//   scan_cosine  minus the cosine; 0 where one of the two vectors is all zero
//
// A workgroup computes TILE x TILE keys. It walks along the columns, DEPTH at a time: the 256 invocations bring
// both slices into workgroup memory together (8 KiB, half of what every device grants), then each adds up a
// BLOCK x BLOCK block of keys from it, so that a value is read from workgroup memory once for four products.
// Rows, queries and columns beyond the matrices are read as zero, which adds nothing to any of the sums.
//
// `rows` may be a part of a larger matrix, as devices limit the size of a binding and of a dispatch (65,535
// workgroups along an axis): the key of query q and row r is keys[q * key_stride + key_first + r].

const TILE: u32 = 64u;
const DEPTH: u32 = 16u;
const BLOCK: u32 = 4u;
// Invocations along each side of a workgroup.
const SIDE: u32 = 16u;

const L2: u32 = 0u;
const IP: u32 = 1u;
const COSINE: u32 = 2u;

struct Shape {
    query_count: u32,
    row_count: u32,
    dim: u32,
    key_stride: u32,
    key_first: u32,
}

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> queries: array<f32>;
@group(0) @binding(2) var<storage, read> rows: array<f32>;
@group(0) @binding(3) var<storage, read_write> keys: array<f32>;

// Slices of the two matrices, columns outermost: invocations that stand side by side read neighbours.
var<workgroup> query_slice: array<f32, 1024>;
var<workgroup> row_slice: array<f32, 1024>;

fn query_value(q: u32, column: u32) -> f32 {
    if q < shape.query_count && column < shape.dim {
        return queries[q * shape.dim + column];
    }
    return 0.0;
}

fn row_value(r: u32, column: u32) -> f32 {
    if r < shape.row_count && column < shape.dim {
        return rows[r * shape.dim + column];
    }
    return 0.0;
}

// Both slices have TILE * DEPTH = 1024 values, four for each invocation.
fn load(invocation: u32, first_query: u32, first_row: u32, first_column: u32) {
    for (var i = invocation; i < TILE * DEPTH; i += SIDE * SIDE) {
        let line = i / DEPTH;
        let column = i % DEPTH;
        query_slice[column * TILE + line] = query_value(first_query + line, first_column + column);
        row_slice[column * TILE + line] = row_value(first_row + line, first_column + column);
    }
}

fn four_queries(column: u32, block: u32) -> vec4<f32> {
    let at = column * TILE + block * BLOCK;
    return vec4<f32>(query_slice[at], query_slice[at + 1u], query_slice[at + 2u], query_slice[at + 3u]);
}

fn four_rows(column: u32, block: u32) -> vec4<f32> {
    let at = column * TILE + block * BLOCK;
    return vec4<f32>(row_slice[at], row_slice[at + 1u], row_slice[at + 2u], row_slice[at + 3u]);
}

// One column of four queries against four rows: `sums[j]` belongs to query j.
fn step(metric: u32, q: vec4<f32>, r: vec4<f32>, sums: mat4x4<f32>) -> mat4x4<f32> {
    var grown = sums;
    for (var j = 0u; j < BLOCK; j++) {
        if metric == L2 {
            let difference = r - vec4<f32>(q[j]);
            grown[j] = fma(difference, difference, grown[j]);
        } else {
            grown[j] = fma(r, vec4<f32>(q[j]), grown[j]);
        }
    }
    return grown;
}

fn key(metric: u32, sum: f32, query_square: f32, row_square: f32) -> f32 {
    if metric == L2 {
        return sum;
    }
    if metric == IP {
        return -sum;
    }
    // Two roots: the product of the squares overflows for vectors whose cosine is well defined.
    let lengths = sqrt(query_square) * sqrt(row_square);
    if lengths > 0.0 {
        return -(sum / lengths);
    }
    return 0.0;
}

fn scan(metric: u32, local: vec3<u32>, invocation: u32, group: vec3<u32>) {
    let first_row = group.x * TILE;
    let first_query = group.y * TILE;
    var sums = mat4x4<f32>();
    var query_squares = vec4<f32>();
    var row_squares = vec4<f32>();
    for (var first_column = 0u; first_column < shape.dim; first_column += DEPTH) {
        load(invocation, first_query, first_row, first_column);
        workgroupBarrier();
        for (var column = 0u; column < DEPTH; column++) {
            let q = four_queries(column, local.y);
            let r = four_rows(column, local.x);
            sums = step(metric, q, r, sums);
            if metric == COSINE {
                query_squares = fma(q, q, query_squares);
                row_squares = fma(r, r, row_squares);
            }
        }
        workgroupBarrier();
    }
    for (var j = 0u; j < BLOCK; j++) {
        let q = first_query + local.y * BLOCK + j;
        for (var i = 0u; i < BLOCK; i++) {
            let r = first_row + local.x * BLOCK + i;
            if q < shape.query_count && r < shape.row_count {
                keys[q * shape.key_stride + shape.key_first + r] = key(metric, sums[j][i], query_squares[j], row_squares[i]);
            }
        }
    }
}

@compute @workgroup_size(16, 16)
fn scan_l2(
    @builtin(local_invocation_id) local: vec3<u32>,
    @builtin(local_invocation_index) invocation: u32,
    @builtin(workgroup_id) group: vec3<u32>,
) {
    scan(L2, local, invocation, group);
}

@compute @workgroup_size(16, 16)
fn scan_ip(
    @builtin(local_invocation_id) local: vec3<u32>,
    @builtin(local_invocation_index) invocation: u32,
    @builtin(workgroup_id) group: vec3<u32>,
) {
    scan(IP, local, invocation, group);
}

@compute @workgroup_size(16, 16)
fn scan_cosine(
    @builtin(local_invocation_id) local: vec3<u32>,
    @builtin(local_invocation_index) invocation: u32,
    @builtin(workgroup_id) group: vec3<u32>,
) {
    scan(COSINE, local, invocation, group);
}
