// Tiles of f32 on the ordinary units, with fused steps: exact products and sums of 24 bits, which the matrix units do
// not have.
//
// A warp takes 64 rows by 32 queries, a lane 8 by 8 of them: rows l % 8 + 8 i and queries l / 8 + 4 j, so that the eight
// chunks that a quarter of the lanes reads lie in different banks, or are one.
#ifndef ELANUS_SIMT
#define ELANUS_SIMT
#ifndef ELANUS_TILE
#include "tile.cuh"
#endif

struct SimtTile {
  typedef Floating Kind;
  static constexpr u32 ROW_TILE = 128, QUERY_TILE = 128, SLICE = 64, STAGES = 3;
  static constexpr u32 ROWS = 8, QUERIES = 8, FIRST_MASK = 1, LAST_MASK = 4;

  float sums[ROWS][QUERIES];
  u32 row_first, query_first;  // of the lane, in the tile
  const RowSide* row_sides;
  const QuerySide* query_sides;

  INLINE explicit SimtTile(u32) : row_sides(nullptr), query_sides(nullptr) {
    UNROLL for (u32 i = 0; i < ROWS; i++) {
      UNROLL for (u32 j = 0; j < QUERIES; j++) sums[i][j] = 0.0f;
    }
    row_first = warp_index() / 4 * 64 + lane_index() % 8;
    query_first = warp_index() % 4 * 32 + lane_index() / 8;
  }

  INLINE void add(SharedAddress stage) {
    SharedAddress rows = stage + row_first * SLICE;
    SharedAddress queries = stage + Flow<SimtTile>::QUERIES_AT + query_first * SLICE;
    u32 row_exchange = row_first >> 1 & 3, query_exchange = query_first >> 1 & 3;
    UNROLL for (u32 chunk = 0; chunk < SLICE / 16; chunk++) {
      Chunk q[QUERIES];
      UNROLL for (u32 j = 0; j < QUERIES; j++) {
        // Four queries on, the exchange differs in its upper bit.
        q[j] = load_shared(queries + j * 4 * SLICE + ((chunk ^ query_exchange ^ (j % 2 * 2)) << 4));
      }
      UNROLL for (u32 i = 0; i < ROWS; i++) {
        Chunk x = load_shared(rows + i * 8 * SLICE + ((chunk ^ row_exchange) << 4));
        UNROLL for (u32 e = 0; e < 4; e++) {
          UNROLL for (u32 j = 0; j < QUERIES; j++) {
            sums[i][j] = fused(float_of_bits(x.word[e]), float_of_bits(q[j].word[e]), sums[i][j]);
          }
        }
      }
    }
  }

  INLINE void read_sides(const RowSide* rows, const QuerySide* queries) {
    row_sides = rows;
    query_sides = queries;
  }
  INLINE u32 row(u32 i) const { return row_first + 8 * i; }
  INLINE u32 query(u32 j) const { return query_first + 4 * j; }
  INLINE RowSide row_side(u32 i) const { return row_sides[row(i)]; }
  INLINE QuerySide query_side(u32 j) const { return query_sides[query(j)]; }
  INLINE float sum(u32 i, u32 j) const { return sums[i][j]; }
};
#endif
