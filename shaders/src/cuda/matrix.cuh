// Tiles on the matrix units: rows are the 16 lines of a product, queries its 8 columns.
//
// Of a product's sums, lane l holds rows l / 4 and l / 4 + 8 with queries 2 (l % 4) and the next; so lanes that differ
// in bits 2 to 4 have the same queries. Operands come by `load_matrices`: the four matrices of the rows' operand are
// rows 0 to 7 and 8 to 15 at the first sixteen bytes, then both at the next sixteen; of the queries' operand, two
// products wide, queries 0 to 7 at both, then 8 to 15. A 32-byte step has 16 halves or 32 bytes of each vector, and both
// kinds of products find them in the same lanes.
#ifndef ELANUS_MATRIX
#define ELANUS_MATRIX
#ifndef ELANUS_TILE
#include "tile.cuh"
#endif

struct MatrixBf16 : Floating {
  static INLINE void multiply(float (&sum)[4], const u32 (&a)[4], u32 b0, u32 b1) { multiply_bf16(sum, a, b0, b1); }
};
struct MatrixF16 : Floating {
  static INLINE void multiply(float (&sum)[4], const u32 (&a)[4], u32 b0, u32 b1) { multiply_f16(sum, a, b0, b1); }
};
struct MatrixI8 : Bytes {
  static INLINE void multiply(i32 (&sum)[4], const u32 (&a)[4], u32 b0, u32 b1) { multiply_i8(sum, a, b0, b1); }
};

// `FEW`: where there is a single column of queries, the others are left out.
template <class KindOf, u32 ROWS_OF_TILE, u32 QUERIES_OF_TILE, u32 WARP_ROWS, u32 WARP_QUERIES, u32 SLICE_BYTES,
          u32 STAGE_COUNT, bool FEW>
struct MatrixTile {
  typedef KindOf Kind;
  static constexpr u32 ROW_TILE = ROWS_OF_TILE, QUERY_TILE = QUERIES_OF_TILE, SLICE = SLICE_BYTES, STAGES = STAGE_COUNT;
  static constexpr u32 LINES = WARP_ROWS / 16, COLUMNS = WARP_QUERIES / 8;
  static_assert(ROW_TILE / WARP_ROWS * (QUERY_TILE / WARP_QUERIES) == WARPS, "a part for each warp");
  static_assert(COLUMNS % 2 == 0, "queries are loaded by two columns");
  // As `offer` sees it.
  static constexpr u32 ROWS = 2 * LINES, QUERIES = 2 * COLUMNS, FIRST_MASK = 4, LAST_MASK = 16;

  typename Kind::Sum sums[LINES][COLUMNS][4];
  u32 columns_present;
  u32 row_first, query_first;  // of the warp, in the tile
  const RowSide* row_sides;
  const QuerySide* query_sides;

  INLINE explicit MatrixTile(u32 queries_left) : row_sides(nullptr), query_sides(nullptr) {
    UNROLL for (u32 m = 0; m < LINES; m++) {
      UNROLL for (u32 n = 0; n < COLUMNS; n++) {
        UNROLL for (u32 e = 0; e < 4; e++) sums[m][n][e] = 0;
      }
    }
    row_first = warp_index() / (QUERY_TILE / WARP_QUERIES) * WARP_ROWS;
    query_first = warp_index() % (QUERY_TILE / WARP_QUERIES) * WARP_QUERIES;
    columns_present = queries_left >= WARP_QUERIES ? COLUMNS : (queries_left + 7) / 8;
  }

  // A choice for the whole slice: one for each product would cost more than the products.
  INLINE void add(SharedAddress stage) {
    if (FEW && columns_present == 1) {
      add_columns<1>(stage);
    } else {
      add_columns<COLUMNS>(stage);
    }
  }

  template <u32 PRESENT>
  INLINE void add_columns(SharedAddress stage) {
    u32 lane = lane_index();
    SharedAddress rows = stage + chunk_offset<SLICE>(row_first + (lane & 15), lane >> 4);
    SharedAddress queries = stage + Flow<MatrixTile>::QUERIES_AT +
                            chunk_offset<SLICE>(query_first + (lane & 7) + (lane >> 4 << 3), lane >> 3 & 1);
    UNROLL for (u32 step = 0; step < SLICE / 32; step++) {
      u32 a[LINES][4], b[(PRESENT + 1) / 2][4];
      // Sixteen rows on, and two chunks on, the exchange of chunks is the same.
      UNROLL for (u32 m = 0; m < LINES; m++) load_matrices(a[m], (rows + m * 16 * SLICE) ^ (step << 5));
      UNROLL for (u32 n = 0; n < (PRESENT + 1) / 2; n++) {
        load_matrices(b[n], (queries + n * 16 * SLICE) ^ (step << 5));
      }
      UNROLL for (u32 n = 0; n < PRESENT; n++) {
        UNROLL for (u32 m = 0; m < LINES; m++) {
          Kind::multiply(sums[m][n], a[m], b[n / 2][n % 2 * 2], b[n / 2][n % 2 * 2 + 1]);
        }
      }
    }
  }

  INLINE void read_sides(const RowSide* rows, const QuerySide* queries) {
    row_sides = rows;
    query_sides = queries;
  }
  INLINE u32 row(u32 i) const { return row_first + i / 2 * 16 + i % 2 * 8 + lane_index() / 4; }
  INLINE u32 query(u32 j) const { return query_first + j / 2 * 8 + lane_index() % 4 * 2 + j % 2; }
  INLINE RowSide row_side(u32 i) const { return row_sides[row(i)]; }
  INLINE QuerySide query_side(u32 j) const { return query_sides[query(j)]; }
  INLINE typename Kind::Sum sum(u32 i, u32 j) const { return sums[i / 2][j / 2][i % 2 * 2 + j % 2]; }
};
#endif
