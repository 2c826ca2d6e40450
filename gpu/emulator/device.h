// The machine's own instructions on a processor: the same names as shaders/src/cuda/device.cuh, so that the programs'
// very text runs without a graphics card. See fibers.h for how threads take turns.
//
// Shared memory is full of NaN when a block begins. A copy that was begun fills its target with NaN at once and copies
// at the wait, so that neither a missing wait nor a target that is still in use goes unnoticed. Global memory that
// `emulate_allocate` gives ends at a page that cannot be touched.
#ifndef ELANUS_DEVICE
#define ELANUS_DEVICE
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

#include "fibers.h"

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef int i32;
typedef u32 SharedAddress;

#define INLINE inline
#define UNROLL
#define ROLLED

#define ENTRY(name, Args, threads, blocks)                                                                    \
  static void name(const Args& args);                                                                         \
  static void name##_erased(const void* args) { name(*static_cast<const Args*>(args)); }                      \
  static const emulator::Registered name##_registered(#name, name##_erased, sizeof(Args), threads);           \
  static void name(const Args& args)

struct Chunk {
  u32 word[4];
};

INLINE u32 thread_index() { return emulator::here().thread; }
INLINE u32 lane_index() { return emulator::here().thread & 31; }
INLINE u32 warp_index() { return emulator::here().thread >> 5; }
INLINE u32 block_x() { return emulator::launch().block[0]; }
INLINE u32 block_y() { return emulator::launch().block[1]; }
INLINE u32 blocks_x() { return emulator::launch().grid[0]; }
INLINE u32 blocks_y() { return emulator::launch().grid[1]; }

INLINE float float_of_bits(u32 bits) {
  float value;
  std::memcpy(&value, &bits, 4);
  return value;
}
INLINE u32 bits_of_float(float value) {
  u32 bits;
  std::memcpy(&bits, &value, 4);
  return bits;
}
INLINE float infinity() { return float_of_bits(0x7f800000u); }
INLINE float not_a_number() { return float_of_bits(0x7fffffffu); }
INLINE float fused(float a, float b, float c) { return std::fmaf(a, b, c); }
INLINE float root(float value) { return std::sqrt(value); }
INLINE float quotient(float a, float b) { return a / b; }
INLINE double root(double value) { return std::sqrt(value); }
INLINE double quotient(double a, double b) { return a / b; }
INLINE float smaller(float a, float b) { return std::fmin(a, b); }
INLINE u32 ones(u32 word) { return (u32)__builtin_popcount(word); }
INLINE u32 leading_zeros(u64 word) { return word == 0 ? 64 : (u32)__builtin_clzll(word); }
INLINE i32 dot_bytes(u32 unsigned_bytes, u32 signed_bytes, i32 sum) {
  for (u32 p = 0; p < 32; p += 8) sum += (i32)(unsigned_bytes >> p & 255) * (i32)(signed char)(signed_bytes >> p);
  return sum;
}

INLINE float float_of_half(u16 bits) {
  u32 sign = (u32)(bits >> 15) << 31, exponent = bits >> 10 & 31, fraction = bits & 1023;
  if (exponent == 31) return float_of_bits(sign | 0x7f800000u | fraction << 13);
  if (exponent == 0) return float_of_bits(sign | bits_of_float((float)fraction * 0x1p-24f));
  return float_of_bits(sign | (exponent + 112) << 23 | fraction << 13);
}

INLINE SharedAddress shared_memory() { return 0; }

template <class T>
INLINE T* shared_pointer(u32 offset) {
  emulator::expect(offset + sizeof(T) <= emulator::launch().shared_bytes, "a pointer beyond shared memory");
  return reinterpret_cast<T*>(emulator::launch().shared + offset);
}

INLINE u8* shared_sixteen(SharedAddress at) {
  emulator::expect(at % 16 == 0, "an address in shared memory is no multiple of 16");
  emulator::expect(at + 16 <= emulator::launch().shared_bytes, "an address beyond shared memory");
  return emulator::launch().shared + at;
}

INLINE Chunk load_shared(SharedAddress at) {
  Chunk chunk;
  std::memcpy(&chunk, shared_sixteen(at), 16);
  return chunk;
}

INLINE Chunk load_near(const void* from) {
  emulator::expect((uintptr_t)from % 16 == 0, "an address in global memory is no multiple of 16");
  Chunk chunk;
  std::memcpy(&chunk, from, 16);
  return chunk;
}
INLINE Chunk load_streamed(const void* from) { return load_near(from); }
INLINE u64 load_changing(const u64* from) { return *from; }

INLINE void copy_begin(SharedAddress to, const void* from, bool present) {
  emulator::expect((uintptr_t)from % 16 == 0, "an address in global memory is no multiple of 16");
  u8* target = shared_sixteen(to);
  std::memset(target, 0xff, 16);
  emulator::here().copies.push_back({target, present ? from : nullptr, emulator::here().group});
}
INLINE void copies_end() { emulator::here().group++; }
template <u32 LEFT>
INLINE void copies_wait() {
  emulator::here().finish_copies(LEFT);
}

INLINE void block_barrier() { emulator::block_barrier(); }

// One collective of a warp: each lane brings `In` and takes `Out`, made of all by `combine` when the last one is there.
template <class In, class Out, class Combine>
INLINE Out collective(const char* name, const In& in, Combine combine) {
  struct Slot {
    In in;
    Out out;
  } own{in, Out()};
  emulator::warp_meet(name, &own, [](void** slots, void* combine) {
    In all[32];
    Out results[32];
    for (u32 l = 0; l < 32; l++) all[l] = static_cast<Slot*>(slots[l])->in;
    (*static_cast<Combine*>(combine))(all, results);
    for (u32 l = 0; l < 32; l++) static_cast<Slot*>(slots[l])->out = results[l];
  }, &combine);
  return own.out;
}

INLINE void warp_barrier() {
  collective<char, char>("barrier", 0, [](const char*, char* out) { std::memset(out, 0, 32); });
}
INLINE u32 warp_ballot(bool value) {
  return collective<bool, u32>("ballot", value, [](const bool* in, u32* out) {
    u32 word = 0;
    for (u32 l = 0; l < 32; l++) word |= (u32)in[l] << l;
    for (u32 l = 0; l < 32; l++) out[l] = word;
  });
}
INLINE bool warp_any(bool value) { return warp_ballot(value) != 0; }
INLINE u32 warp_equal(u32 value) {
  return collective<u32, u32>("equal", value, [](const u32* in, u32* out) {
    for (u32 l = 0; l < 32; l++) {
      out[l] = 0;
      for (u32 m = 0; m < 32; m++) out[l] |= (u32)(in[l] == in[m]) << m;
    }
  });
}
INLINE u32 warp_take(u32 value, u32 lane) {
  struct Asked {
    u32 value, lane;
  };
  return collective<Asked, u32>("take", Asked{value, lane}, [](const Asked* in, u32* out) {
    for (u32 l = 0; l < 32; l++) out[l] = in[in[l].lane & 31].value;
  });
}
template <class T>
INLINE T warp_swap(T value, u32 mask) {
  struct Asked {
    T value;
    u32 mask;
  };
  return collective<Asked, T>("swap", Asked{value, mask}, [](const Asked* in, T* out) {
    for (u32 l = 0; l < 32; l++) {
      emulator::expect(in[l].mask == in[0].mask, "lanes swap with different masks");
      out[l] = in[l ^ (in[l].mask & 31)].value;
    }
  });
}

INLINE u32 atomic_add(u32* to, u32 value) {
  u32 old = *to;
  *to = old + value;
  return old;
}
INLINE u64 atomic_min(u64* to, u64 value) {
  u64 old = *to;
  *to = value < old ? value : old;
  return old;
}
INLINE u64 atomic_max(u64* to, u64 value) {
  u64 old = *to;
  *to = value > old ? value : old;
  return old;
}

struct Fragment {
  u32 word[4];
};

INLINE void load_matrices(u32 (&to)[4], SharedAddress row) {
  Fragment got = collective<SharedAddress, Fragment>("load_matrices", row, [](const SharedAddress* in, Fragment* out) {
    for (u32 l = 0; l < 32; l++) {
      for (u32 m = 0; m < 4; m++) std::memcpy(&out[l].word[m], shared_sixteen(in[8 * m + l / 4]) + l % 4 * 4, 4);
    }
  });
  for (u32 m = 0; m < 4; m++) to[m] = got.word[m];
}

template <class Sum>
struct Operands {
  Sum sum[4];
  u32 a[4], b[2];
};
template <class Sum>
struct Sums {
  Sum sum[4];
};

// The fragments as the manual of the instruction set gives them, for 32 bytes of each vector: lane l has of the first
// operand words l % 4 of lines l / 4 and l / 4 + 8 in the first sixteen bytes, then the same in the next; of the second
// one word l % 4 of column l / 4 in the first sixteen bytes and in the next; and of the sums those of lines l / 4 and
// l / 4 + 8 in columns 2 (l % 4) and the next.
template <class Sum, class Dot>
INLINE void multiply(const char* name, Sum (&sum)[4], const u32 (&a)[4], u32 b0, u32 b1, Dot dot) {
  Operands<Sum> own{{sum[0], sum[1], sum[2], sum[3]}, {a[0], a[1], a[2], a[3]}, {b0, b1}};
  Sums<Sum> got = collective<Operands<Sum>, Sums<Sum>>(name, own, [dot](const Operands<Sum>* in, Sums<Sum>* out) {
    u32 lines[16][8], columns[8][8];
    for (u32 l = 0; l < 32; l++) {
      for (u32 half = 0; half < 2; half++) {
        lines[l / 4][half * 4 + l % 4] = in[l].a[half * 2];
        lines[l / 4 + 8][half * 4 + l % 4] = in[l].a[half * 2 + 1];
        columns[l / 4][half * 4 + l % 4] = in[l].b[half];
      }
    }
    for (u32 l = 0; l < 32; l++) {
      for (u32 e = 0; e < 4; e++) {
        out[l].sum[e] = dot(in[l].sum[e], lines[l / 4 + e / 2 * 8], columns[l % 4 * 2 + e % 2]);
      }
    }
  });
  for (u32 e = 0; e < 4; e++) sum[e] = got.sum[e];
}

INLINE void multiply_bf16(float (&sum)[4], const u32 (&a)[4], u32 b0, u32 b1) {
  multiply("multiply_bf16", sum, a, b0, b1, [](float sum, const u32* x, const u32* y) {
    for (u32 w = 0; w < 8; w++) {
      sum = std::fmaf(float_of_bits(x[w] << 16), float_of_bits(y[w] << 16), sum);
      sum = std::fmaf(float_of_bits(x[w] & 0xffff0000u), float_of_bits(y[w] & 0xffff0000u), sum);
    }
    return sum;
  });
}
INLINE void multiply_f16(float (&sum)[4], const u32 (&a)[4], u32 b0, u32 b1) {
  multiply("multiply_f16", sum, a, b0, b1, [](float sum, const u32* x, const u32* y) {
    for (u32 w = 0; w < 8; w++) {
      sum = std::fmaf(float_of_half((u16)x[w]), float_of_half((u16)y[w]), sum);
      sum = std::fmaf(float_of_half((u16)(x[w] >> 16)), float_of_half((u16)(y[w] >> 16)), sum);
    }
    return sum;
  });
}
INLINE void multiply_i8(i32 (&sum)[4], const u32 (&a)[4], u32 b0, u32 b1) {
  multiply("multiply_i8", sum, a, b0, b1, [](i32 sum, const u32* x, const u32* y) {
    for (u32 w = 0; w < 8; w++) {
      for (u32 p = 0; p < 32; p += 8) sum += (i32)(signed char)(x[w] >> p) * (i32)(signed char)(y[w] >> p);
    }
    return sum;
  });
}
#endif
