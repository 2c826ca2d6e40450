// The interface to the host: the one argument of each entry point. The host has the same structures.
#ifndef ELANUS_ARGS
#define ELANUS_ARGS
#ifndef ELANUS_DEVICE
#include "device.cuh"
#endif

struct ScanArgs {
  // Row r is at r * row_bytes, a multiple of 16; bytes past its end are 0.
  const void* rows;
  // As the rows; rows of zeros fill it up to a multiple of 128 queries.
  const void* queries;
  // Squared lengths: f32 for floating point, the bits of an i32 for i8, the number of ones as a u32 for binary.
  // Null where the metric needs none.
  const float* row_squares;
  const float* query_squares;
  // Bit r % 32 of word r / 32 admits row r; null admits all.
  const u32* keep;
  // Candidates of query q are packed keys from lower[q], below bound[q]. In the mode NEAREST the bound is the answer,
  // and there is no lower one.
  const u64* lower;
  u64* bound;
  u64* candidates;  // [query_count][capacity]
  u32* counts;      // [query_count]; beyond the capacity where candidates were dropped
  float* keys;      // mode STORE: that of query q and the i-th row of the pass at q * key_stride + i
  u64 key_stride;
  // The pass: rows first + i * stride for i < count.
  u32 query_count, first, stride, count;
  // Units are components; of binary vectors, bytes.
  u32 units, row_bytes, capacity, metric, mode;
};

struct SquaresArgs {
  const void* rows;
  float* squares;
  u64 count;
  u32 units, row_bytes;
};

struct SelectArgs {
  u64* candidates;
  u32* counts;
  u64* bound;
  u32* overflowed;
  u32 query_count, capacity, k, sample;
};

struct RescoreArgs {
  const void* rows;
  const void* queries;
  const u64* candidates;
  const u32* counts;
  float* keys;  // [query_count][key_stride]
  u64 key_stride;
  u32 query_count, capacity, units, row_bytes, metric;
};

// What a query over codes is besides its pieces. Scalar codes: scale, middle, sum, constant, weights of the square and of
// the product, and whether the key is a cosine. Product codes: bias and step. Signs: what is added, and half the unit.
struct CodesTerms {
  float value[8];
};

struct CodesArgs {
  // See codes.cuh. Row r is in tile r / 32.
  const void* tiles;
  const void* queries;  // pieces for each unit, query_bytes for each query
  const CodesTerms* terms;
  // As of ScanArgs, of which the mode is CANDIDATES.
  const u32* keep;
  const u64* lower;
  const u64* bound;
  u64* candidates;
  u32* counts;
  u32 query_count, first, stride, count;
  // Units of a row and bytes of a tile; how many factors there are behind the units.
  u32 units, tile_bytes, factors;
  u32 query_bytes, capacity;
  // Of signs: components, and planes of each query.
  u32 dim, planes;
  // Of scalar codes: the grid of all rows, where there is but one factor.
  float grid_min, grid_step;
};

static_assert(sizeof(CodesArgs) == 120 && sizeof(CodesTerms) == 32, "as the host has them");
static_assert(sizeof(ScanArgs) == 128 && sizeof(SquaresArgs) == 32, "as the host has them");
static_assert(sizeof(SelectArgs) == 48 && sizeof(RescoreArgs) == 72, "as the host has them");

// Metrics.
constexpr u32 L2 = 0;
constexpr u32 IP = 1;
constexpr u32 COSINE = 2;
constexpr u32 HAMMING = 3;
constexpr u32 JACCARD = 4;

// What is done with a key.
constexpr u32 CANDIDATES = 0;
constexpr u32 NEAREST = 1;
constexpr u32 STORE = 2;
#endif
