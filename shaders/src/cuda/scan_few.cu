// Scans for up to some tens of queries, bound by reading the rows once.
//
// What it should cost on an H200, with 132 multiprocessors at 1.75 GHz: reading at 4.3 TB/s gives each one 18.6 bytes a
// cycle.
//
// f16, bf16, i8. A slice of a tile is 16 KiB of rows: 880 cycles of reading. Meanwhile shared memory takes in 20 KiB,
// rows and queries, and gives out 48 KiB, for each of 8 warps 2 KiB of rows and 4 KiB of queries: 530 cycles at 128
// bytes; the matrix units have 8 x 16 products, 130 cycles at half of their rate; and there are some 150 instructions a
// warp, 300 cycles on four schedulers. Two blocks of three slices each keep 96 KiB a multiprocessor on their way, where
// the memory's latency of about a microsecond asks for 32. So reading is the limit. Queries add a quarter to what the
// second cache gives, or 6 % where there are at most eight.
//
// f32. For 2 KiB of rows, 110 cycles of reading, 16 queries take 256 fused steps and 20 loads a warp, 70 cycles on four
// schedulers, and 80 cycles of the first cache if nothing is merged there: reading is the limit. The second group of
// queries reads the same rows from the second cache; with 32 queries arithmetic is the limit, at about 70 % of reading.
// Twelve warps with sixteen chunks each (one query) have 96 KiB on their way.
//
// Binary. For 2 KiB of rows one query counts 16 words a lane, at 16 results a cycle 32 cycles: reading is the limit. So
// many queries as 16 take 512 cycles, five times the reading.
#ifndef ELANUS_MATRIX
#include "matrix.cuh"
#endif
#ifndef ELANUS_DIRECT
#include "direct.cuh"
#endif

template <class Kind>
using FewTile = MatrixTile<Kind, 128, 32, 16, 32, 128, 4, true>;

static_assert(Layout<FewTile<MatrixBf16>>::BYTES == 99584, "as the host's table has it");
static_assert(DIRECT_BYTES == 8192, "as the host's table has it");

ENTRY(scan_few_bf16, ScanArgs, THREADS, 2) { scan_tiles<FewTile<MatrixBf16>>(args); }
ENTRY(scan_few_f16, ScanArgs, THREADS, 2) { scan_tiles<FewTile<MatrixF16>>(args); }
ENTRY(scan_few_i8, ScanArgs, THREADS, 2) { scan_tiles<FewTile<MatrixI8>>(args); }
ENTRY(scan_few_f32, ScanArgs, 32 * DIRECT_WARPS, 3) { scan_direct<Products>(args); }
ENTRY(scan_few_binary, ScanArgs, 32 * DIRECT_WARPS, 3) { scan_direct<Counts>(args); }
