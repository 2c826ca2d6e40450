// Queries against rows: what is bound.

@group(0) @binding(1) var<storage, read> queries: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read> query_sides: array<vec2<u32>>;
@group(1) @binding(0) var<storage, read> rows: array<vec4<u32>>;
@group(1) @binding(1) var<storage, read> row_sides: array<vec2<u32>>;
