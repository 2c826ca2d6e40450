// Scans over codes: what the kinds of codes have in common.
//
// Rows lie in tiles of 32, one for each lane of a warp. A tile is a sequence of units, of which each lane has one or a
// few chunks of sixteen bytes: a chunk of all 32 rows stands together, so that a load of a warp is 512 bytes in a row.
// Behind the units are the factors, each of all 32 rows. For a unit of codes a query has a *piece*, as many bytes for
// each unit. Pieces of up to eight queries are kept in shared memory, all of them where they fit; otherwise the block
// goes through slices of the units, and its threads keep the sums of their rows meanwhile.
//
// A row that is filtered out is not read.
#ifndef ELANUS_CODES
#define ELANUS_CODES
#ifndef ELANUS_KEYS
#include "keys.cuh"
#endif

constexpr u32 CODES_THREADS = 256;
constexpr u32 CODES_TILE = 32;
constexpr u32 CODES_CHUNK_BYTES = CODES_TILE * 16;  // one chunk of all rows of a tile
constexpr u32 CODES_PIECES = 32768;                 // shared memory for the pieces
constexpr u32 CODES_QUERIES = 8;

// What a block keeps of each query besides.
struct CodesQuery {
  u64 lower, bound;
  CodesTerms terms;
};

constexpr u32 CODES_BYTES = CODES_PIECES + CODES_QUERIES * sizeof(CodesQuery);
static_assert(CODES_BYTES == 33152, "as the host's table has it");

// Which queries a block has in hand: `left` of a group of more.
struct CodesGroup {
  u32 first, left;
};

template <u32 N>
INLINE void read_queries(const CodesArgs& args, const CodesGroup& group) {
  CodesQuery* queries = shared_pointer<CodesQuery>(CODES_PIECES);
  if (thread_index() < N) {
    // No key is below a bound of 0.
    CodesQuery query = {0, 0, {{0.0f, 0.0f, 0.0f, 0.0f, 0.0f, 0.0f, 0.0f, 0.0f}}};
    if (thread_index() < group.left) {
      u32 place = group.first + thread_index();
      query = {args.lower[place], args.bound[place], args.terms[place]};
    }
    queries[thread_index()] = query;
  }
}

// Copies the pieces of units `first` to `first + count`: those of a unit stand together, one for each query.
template <u32 N>
INLINE void copy_pieces(const CodesArgs& args, const CodesGroup& group, u32 piece, u32 first, u32 count) {
  u32 parts = piece / 16, all = count * N * parts;
  Chunk* to = shared_pointer<Chunk>(0);
  ROLLED for (u32 i = thread_index(); i < all; i += CODES_THREADS) {
    u32 part = i % parts, query = i / parts % N, unit = i / parts / N;
    Chunk chunk = {{0, 0, 0, 0}};
    if (query < group.left) {
      const u8* from = (const u8*)args.queries + (u64)(group.first + query) * args.query_bytes;
      chunk = load_near(from + (first + unit) * piece + part * 16);
    }
    to[i] = chunk;
  }
}

// Adds units `first` to `first + count` of a row, whose pieces are in shared memory.
template <class Kind, u32 N>
INLINE void add_units(const CodesArgs& args, typename Kind::template Sums<N>& sums, const u8* row, bool admitted,
                      u32 first, u32 count) {
  // With several queries there is more to do meanwhile.
  constexpr u32 AHEAD = N == 1 ? Kind::AHEAD : Kind::AHEAD_OF_MANY;
  u32 step = N * Kind::piece(args);
  ROLLED for (u32 unit = 0; unit < count; unit += AHEAD) {
    Chunk x[AHEAD][Kind::CHUNKS];
    UNROLL for (u32 h = 0; h < AHEAD; h++) {
      UNROLL for (u32 c = 0; c < Kind::CHUNKS; c++) {
        x[h][c] = {{0, 0, 0, 0}};
        u64 place = (u64)(first + unit + h) * Kind::CHUNKS + c;
        if (admitted && unit + h < count) x[h][c] = load_streamed(row + place * CODES_CHUNK_BYTES);
      }
    }
    UNROLL for (u32 h = 0; h < AHEAD; h++) {
      if (unit + h < count) sums.add(args, x[h], (unit + h) * step);
    }
  }
}

// Appends a warp's rows to the candidates of a query, with one atomic addition.
INLINE void append(const CodesArgs& args, u32 query, u64 packed, bool real) {
  u32 peers = warp_ballot(real);
  if (peers == 0) return;
  u32 before = ones(peers & ((1u << lane_index()) - 1)), leader = ones((peers & (0u - peers)) - 1);
  u32 at = 0;
  if (lane_index() == leader) at = atomic_add(args.counts + query, ones(peers));
  at = warp_take(at, leader) + before;
  if (real && at < args.capacity) args.candidates[(u64)query * args.capacity + at] = packed;
}

template <class Kind, u32 N>
INLINE void codes_group(const CodesArgs& args, const CodesGroup& group) {
  read_queries<N>(args, group);
  const u32 slice = CODES_PIECES / (N * Kind::piece(args));
  bool filled = false;
  const CodesQuery* queries = shared_pointer<CodesQuery>(CODES_PIECES);
  u32 steps = args.count / CODES_THREADS + (args.count % CODES_THREADS != 0);
  ROLLED for (u32 step = block_x(); step < steps;) {
    u32 i = step * CODES_THREADS + thread_index();
    bool admitted = i < args.count;
    u32 row = args.first + (admitted ? i : 0) * args.stride;
    if (args.keep != nullptr) admitted = admitted && (args.keep[row / 32] >> (row % 32) & 1) != 0;
    const u8* tile = (const u8*)args.tiles + (u64)(row / CODES_TILE) * args.tile_bytes;
    const bool some = warp_any(admitted);
    typename Kind::template Sums<N> sums;
    sums.clear();
    ROLLED for (u32 first = 0; first < args.units; first += slice) {
      u32 count = args.units - first < slice ? args.units - first : slice;
      if (!filled) {
        // Those of the slice before are in use no more.
        block_barrier();
        Kind::template fill<N>(args, group, first, count);
        block_barrier();
        // Where all fit they stay.
        filled = args.units <= slice;
      }
      if (some) add_units<Kind, N>(args, sums, tile + row % CODES_TILE * 16, admitted, first, count);
    }
    if (some) {
      const float* own = (const float*)(tile + (u64)args.units * Kind::CHUNKS * CODES_CHUNK_BYTES) + row % CODES_TILE;
      float factors[3];
      UNROLL for (u32 f = 0; f < 3; f++) factors[f] = admitted && f < args.factors ? own[f * CODES_TILE] : 0.0f;
      ROLLED for (u32 q = 0; q < N; q++) {
        float key = Kind::key(args, queries[q].terms, sums.take(), factors);
        u64 packed = pack(key, row);
        bool real = admitted && key == key && packed >= queries[q].lower && packed < queries[q].bound;
        append(args, group.first + q, packed, real);
      }
    }
    step = steps - step > blocks_x() ? step + blocks_x() : steps;
  }
}

// Any number of blocks side by side will do, and one above the other for each group of queries.
template <class Kind>
INLINE void scan_codes(const CodesArgs& args) {
  CodesGroup group = {block_y() * Kind::QUERIES, 0};
  if (group.first >= args.query_count) return;
  group.left = args.query_count - group.first;
  if (group.left == 1) {
    codes_group<Kind, 1>(args, group);
  } else {
    codes_group<Kind, Kind::QUERIES>(args, group);
  }
}
#endif
