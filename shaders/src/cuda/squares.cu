// Squared lengths, a warp a row: reads the rows once.
#ifndef ELANUS_ELEMENTS
#include "elements.cuh"
#endif

constexpr u32 SQUARES_THREADS = 256;

template <class Element>
struct FloatSquare {
  typedef float Sum;
  static INLINE float add(float sum, u32 word) {
    UNROLL for (u32 p = 0; p < Element::PARTS; p++) sum = fused(Element::part(word, p), Element::part(word, p), sum);
    return sum;
  }
  static INLINE float stored(float sum) { return sum; }
};

struct ByteSquare {
  typedef i32 Sum;
  static INLINE i32 add(i32 sum, u32 word) {
    UNROLL for (u32 p = 0; p < 4; p++) {
      i32 component = (i32)(word << (24 - 8 * p)) >> 24;
      sum += component * component;
    }
    return sum;
  }
  static INLINE float stored(i32 sum) { return float_of_bits((u32)sum); }
};

struct BitSquare {
  typedef i32 Sum;
  static INLINE i32 add(i32 sum, u32 word) { return sum + (i32)ones(word); }
  static INLINE float stored(i32 sum) { return float_of_bits((u32)sum); }
};

template <class Square>
INLINE void squares(const SquaresArgs& args) {
  u64 warps = (u64)blocks_x() * blocks_y() * (SQUARES_THREADS / 32);
  u64 first = ((u64)block_y() * blocks_x() + block_x()) * (SQUARES_THREADS / 32) + warp_index();
  for (u64 row = first; row < args.count; row += warps) {
    const u8* from = (const u8*)args.rows + row * args.row_bytes;
    typename Square::Sum sum = 0;
    for (u32 byte = lane_index() * 16; byte < args.row_bytes; byte += 512) {
      Chunk chunk = load_streamed(from + byte);
      UNROLL for (u32 e = 0; e < 4; e++) sum = Square::add(sum, chunk.word[e]);
    }
    sum = warp_sum(sum);
    if (lane_index() == 0) args.squares[row] = Square::stored(sum);
  }
}

ENTRY(squares_f32, SquaresArgs, SQUARES_THREADS, 4) { squares<FloatSquare<F32Element>>(args); }
ENTRY(squares_f16, SquaresArgs, SQUARES_THREADS, 4) { squares<FloatSquare<F16Element>>(args); }
ENTRY(squares_bf16, SquaresArgs, SQUARES_THREADS, 4) { squares<FloatSquare<Bf16Element>>(args); }
ENTRY(squares_i8, SquaresArgs, SQUARES_THREADS, 4) { squares<ByteSquare>(args); }
ENTRY(squares_binary, SquaresArgs, SQUARES_THREADS, 4) { squares<BitSquare>(args); }
