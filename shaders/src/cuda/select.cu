// The k smallest candidates of each query, a block a query, in shared memory.
//
// Up to 512 candidates are compared each with each: every thread counts those before its own, and all read the same
// word at a time. More are narrowed down by the digits in which they differ at all, eight bits a round, until as many
// are left as are wanted; a round is two looks at each candidate.
#ifndef ELANUS_ARGS
#include "args.cuh"
#endif

constexpr u32 SELECT_THREADS = 256;
constexpr u32 SELECT_CAPACITY = 8192;
constexpr u32 SELECT_RANKED = 512;
constexpr u32 DIGITS = 256;

// Shared memory: the candidates, a count for each digit, and some words that all threads share.
constexpr u32 SELECT_COUNTS = SELECT_CAPACITY * sizeof(u64);
constexpr u32 SELECT_STATE = SELECT_COUNTS + DIGITS * sizeof(u32);
constexpr u32 SELECT_BYTES = SELECT_STATE + 64;
static_assert(SELECT_BYTES == 66624, "as the host's table has it");

struct SelectState {
  u64 least, largest;
  u64 last;  // the largest that is kept
  u32 digit, before, kept, equal;
};

// The place of the last of the `k` smallest digits, and how many are before it: a warp, eight digits a lane.
INLINE void find_digit(const u32* counts, u32 k, SelectState* state) {
  u32 own[8], sum = 0;
  UNROLL for (u32 d = 0; d < 8; d++) {
    own[d] = counts[lane_index() * 8 + d];
    sum += own[d];
  }
  u32 through = sum;
  UNROLL for (u32 step = 1; step < 32; step *= 2) {
    u32 other = warp_take(through, lane_index() >= step ? lane_index() - step : 0);
    if (lane_index() >= step) through += other;
  }
  u32 before = through - sum;
  if (before < k && k <= through) {
    UNROLL for (u32 d = 0; d < 8; d++) {
      if (before < k && k <= before + own[d]) {
        state->digit = lane_index() * 8 + d;
        state->before = before;
      }
      before += own[d];
    }
  }
}

// Writes the `k` smallest of `count` to `to`, and their largest to the state.
INLINE void select_ranked(const u64* all, u32 count, u32 k, u64* to, SelectState* state) {
  for (u32 own = thread_index(); own < count; own += SELECT_THREADS) {
    u64 value = all[own];
    u32 rank = 0;
    for (u32 other = 0; other < count; other++) rank += all[other] < value || (all[other] == value && other < own) ? 1 : 0;
    if (rank < k) to[rank] = value;
    if (rank == k - 1) state->last = value;
  }
}

INLINE void select_by_digits(const u64* all, u32 count, u32 k, u64* to, u32* counts, SelectState* state) {
  u64 least = ~0ull, largest = 0;
  for (u32 i = thread_index(); i < count; i += SELECT_THREADS) {
    least = all[i] < least ? all[i] : least;
    largest = all[i] > largest ? all[i] : largest;
  }
  atomic_min(&state->least, least);
  atomic_max(&state->largest, largest);
  block_barrier();
  u64 differing = state->least ^ state->largest;
  // Digits before the first in which they differ are the same in all.
  u32 shift = differing == 0 ? 0 : (63 - leading_zeros(differing)) / 8 * 8;
  u64 prefix = shift == 56 ? 0 : state->least >> (shift + 8);
  u32 wanted = k;
  for (;; shift -= 8) {
    for (u32 digit = thread_index(); digit < DIGITS; digit += SELECT_THREADS) counts[digit] = 0;
    block_barrier();
    for (u32 i = thread_index(); i < count; i += SELECT_THREADS) {
      bool looked_at = shift == 56 || all[i] >> (shift + 8) == prefix;
      if (looked_at) atomic_add(&counts[(u32)(all[i] >> shift) & 255], 1);
    }
    block_barrier();
    if (warp_index() == 0) find_digit(counts, wanted, state);
    block_barrier();
    wanted -= state->before;
    prefix = prefix << 8 | state->digit;
    u32 left = counts[state->digit];
    block_barrier();
    if (shift == 0 || left == wanted) break;
  }
  // What is below the last digits is kept, and of what is equal in them as many as are still wanted.
  for (u32 i = thread_index(); i < count; i += SELECT_THREADS) {
    u64 value = all[i], seen = value >> shift;
    if (seen < prefix || (seen == prefix && atomic_add(&state->equal, 1) < wanted)) {
      to[atomic_add(&state->kept, 1)] = value;
      atomic_max(&state->last, value);
    }
  }
}

ENTRY(select, SelectArgs, SELECT_THREADS, 2) {
  u64* all = shared_pointer<u64>(0);
  u32* digit_counts = shared_pointer<u32>(SELECT_COUNTS);
  SelectState* state = shared_pointer<SelectState>(SELECT_STATE);
  u32 query = block_y() * blocks_x() + block_x();
  if (query >= args.query_count) return;
  u64* candidates = args.candidates + (u64)query * args.capacity;
  u32 capacity = args.capacity < SELECT_CAPACITY ? args.capacity : SELECT_CAPACITY;
  u32 offered = args.counts[query], count = offered < capacity ? offered : capacity;
  u32 kept = count < args.k ? count : args.k;
  if (thread_index() == 0) {
    state->least = ~0ull;
    state->largest = 0;
    state->last = 0;
    state->kept = 0;
    state->equal = 0;
  }
  for (u32 i = thread_index(); i < count; i += SELECT_THREADS) all[i] = candidates[i];
  block_barrier();
  if (kept == args.k && kept != 0) {
    if (kept == count) {
      for (u32 i = thread_index(); i < count; i += SELECT_THREADS) atomic_max(&state->last, all[i]);
    } else if (count <= SELECT_RANKED) {
      select_ranked(all, count, kept, candidates, state);
    } else {
      select_by_digits(all, count, kept, candidates, digit_counts, state);
    }
    block_barrier();
  }
  if (thread_index() != 0) return;
  if (kept == args.k && kept != 0) {
    u64 bound = state->last + (args.sample != 0 ? 1 : 0);
    if (bound < args.bound[query]) args.bound[query] = bound;
  }
  if (args.sample == 0 && offered > args.capacity) args.overflowed[query] = 1;
  args.counts[query] = args.sample != 0 ? 0 : kept;
}
