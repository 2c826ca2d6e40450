// Scans for many queries, bound by arithmetic.
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
