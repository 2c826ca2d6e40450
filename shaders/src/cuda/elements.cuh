// Sums over the components of vectors, sixteen bytes at a time.
#ifndef ELANUS_ELEMENTS
#define ELANUS_ELEMENTS
#ifndef ELANUS_ARGS
#include "args.cuh"
#endif

struct F32Element {
  static constexpr u32 PARTS = 1;
  static INLINE float part(u32 word, u32) { return float_of_bits(word); }
};
struct F16Element {
  static constexpr u32 PARTS = 2;
  static INLINE float part(u32 word, u32 half) { return float_of_half((u16)(word >> 16 * half)); }
};
struct Bf16Element {
  static constexpr u32 PARTS = 2;
  static INLINE float part(u32 word, u32 half) { return float_of_bits(half == 0 ? word << 16 : word & 0xffff0000u); }
};

// The sum of a warp's values, in all lanes.
template <class T>
INLINE T warp_sum(T value) {
  UNROLL for (u32 mask = 1; mask <= 16; mask *= 2) value += warp_swap(value, mask);
  return value;
}
#endif
