// Keys of the element types and metrics, and a cheap number that tells which pairs need one.
//
// For each pair a scan has a sum: of the products, or over bits a count. Its *rough* number is one fused step from
// there, `sum * scale + term` with a scale and a term for each row, and a pair whose rough number is above its query's
// limit cannot be a candidate. So rejecting costs two instructions a pair. The key itself is made for the others only.
//
// A row that is not there, or filtered out, has NaN for a term: no comparison admits it.
#ifndef ELANUS_KEYS
#define ELANUS_KEYS
#ifndef ELANUS_ARGS
#include "args.cuh"
#endif

struct RowSide {
  float scale, term;
};

struct QuerySide {
  // No pair above can be a candidate.
  float limit;
  // Two keys are in the order of their rough numbers where those differ by more. Over bits: the scale.
  float spread;
};

// A key and a row as an integer; where no key is NaN, integers are ordered by key, then row. -0 counts as 0.
INLINE u64 pack(float key, u32 row) {
  u32 bits = bits_of_float(key + 0.0f);
  u32 flip = (bits >> 31) != 0 ? 0xffffffffu : 0x80000000u;
  return (u64)(bits ^ flip) << 32 | row;
}

// The largest key that may be packed below the bound.
INLINE float largest_key(u64 bound) {
  u32 ordered = (u32)(bound >> 32);
  // Beyond infinity on either side are the numbers that are none.
  if (ordered > 0xff800000u) return infinity();
  if (ordered < 0x007fffffu) return -infinity();
  return float_of_bits(ordered ^ ((ordered >> 31) != 0 ? 0x80000000u : 0xffffffffu));
}

INLINE float square_at(const float* squares, u32 place) { return squares == nullptr ? 0.0f : squares[place]; }

// Floating point: the rough number is the key, but for what depends on the query alone. So one is ordered as the other,
// and limits need room only for the rounding of what the query adds.
struct Floating {
  typedef float Sum;
  static constexpr bool REFINES = true;

  static INLINE RowSide row_side(u32 metric, float square) {
    if (metric == L2) return {-2.0f, square};
    if (metric == IP) return {-1.0f, 0.0f};
    float length = root(square);
    return {length > 0.0f ? quotient(-1.0f, length) : 0.0f, 0.0f};
  }

  static INLINE QuerySide query_side(const ScanArgs& args, u32 query, float largest) {
    float square = square_at(args.query_squares, query);
    float limit = largest;
    if (args.metric == L2) {
      limit = (largest - square) + 0x1p-21f * (fabsf(largest) + square);
      // Lengths beyond the range of numbers: leave it to the key.
      if (!(square < infinity())) limit = infinity();
    } else if (args.metric == COSINE) {
      float length = root(square);
      limit = length > 0.0f ? fused(largest, length, 0x1p-20f * length) : infinity();
    }
    return {limit != limit ? infinity() : limit, 0.0f};
  }

  static INLINE float rough(float sum, const RowSide& row, const QuerySide&) { return fused(sum, row.scale, row.term); }
  static INLINE u32 carried(float, float rough) { return bits_of_float(rough); }

  static INLINE float key(const ScanArgs& args, u32 query, u32, u32 carried) {
    float rough = float_of_bits(carried);
    if (args.metric == IP) return rough;
    float square = square_at(args.query_squares, query);
    if (args.metric == L2) {
      float key = square + rough;
      return key < 0.0f ? 0.0f : key;
    }
    float length = root(square);
    return length > 0.0f ? quotient(rough, length) : 0.0f;
  }
};

// Bytes: sums are exact, up to 32,768 units, of which four times a square still fits 32 bits; keys are rounded once, as
// on a processor. Rough numbers are rounded, so that both sides of a limit leave room for it.
struct Bytes {
  typedef i32 Sum;
  static constexpr bool REFINES = true;

  static INLINE i32 square_of(const float* squares, u32 place) { return (i32)bits_of_float(square_at(squares, place)); }

  static INLINE RowSide row_side(u32 metric, float square_bits) {
    float square = (float)(i32)bits_of_float(square_bits);
    if (metric == L2) return {-2.0f, square - 0x1p-20f * square};
    if (metric == IP) return {-1.0f, 0.0f};
    return {square > 0.0f ? quotient(-1.0f, root(square)) : 0.0f, 0.0f};
  }

  static INLINE QuerySide query_side(const ScanArgs& args, u32 query, float largest) {
    float square = (float)square_of(args.query_squares, query);
    if (args.metric == IP) return {largest, 0.0f};
    if (args.metric == L2) {
      // A square has at most 2^14 for each unit.
      float spread = 0x1p-18f * (square + 16384.0f * (float)args.units);
      return {(largest - square) + 0x1p-20f * (fabsf(largest) + square), spread};
    }
    float length = root(square);
    return {length > 0.0f ? fused(largest, length, 0x1p-19f * length) : infinity(), 0x1p-18f * length};
  }

  static INLINE float rough(i32 sum, const RowSide& row, const QuerySide&) {
    return fused((float)sum, row.scale, row.term);
  }
  static INLINE u32 carried(i32 sum, float) { return (u32)sum; }

  static INLINE double inverse_length(i32 square) { return square < 1 ? 0.0 : quotient(1.0, root((double)square)); }

  static INLINE float key(const ScanArgs& args, u32 query, u32 row, u32 carried) {
    i32 sum = (i32)carried;
    if (args.metric == IP) return (float)-sum;
    i32 query_square = square_of(args.query_squares, query), row_square = square_of(args.row_squares, row);
    if (args.metric == L2) return (float)(query_square + row_square - 2 * sum);
    double cosine = (double)sum * (inverse_length(query_square) * inverse_length(row_square));
    return 0.0f - (float)(cosine > 1.0 ? 1.0 : cosine < -1.0 ? -1.0 : cosine);
  }
};

// Bits: counts of the exclusive or (HAMMING), or of what both have (JACCARD). With n in both, q in the query and r in
// the row, the Jaccard key is at most m where n (2 - m) / (1 - m) >= q + r: again linear.
struct Bits {
  typedef u32 Sum;
  static constexpr bool REFINES = false;

  static INLINE u32 square_of(const float* squares, u32 place) { return bits_of_float(square_at(squares, place)); }

  static INLINE RowSide row_side(u32 metric, float square_bits) {
    return {1.0f, metric == HAMMING ? 0.0f : (float)bits_of_float(square_bits)};
  }

  static INLINE QuerySide query_side(const ScanArgs& args, u32 query, float largest) {
    if (args.metric == HAMMING) return {largest, 1.0f};
    float square = (float)square_of(args.query_squares, query);
    // The key is rounded: near 1 that is much, as seen from there.
    float gap = (1.0f - largest) - 0x1p-23f;
    if (!(gap > 0.0f)) return {infinity(), 0.0f};
    float scale = quotient(largest - 2.0f, gap);
    float room = 0x1p-18f * (square + 8.0f * (float)args.units);
    return {largest < 0.0f ? largest : room - square, largest < 0.0f ? 0.0f : scale};
  }

  static INLINE float rough(u32 sum, const RowSide& row, const QuerySide& query) {
    return fused((float)sum, query.spread, row.term);
  }
  static INLINE u32 carried(u32 sum, float) { return sum; }

  static INLINE float key(const ScanArgs& args, u32 query, u32 row, u32 both) {
    if (args.metric == HAMMING) return (float)both;
    u32 either = square_of(args.query_squares, query) + square_of(args.row_squares, row) - both;
    u32 empty = either == 0 ? 1 : 0;
    float all = (float)(either + empty), common = (float)(both + empty);
    return quotient(all - common, all);
  }
};

// The side of the i-th row of a pass.
template <class Kind>
INLINE RowSide row_side(const ScanArgs& args, u32 i) {
  if (i >= args.count) return {0.0f, not_a_number()};
  u32 row = args.first + i * args.stride;
  bool kept = args.keep == nullptr || (args.keep[row / 32] >> (row % 32) & 1) != 0 || args.mode == STORE;
  if (!kept) return {0.0f, not_a_number()};
  return Kind::row_side(args.metric, square_at(args.row_squares, row));
}

template <class Kind>
INLINE QuerySide query_side(const ScanArgs& args, u32 query) {
  if (query >= args.query_count) return {-infinity(), 0.0f};
  if (args.mode == STORE) return {infinity(), 0.0f};
  return Kind::query_side(args, query, largest_key(load_changing(args.bound + query)));
}
#endif
