// A scan in tiles of rows by queries: the rows and queries flow through shared memory in slices of a few components,
// several slices ahead of the sums, and a block goes on to its next tile without a pause in that flow.
//
// A slice of a row lies in shared memory as 16-byte chunks whose places are exchanged by the row's number, so that eight
// rows at the same chunk, as the matrix units read them and as the copies write them, lie in different banks.
//
// Any grid will do: block b of n takes the tiles b, b + n, ... Tiles are ordered by queries first, in groups of
// `GROUP` query tiles, then by rows, so that blocks that run together read the same rows from the second cache. Their
// number must be below 2^32.
#ifndef ELANUS_TILE
#define ELANUS_TILE
#ifndef ELANUS_QUEUE
#include "queue.cuh"
#endif

constexpr u32 GROUP = 8;

// Where chunk `chunk` of row `row` of a slice lies.
template <u32 SLICE>
INLINE u32 chunk_offset(u32 row, u32 chunk) {
  static_assert(SLICE == 64 || SLICE == 128, "rows of four or eight chunks");
  u32 exchange = SLICE == 128 ? row & 7 : (row >> 1) & 3;
  return row * SLICE + ((chunk ^ exchange) << 4);
}

struct Place {
  u32 query, row;  // the first of the tile
};

template <class Shape>
struct Tiles {
  u32 rows, queries, count;

  INLINE explicit Tiles(const ScanArgs& args)
      : rows(args.count / Shape::ROW_TILE + (args.count % Shape::ROW_TILE != 0)),
        queries((args.query_count + Shape::QUERY_TILE - 1) / Shape::QUERY_TILE),
        count(rows * queries) {}

  INLINE Place place(u32 tile) const {
    u32 group = queries <= GROUP ? 0 : tile / (GROUP * rows);
    u32 width = queries - group * GROUP < GROUP ? queries - group * GROUP : GROUP;
    u32 within = tile - group * GROUP * rows;
    return {(group * GROUP + within % width) * Shape::QUERY_TILE, within / width * Shape::ROW_TILE};
  }
};

// The copies, in the order in which they are needed.
template <class Shape>
struct Flow {
  static constexpr u32 SLICE = Shape::SLICE;
  static constexpr u32 CHUNKS = SLICE / 16;
  static constexpr u32 STEP = THREADS / CHUNKS;  // rows that all threads copy at once
  static constexpr u32 ROW_STEPS = Shape::ROW_TILE / STEP;
  static constexpr u32 QUERY_STEPS = Shape::QUERY_TILE / STEP;
  static constexpr u32 QUERIES_AT = Shape::ROW_TILE * SLICE;
  static constexpr u32 STAGE_BYTES = (Shape::ROW_TILE + Shape::QUERY_TILE) * SLICE;
  static_assert(Shape::ROW_TILE % STEP == 0 && Shape::QUERY_TILE % STEP == 0, "whole steps");

  u32 tile, slice, stage;
  const u8* row;
  const u8* query;
  u32 rows_left, queries_left;  // from this thread's first on
  u32 to;

  INLINE Flow(const ScanArgs& args, const Tiles<Shape>& tiles, u32 first)
      : tile(first), slice(0), stage(0), row(nullptr), query(nullptr), rows_left(0), queries_left(0) {
    u32 own = thread_index() / CHUNKS, chunk = thread_index() % CHUNKS;
    to = shared_memory() + chunk_offset<SLICE>(own, chunk);
    if (tile < tiles.count) enter(args, tiles);
  }

  INLINE void enter(const ScanArgs& args, const Tiles<Shape>& tiles) {
    Place place = tiles.place(tile);
    u32 own = thread_index() / CHUNKS, chunk = thread_index() % CHUNKS;
    u32 i = place.row + own;
    rows_left = i < args.count ? args.count - i : 0;
    // Rows that are not there are not read, but addresses are made from a row that is.
    u64 at = rows_left != 0 ? args.first + (u64)i * args.stride : args.first;
    row = (const u8*)args.rows + at * args.row_bytes + chunk * 16;
    // The buffer has whole tiles of queries.
    query = (const u8*)args.queries + (u64)(place.query + own) * args.row_bytes + chunk * 16;
    // Eight queries are the least that the matrix units take.
    u32 end = (args.query_count + 7) / 8 * 8;
    queries_left = place.query + own < end ? end - place.query - own : 0;
  }

  // Begins the copies of one more slice, if there is one.
  INLINE void advance(const ScanArgs& args, const Tiles<Shape>& tiles, u32 slices) {
    if (tile < tiles.count) {
      u32 byte = slice * SLICE, chunk = thread_index() % CHUNKS;
      bool inside = byte + chunk * 16 < args.row_bytes;
      u64 row_delta = (u64)args.stride * args.row_bytes * STEP, query_delta = (u64)args.row_bytes * STEP;
      u32 at = to + stage * STAGE_BYTES;
      UNROLL for (u32 s = 0; s < ROW_STEPS; s++) {
        bool present = inside && s * STEP < rows_left;
        copy_begin(at + s * STEP * SLICE, present ? row + s * row_delta + byte : (const u8*)args.rows, present);
      }
      UNROLL for (u32 s = 0; s < QUERY_STEPS; s++) {
        bool present = inside && s * STEP < queries_left;
        copy_begin(at + QUERIES_AT + s * STEP * SLICE, present ? query + s * query_delta + byte : (const u8*)args.queries,
                   present);
      }
      stage = stage + 1 == Shape::STAGES ? 0 : stage + 1;
      slice++;
      if (slice == slices) {
        slice = 0;
        u32 next = tile + blocks_x() * blocks_y();
        tile = next < tile ? tiles.count : next;
        if (tile < tiles.count) enter(args, tiles);
      }
    }
    copies_end();
  }
};

// Shared memory of a scan: the stages, a side for each row and query of the tile, the queues.
template <class Shape>
struct Layout {
  static constexpr u32 ROW_SIDES = Shape::STAGES * Flow<Shape>::STAGE_BYTES;
  static constexpr u32 QUERY_SIDES = ROW_SIDES + Shape::ROW_TILE * sizeof(RowSide);
  static constexpr u32 QUEUES = QUERY_SIDES + Shape::QUERY_TILE * sizeof(QuerySide);
  static constexpr u32 BYTES = QUEUES + QUEUES_BYTES;
};

template <class Shape>
INLINE void scan_tiles(const ScanArgs& args) {
  typedef typename Shape::Kind Kind;
  static_assert(Shape::ROW_TILE <= THREADS && Shape::QUERY_TILE <= THREADS, "one thread makes each side");
  const Tiles<Shape> tiles(args);
  const u32 slices = (args.row_bytes + Shape::SLICE - 1) / Shape::SLICE;
  const u32 first = block_y() * blocks_x() + block_x();
  RowSide* row_sides = shared_pointer<RowSide>(Layout<Shape>::ROW_SIDES);
  QuerySide* query_sides = shared_pointer<QuerySide>(Layout<Shape>::QUERY_SIDES);
  Queue<Kind> queue(Layout<Shape>::QUEUES);

  Flow<Shape> flow(args, tiles, first);
  UNROLL for (u32 s = 0; s < Shape::STAGES - 1; s++) flow.advance(args, tiles, slices);
  u32 stage = 0;
  for (u32 tile = first; tile < tiles.count;) {
    Place place = tiles.place(tile);
    RowSide row = {0.0f, 0.0f};
    QuerySide query = {0.0f, 0.0f};
    if (thread_index() < Shape::ROW_TILE) row = row_side<Kind>(args, place.row + thread_index());
    if (thread_index() < Shape::QUERY_TILE) query = query_side<Kind>(args, place.query + thread_index());
    Shape sums(args.query_count - place.query);
    for (u32 slice = 0; slice < slices; slice++) {
      // After the barrier all copies of this stage have arrived, and nobody reads the one before any more.
      copies_wait<Shape::STAGES - 2>();
      block_barrier();
      flow.advance(args, tiles, slices);
      sums.add(shared_memory() + stage * Flow<Shape>::STAGE_BYTES);
      stage = stage + 1 == Shape::STAGES ? 0 : stage + 1;
    }
    // Since the last tile's sides were read, there was a barrier above.
    if (thread_index() < Shape::ROW_TILE) row_sides[thread_index()] = row;
    if (thread_index() < Shape::QUERY_TILE) query_sides[thread_index()] = query;
    block_barrier();
    queue.begin_tile(place.query, place.row);
    sums.read_sides(row_sides, query_sides);
    offer<Kind>(args, queue, sums);
    u32 next = tile + blocks_x() * blocks_y();
    tile = next < tile ? tiles.count : next;
  }
  copies_wait<0>();
}
#endif
