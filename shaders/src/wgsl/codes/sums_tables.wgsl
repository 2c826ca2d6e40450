// Sums of table entries of four-bit product codes. A word of a row is the codes of eight sub-quantizers; an entry has a
// byte for each of four queries, which lie together: sixteen entries for each sub-quantizer, in the order in which the
// codes lie in a word, from the lowest bits.

const QUADS: u32 = QUERIES / 4u;
const GROUP_ENTRIES: u32 = 128u;
const BYTES: u32 = 0x00ff00ffu;

// Every sum of a tile fits 16 bits: it has 128 sub-quantizers at most.
const ROOM: u32 = TILE_WORDS / QUADS / GROUP_ENTRIES;

fn entries_at(at: vec4<u32>) -> vec4<u32> {
    return vec4<u32>(tile[at.x], tile[at.y], tile[at.z], tile[at.w]);
}

fn sums_of(seat: u32, first_query: u32, rows: vec4<u32>, wanted: bool) -> array<vec4<i32>, QUERIES> {
    var sums: array<vec4<i32>, QUERIES>;
    for (var first = 0u; first < params.words; first += ROOM) {
        let count = min(ROOM, params.words - first);
        let line = count * GROUP_ENTRIES;
        load_tile(seat, first_query / 4u, QUADS, (params.queries + 3u) / 4u, first * GROUP_ENTRIES, line);
        workgroupBarrier();
        if wanted {
            // Bytes 0 and 2 of the entries, and bytes 1 and 3.
            var even: array<vec4<u32>, QUADS>;
            var odd: array<vec4<u32>, QUADS>;
            for (var quad = 0u; quad < QUADS; quad++) {
                even[quad] = vec4<u32>();
                odd[quad] = vec4<u32>();
            }
            for (var i = 0u; i < count; i++) {
                let group = words_at(rows, first + i);
                for (var place = 0u; place < 8u; place++) {
                    let code = (group >> vec4<u32>(4u * place)) & vec4<u32>(15u);
                    let at = code + vec4<u32>(i * GROUP_ENTRIES + 16u * place);
                    for (var quad = 0u; quad < QUADS; quad++) {
                        let found = entries_at(at + vec4<u32>(quad * line));
                        even[quad] += found & vec4<u32>(BYTES);
                        odd[quad] += (found >> vec4<u32>(8u)) & vec4<u32>(BYTES);
                    }
                }
            }
            for (var quad = 0u; quad < QUADS; quad++) {
                sums[4u * quad] += vec4<i32>(even[quad] & vec4<u32>(0xffffu));
                sums[4u * quad + 1u] += vec4<i32>(odd[quad] & vec4<u32>(0xffffu));
                sums[4u * quad + 2u] += vec4<i32>(even[quad] >> vec4<u32>(16u));
                sums[4u * quad + 3u] += vec4<i32>(odd[quad] >> vec4<u32>(16u));
            }
        }
        workgroupBarrier();
    }
    return sums;
}
