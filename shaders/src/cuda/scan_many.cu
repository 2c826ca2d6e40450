// Scans for many queries, bound by arithmetic.
//
// What it should cost on an H200, with 132 multiprocessors at 1.75 GHz:
//
// f16, bf16, i8. A slice of a tile, 256 rows by 128 queries by 64 bytes, is 512 products of the matrix units, 2 ^ 20
// steps of 16 bits. Such products, which work from registers, reach about 1,200 steps a cycle, 60 % of what the units can
// do from shared memory: 870 cycles. Meanwhile shared memory takes in 24 KiB and gives out 64 KiB, 8 warps having 4 KiB
// each in both steps: 700 cycles; the schedulers issue some 160 instructions a warp, 320 cycles; and 24 KiB come from the
// second cache, 6 TB/s on all multiprocessors. Each of these allows more than the 45 % of 790 TFLOP/s (1,540 cycles a
// slice, 3.6 TB/s) that are aimed at. Two slices are on their way while one is worked on.
// At the end of a tile 128 sums a lane are looked at, 2 instructions each and 20 for each query: 1,200 cycles on four
// schedulers, as much as 1.4 slices: 6 % for vectors of 768 halves, a third for 128.
// Blocks that run together share rows: eight query tiles, or as many as there are, read them from memory once.
//
// f32. A slice, 128 rows by 128 queries by 16 components, is 1,024 fused steps a lane, 2,048 cycles on four schedulers;
// shared memory gives out 64 chunks to each warp, 2,048 cycles if nothing is merged, half if equal addresses are.
#ifndef ELANUS_MATRIX
#include "matrix.cuh"
#endif
#ifndef ELANUS_SIMT
#include "simt.cuh"
#endif

template <class Kind>
using ManyTile = MatrixTile<Kind, 256, 128, 64, 64, 64, 3, false>;

static_assert(Layout<ManyTile<MatrixBf16>>::BYTES == 93184, "as the host's table has it");
static_assert(Layout<SimtTile>::BYTES == 67584, "as the host's table has it");

ENTRY(scan_many_bf16, ScanArgs, THREADS, 1) { scan_tiles<ManyTile<MatrixBf16>>(args); }
ENTRY(scan_many_f16, ScanArgs, THREADS, 1) { scan_tiles<ManyTile<MatrixF16>>(args); }
ENTRY(scan_many_i8, ScanArgs, THREADS, 1) { scan_tiles<ManyTile<MatrixI8>>(args); }
ENTRY(scan_many_f32, ScanArgs, THREADS, 1) { scan_tiles<SimtTile>(args); }
