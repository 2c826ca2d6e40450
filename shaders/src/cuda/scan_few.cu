// Scans for up to some tens of queries, bound by reading the rows once.
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
