// A scan for few queries that reads rows straight from memory into registers: no barrier, no shared memory but the
// queues, and each row's bytes used for all queries of a group at once.
//
// Eight lanes share a row, 128 bytes at a time, and each four rows; so a warp has sixteen rows in hand. Queries are read
// through the first cache, where they stay, by all lanes alike. At the end the eight partial sums of each pair are
// added, half of the queries going each way in each step, so that a lane is left with an eighth of them.
#ifndef ELANUS_DIRECT
#define ELANUS_DIRECT
#ifndef ELANUS_QUEUE
#include "queue.cuh"
#endif

constexpr u32 DIRECT_QUERIES = 16;  // of a group
constexpr u32 DIRECT_ROWS = 16;     // of a warp
constexpr u32 DIRECT_WARPS = 4;
constexpr u32 DIRECT_BYTES = DIRECT_WARPS * QUEUE_PAIRS * sizeof(Pair);

struct Products : Floating {
  INLINE explicit Products(u32) {}

  INLINE float add(float sum, const Chunk& query, const Chunk& row) const {
    UNROLL for (u32 e = 0; e < 4; e++) sum = fused(float_of_bits(query.word[e]), float_of_bits(row.word[e]), sum);
    return sum;
  }
};

// Exclusive or, or what both have: one operation of three inputs, the third being the choice.
struct Counts : Bits {
  u32 choice;

  INLINE explicit Counts(u32 metric) : choice(metric == HAMMING ? 0xffffffffu : 0) {}

  INLINE u32 add(u32 sum, const Chunk& query, const Chunk& row) const {
    UNROLL for (u32 e = 0; e < 4; e++) {
      u32 q = query.word[e], x = row.word[e];
      sum += ones(((q ^ x) & choice) | (q & x & ~choice));
    }
    return sum;
  }
};

// The sums a lane is left with, as `offer` sees them; all of a warp have the same rows' numbers modulo 4.
template <class Kind, u32 ROWS_OF_LANE, u32 QUERIES_OF_LANE, u32 FIRST>
struct DirectTile {
  static constexpr u32 ROWS = ROWS_OF_LANE, QUERIES = QUERIES_OF_LANE, FIRST_MASK = FIRST, LAST_MASK = 16;
  typename Kind::Sum sums[ROWS][QUERIES];
  RowSide row_sides[ROWS];
  QuerySide query_sides[QUERIES];
  u32 row_first, query_first;

  INLINE u32 row(u32 i) const { return row_first + 4 * i; }
  INLINE u32 query(u32 j) const { return query_first + j; }
  INLINE RowSide row_side(u32 i) const { return row_sides[i]; }
  INLINE QuerySide query_side(u32 j) const { return query_sides[j]; }
  INLINE typename Kind::Sum sum(u32 i, u32 j) const { return sums[i][j]; }
};

// One step of the addition: lanes that differ in `mask` exchange halves of `2 * WIDTH` queries.
template <u32 WIDTH, class Sum, u32 N>
INLINE void halve(Sum (&sums)[4][N], u32 mask) {
  bool upper = (lane_index() & mask) != 0;
  UNROLL for (u32 r = 0; r < 4; r++) {
    UNROLL for (u32 j = 0; j < WIDTH; j++) {
      Sum sent = upper ? sums[r][j] : sums[r][j + WIDTH];
      Sum kept = upper ? sums[r][j + WIDTH] : sums[r][j];
      sums[r][j] = kept + warp_swap(sent, mask);
    }
  }
}

// What a group of up to `N` queries keeps for all rows: the sides of the queries whose sums a lane is left with.
template <class Kind, u32 N>
struct DirectQueries {
  static constexpr u32 OF_LANE = N < 8 ? 1 : N / 8;
  u32 first;
  QuerySide sides[OF_LANE];

  static INLINE u32 place() { return N < 8 ? 0 : lane_index() % 8 * OF_LANE; }

  INLINE void read(const ScanArgs& args) {
    UNROLL for (u32 j = 0; j < OF_LANE; j++) sides[j] = query_side<Kind>(args, first + place() + j);
  }
};

// The partial sums of sixteen rows; `AHEAD` chunks of each row are asked for together.
template <class Kind, u32 N, u32 AHEAD>
INLINE void direct_sums(const ScanArgs& args, u32 query_first, u32 row_first, typename Kind::Sum (&sums)[4][N]) {
  u32 lane = lane_index() % 8, group = lane_index() / 8, chunks = args.row_bytes / 16;
  const u8* rows[4];
  UNROLL for (u32 r = 0; r < 4; r++) {
    u32 i = row_first + group + 4 * r;
    // Where there is no row, the first one stands in and is not admitted.
    u64 at = i < args.count ? args.first + (u64)i * args.stride : args.first;
    rows[r] = (const u8*)args.rows + at * args.row_bytes;
  }
  const u8* queries = (const u8*)args.queries + (u64)query_first * args.row_bytes;
  const Kind kind(args.metric);
  UNROLL for (u32 r = 0; r < 4; r++) {
    UNROLL for (u32 j = 0; j < N; j++) sums[r][j] = 0;
  }
  for (u32 start = lane; start < chunks; start += 8 * AHEAD) {
    Chunk x[AHEAD][4];
    UNROLL for (u32 h = 0; h < AHEAD; h++) {
      // A chunk that is not there is as one of zeros.
      UNROLL for (u32 r = 0; r < 4; r++) {
        x[h][r] = {{0, 0, 0, 0}};
        if (start + 8 * h < chunks) x[h][r] = load_streamed(rows[r] + (start + 8 * h) * 16);
      }
    }
    UNROLL for (u32 h = 0; h < AHEAD; h++) {
      if (start + 8 * h < chunks) {
        UNROLL for (u32 j = 0; j < N; j++) {
          Chunk q = load_near(queries + (u64)j * args.row_bytes + (start + 8 * h) * 16);
          UNROLL for (u32 r = 0; r < 4; r++) sums[r][j] = kind.add(sums[r][j], q, x[h][r]);
        }
      }
    }
  }
}

// Sixteen rows with up to `N` queries.
template <class Kind, u32 N, u32 AHEAD>
INLINE void direct_rows(const ScanArgs& args, Queue<Kind>& queue, const DirectQueries<Kind, N>& queries, u32 row_first) {
  u32 lane = lane_index() % 8, group = lane_index() / 8;
  typename Kind::Sum sums[4][N];
  direct_sums<Kind, N, AHEAD>(args, queries.first, row_first, sums);
  queue.begin_tile(queries.first, row_first);
  if constexpr (N == 1) {
    DirectTile<Kind, 1, 1, 1> tile;
    UNROLL for (u32 r = 0; r < 4; r++) {
      UNROLL for (u32 mask = 1; mask <= 4; mask *= 2) sums[r][0] += warp_swap(sums[r][0], mask);
    }
    // Of the eight lanes the first four take a row each; the others have the last one too, and do not offer it.
    tile.sums[0][0] = lane == 0 ? sums[0][0] : lane == 1 ? sums[1][0] : lane == 2 ? sums[2][0] : sums[3][0];
    tile.row_first = group + 4 * (lane < 3 ? lane : 3);
    tile.query_first = 0;
    tile.row_sides[0] = {0.0f, not_a_number()};
    if (lane < 4 || args.mode == STORE) tile.row_sides[0] = row_side<Kind>(args, row_first + tile.row_first);
    tile.query_sides[0] = queries.sides[0];
    offer<Kind>(args, queue, tile);
  } else {
    halve<N / 2>(sums, 4);
    halve<N / 4>(sums, 2);
    halve<N / 8>(sums, 1);
    DirectTile<Kind, 4, N / 8, 8> tile;
    tile.row_first = group;
    tile.query_first = queries.place();
    UNROLL for (u32 r = 0; r < 4; r++) {
      tile.row_sides[r] = row_side<Kind>(args, row_first + tile.row(r));
      UNROLL for (u32 j = 0; j < N / 8; j++) tile.sums[r][j] = sums[r][j];
    }
    UNROLL for (u32 j = 0; j < N / 8; j++) tile.query_sides[j] = queries.sides[j];
    offer<Kind>(args, queue, tile);
  }
}

template <class Kind, u32 N, u32 AHEAD>
INLINE void direct_group(const ScanArgs& args, Queue<Kind>& queue, u32 query_first, u32 own, u32 warps) {
  DirectQueries<Kind, N> queries;
  queries.first = query_first;
  queries.read(args);
  u32 steps = args.count / DIRECT_ROWS + (args.count % DIRECT_ROWS != 0);
  for (u32 step = own; step < steps;) {
    // The bound falls meanwhile.
    if (args.mode == NEAREST) queries.read(args);
    direct_rows<Kind, N, AHEAD>(args, queue, queries, step * DIRECT_ROWS);
    step = steps - step > warps ? step + warps : steps;
  }
}

// Any grid of fewer than 2^29 blocks will do: their warps share the rows, and neighbors take other queries of the same.
template <class Kind>
INLINE void scan_direct(const ScanArgs& args) {
  Queue<Kind> queue(0);
  u32 groups = (args.query_count + DIRECT_QUERIES - 1) / DIRECT_QUERIES, warps = blocks_x() * blocks_y() * DIRECT_WARPS;
  u32 own = (block_y() * blocks_x() + block_x()) * DIRECT_WARPS + warp_index();
  for (u32 group = own % groups; group < groups;) {
    u32 query_first = group * DIRECT_QUERIES, left = args.query_count - query_first;
    u32 fellows = warps < groups ? 1 : (warps - group + groups - 1) / groups, place = warps < groups ? 0 : own / groups;
    if (left == 1) {
      direct_group<Kind, 1, 4>(args, queue, query_first, place, fellows);
    } else if (left <= 8) {
      direct_group<Kind, 8, 2>(args, queue, query_first, place, fellows);
    } else {
      direct_group<Kind, 16, 1>(args, queue, query_first, place, fellows);
    }
    group = groups - group > warps ? group + warps : groups;
  }
}
#endif
