// From the few pairs that are not rejected to candidates: each warp collects them in shared memory, and whenever the
// queue could run over makes their keys, a pair a lane, and appends what is below the bound with one atomic addition
// for each query among the 32. So the code for keys, with its roots and divisions, is there once, and the wait for an
// atomic is shared by all pairs of a warp's tile.
#ifndef ELANUS_QUEUE
#define ELANUS_QUEUE
#ifndef ELANUS_KEYS
#include "keys.cuh"
#endif

struct Pair {
  // The sum or the rough number, as the kind wants it.
  u32 carried;
  // The place in the tile: of the query above, of the row below.
  u32 place;
};

constexpr u32 QUEUE_PAIRS = 256;
constexpr u32 WARPS = 8;
constexpr u32 THREADS = 32 * WARPS;
constexpr u32 QUEUES_BYTES = WARPS * QUEUE_PAIRS * sizeof(Pair);

template <class Kind>
struct Queue {
  Pair* pairs;  // of this warp
  u32 count;    // the same in all lanes
  u32 query_first, row_first;  // of the tile

  INLINE explicit Queue(u32 shared_offset)
      : pairs(shared_pointer<Pair>(shared_offset) + warp_index() * QUEUE_PAIRS), count(0), query_first(0), row_first(0) {}

  INLINE void begin_tile(u32 query, u32 row) {
    query_first = query;
    row_first = row;
  }

  // Takes the pairs of a query with up to fifteen rows a lane, those whose rough number is within the limit, or all;
  // or says that they do not fit.
  template <class Tile>
  INLINE bool take(const Tile& tile, u32 j, const float (&rough)[Tile::ROWS], float limit, bool all) {
    static_assert(Tile::ROWS * 32 <= QUEUE_PAIRS, "what one query offers must fit");
    u32 own = 0, before = 0, total = 0;
    UNROLL for (u32 i = 0; i < Tile::ROWS; i++) own += all || rough[i] <= limit ? 1 : 0;
    UNROLL for (u32 bit = 0; bit < 4; bit++) {
      u32 ballot = warp_ballot((own >> bit & 1) != 0);
      before += ones(ballot & ((1u << lane_index()) - 1)) << bit;
      total += ones(ballot) << bit;
    }
    if (count + total > QUEUE_PAIRS) return false;
    Pair* to = pairs + count + before;
    UNROLL for (u32 i = 0; i < Tile::ROWS; i++) {
      if (all || rough[i] <= limit) *to++ = {Kind::carried(tile.sum(i, j), rough[i]), tile.query(j) << 16 | tile.row(i)};
    }
    count += total;
    return true;
  }

  // Makes the keys of all pairs and hands them over.
  INLINE void drain(const ScanArgs& args) {
    warp_barrier();
    for (u32 start = 0; start < count; start += 32) {
      Pair pair = pairs[start + lane_index() < count ? start + lane_index() : start];
      u32 query = query_first + (pair.place >> 16), i = row_first + (pair.place & 0xffff);
      bool real = start + lane_index() < count && query < args.query_count && i < args.count;
      if (args.mode == STORE) {
        if (real) {
          float key = Kind::key(args, query, args.first + i * args.stride, pair.carried);
          args.keys[query * args.key_stride + i] = key + 0.0f;
        }
        continue;
      }
      u64 packed = 0;
      if (real) {
        u32 row = args.first + i * args.stride;
        float key = Kind::key(args, query, row, pair.carried);
        packed = pack(key, row);
        bool above = args.mode == NEAREST || packed >= args.lower[query];
        real = key == key && above && packed < load_changing(args.bound + query);
      }
      if (args.mode == NEAREST) {
        if (real) atomic_min(args.bound + query, packed);
        continue;
      }
      u32 peers = warp_equal(real ? query : 0xffffffffu), before = ones(peers & ((1u << lane_index()) - 1));
      u32 at = 0;
      if (real && before == 0) at = atomic_add(args.counts + query, ones(peers));
      at = warp_take(at, leading_lane(peers)) + before;
      if (real && at < args.capacity) args.candidates[(u64)query * args.capacity + at] = packed;
    }
    warp_barrier();
    count = 0;
  }

  static INLINE u32 leading_lane(u32 lanes) { return ones((lanes & (0u - lanes)) - 1); }
};

// Offers all pairs that a warp holds, and drains the queue. A tile has `QUERIES` by `ROWS` sums a lane; lanes whose numbers differ in the bits
// from `FIRST_MASK` to `LAST_MASK` alone hold other rows of the same queries.
template <class Kind, class Tile>
INLINE void offer(const ScanArgs& args, Queue<Kind>& queue, const Tile& tile) {
  const bool store = args.mode == STORE, refine = Kind::REFINES && args.mode == NEAREST;
  RowSide rows[Tile::ROWS];
  UNROLL for (u32 i = 0; i < Tile::ROWS; i++) rows[i] = tile.row_side(i);
  // Whenever the queue is full it is drained, here and nowhere else, and the queries that are left have another turn.
  u32 taken = 0;
  bool full;
  do {
    full = false;
    UNROLL for (u32 j = 0; j < Tile::QUERIES; j++) {
      QuerySide side = tile.query_side(j);
      float rough[Tile::ROWS], least = infinity();
      UNROLL for (u32 i = 0; i < Tile::ROWS; i++) {
        rough[i] = Kind::rough(tile.sum(i, j), rows[i], side);
        least = smaller(least, rough[i]);
      }
      if (refine) {
        float all = least;
        UNROLL for (u32 mask = Tile::FIRST_MASK; mask <= Tile::LAST_MASK; mask *= 2) {
          all = smaller(all, warp_swap(all, mask));
        }
        side.limit = smaller(side.limit, all + side.spread);
      }
      bool due = !full && (taken >> j & 1) == 0;
      if (due && warp_any(store || least <= side.limit)) {
        full = !queue.take(tile, j, rough, side.limit, store);
        taken |= full ? 0 : 1u << j;
      }
    }
    if (queue.count != 0) queue.drain(args);
  } while (full);
}
#endif
