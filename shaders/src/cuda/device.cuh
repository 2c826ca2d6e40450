// What C++ has no words for: the machine's own instructions. Everything else is plain C++, so that another file with
// the same names (gpu/emulator/device.h) runs the very same programs on a processor.
//
// Addresses in shared memory are 32-bit numbers (`SharedAddress`), as the instructions take them. All collectives are of
// whole warps: every lane must come to them.
#ifndef ELANUS_DEVICE
#define ELANUS_DEVICE

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef int i32;
typedef u32 SharedAddress;

#define INLINE __forceinline__
#define UNROLL _Pragma("unroll")
#define ROLLED _Pragma("unroll 1")

// A program's entry point: threads of a block, and blocks that must fit a multiprocessor together.
#define ENTRY(name, Args, threads, blocks) \
  extern "C" __global__ void __launch_bounds__(threads, blocks) name(const __grid_constant__ Args args)

struct Chunk {
  u32 word[4];
};

INLINE u32 thread_index() { return threadIdx.x; }
INLINE u32 lane_index() { return threadIdx.x & 31; }
INLINE u32 warp_index() { return threadIdx.x >> 5; }
INLINE u32 block_x() { return blockIdx.x; }
INLINE u32 block_y() { return blockIdx.y; }
INLINE u32 blocks_x() { return gridDim.x; }
INLINE u32 blocks_y() { return gridDim.y; }

INLINE float float_of_bits(u32 bits) { return __uint_as_float(bits); }
INLINE u32 bits_of_float(float value) { return __float_as_uint(value); }
INLINE float infinity() { return __uint_as_float(0x7f800000u); }
INLINE float not_a_number() { return __uint_as_float(0x7fffffffu); }
INLINE float fused(float a, float b, float c) { return __fmaf_rn(a, b, c); }
INLINE float root(float value) { return __fsqrt_rn(value); }
INLINE float quotient(float a, float b) { return __fdiv_rn(a, b); }
INLINE double root(double value) { return __dsqrt_rn(value); }
INLINE double quotient(double a, double b) { return __ddiv_rn(a, b); }
// The smaller number; a NaN counts as missing.
INLINE float smaller(float a, float b) { return fminf(a, b); }
INLINE u32 ones(u32 word) { return __popc(word); }
INLINE u32 leading_zeros(u64 word) { return (u32)__clzll((long long)word); }

// The sum, and the products of four unsigned bytes with four signed ones.
INLINE i32 dot_bytes(u32 unsigned_bytes, u32 signed_bytes, i32 sum) {
  i32 result;
  asm("dp4a.u32.s32 %0, %1, %2, %3;" : "=r"(result) : "r"(unsigned_bytes), "r"(signed_bytes), "r"(sum));
  return result;
}

INLINE float float_of_half(u16 bits) {
  float value;
  asm("{ .reg .b16 h; mov.b16 h, %1; cvt.f32.f16 %0, h; }" : "=f"(value) : "h"(bits));
  return value;
}

// Shared memory.

extern __shared__ __align__(128) u8 block_memory[];

INLINE SharedAddress shared_memory() { return (SharedAddress)__cvta_generic_to_shared(block_memory); }

template <class T>
INLINE T* shared_pointer(u32 offset) {
  return reinterpret_cast<T*>(block_memory + offset);
}

INLINE Chunk load_shared(SharedAddress at) {
  Chunk chunk;
  asm volatile("ld.shared.v4.u32 {%0, %1, %2, %3}, [%4];"
               : "=r"(chunk.word[0]), "=r"(chunk.word[1]), "=r"(chunk.word[2]), "=r"(chunk.word[3])
               : "r"(at)
               : "memory");
  return chunk;
}

// Sixteen bytes of global memory that this program does not write: kept near, or streamed past the nearest cache.

INLINE Chunk load_near(const void* from) {
  Chunk chunk;
  asm volatile("ld.global.nc.v4.u32 {%0, %1, %2, %3}, [%4];"
               : "=r"(chunk.word[0]), "=r"(chunk.word[1]), "=r"(chunk.word[2]), "=r"(chunk.word[3])
               : "l"(from));
  return chunk;
}

INLINE Chunk load_streamed(const void* from) {
  Chunk chunk;
  asm volatile("ld.global.nc.L1::no_allocate.L2::128B.v4.u32 {%0, %1, %2, %3}, [%4];"
               : "=r"(chunk.word[0]), "=r"(chunk.word[1]), "=r"(chunk.word[2]), "=r"(chunk.word[3])
               : "l"(from));
  return chunk;
}

// What other blocks may change meanwhile: old values are possible, torn ones are not.
INLINE u64 load_changing(const u64* from) { return *(const volatile u64*)from; }

// Copies sixteen bytes, or writes sixteen zeros, at some time before `copies_wait`.
INLINE void copy_begin(SharedAddress to, const void* from, bool present) {
  asm volatile("cp.async.cg.shared.global.L2::256B [%0], [%1], 16, %2;"
               :
               : "r"(to), "l"(__cvta_generic_to_global(from)), "r"(present ? 16u : 0u)
               : "memory");
}

// Ends a group of copies.
INLINE void copies_end() { asm volatile("cp.async.commit_group;" ::: "memory"); }

// Waits for this thread's copies, but for those of the last `LEFT` groups.
template <u32 LEFT>
INLINE void copies_wait() {
  asm volatile("cp.async.wait_group %0;" ::"n"(LEFT) : "memory");
}

// Barriers.

INLINE void block_barrier() { __syncthreads(); }
INLINE void warp_barrier() { __syncwarp(); }

// Collectives of a warp.

INLINE bool warp_any(bool value) { return __any_sync(0xffffffffu, value); }
INLINE u32 warp_ballot(bool value) { return __ballot_sync(0xffffffffu, value); }
INLINE u32 warp_equal(u32 value) { return __match_any_sync(0xffffffffu, value); }
INLINE u32 warp_take(u32 value, u32 lane) { return __shfl_sync(0xffffffffu, value, lane); }
INLINE u32 warp_swap(u32 value, u32 mask) { return __shfl_xor_sync(0xffffffffu, value, mask); }
INLINE float warp_swap(float value, u32 mask) { return __shfl_xor_sync(0xffffffffu, value, mask); }
INLINE i32 warp_swap(i32 value, u32 mask) { return __shfl_xor_sync(0xffffffffu, value, mask); }
INLINE u64 warp_swap(u64 value, u32 mask) { return __shfl_xor_sync(0xffffffffu, value, mask); }

// Atomics.

INLINE u32 atomic_add(u32* to, u32 value) { return atomicAdd(to, value); }
INLINE u64 atomic_min(u64* to, u64 value) { return atomicMin(to, value); }
INLINE u64 atomic_max(u64* to, u64 value) { return atomicMax(to, value); }

// Matrix units. Four 8 x 8 matrices of 16-bit units: lane 8 m + r gives the address of row r of matrix m, and lane l
// receives units 2 (l % 4) and the next of row l / 4 of each.
INLINE void load_matrices(u32 (&to)[4], SharedAddress row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
               : "r"(row)
               : "memory");
}

// 16 x 16 by 16 x 8, with sums in f32.
INLINE void multiply_bf16(float (&sum)[4], const u32 (&a)[4], u32 b0, u32 b1) {
  asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
               "{%0, %1, %2, %3};"
               : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

INLINE void multiply_f16(float (&sum)[4], const u32 (&a)[4], u32 b0, u32 b1) {
  asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
               "{%0, %1, %2, %3};"
               : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

// 16 x 32 by 32 x 8, with sums in i32.
INLINE void multiply_i8(i32 (&sum)[4], const u32 (&a)[4], u32 b0, u32 b1) {
  asm("mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
               "{%0, %1, %2, %3};"
               : "+r"(sum[0]), "+r"(sum[1]), "+r"(sum[2]), "+r"(sum[3])
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}
#endif
