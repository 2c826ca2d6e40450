// The keys of the selected candidates from the vectors themselves, a warp a candidate: differences where the scan had
// products, so that near neighbors do not drown in the rounding of long vectors.
#ifndef ELANUS_ELEMENTS
#include "elements.cuh"
#endif

constexpr u32 RESCORE_THREADS = 256;

template <class Element>
INLINE void rescore(const RescoreArgs& args) {
  u32 query = block_y(), place = block_x() * (RESCORE_THREADS / 32) + warp_index();
  if (query >= args.query_count) return;
  u32 kept = args.counts[query] < args.capacity ? args.counts[query] : args.capacity;
  if (place >= kept) return;
  u32 row = (u32)args.candidates[(u64)query * args.capacity + place];
  const u8* x = (const u8*)args.rows + (u64)row * args.row_bytes;
  const u8* q = (const u8*)args.queries + (u64)query * args.row_bytes;
  // Of differences, or of products; of squares for the cosine alone.
  float sum = 0.0f, row_square = 0.0f, query_square = 0.0f;
  for (u32 byte = lane_index() * 16; byte < args.row_bytes; byte += 512) {
    Chunk a = load_near(q + byte), b = load_streamed(x + byte);
    UNROLL for (u32 e = 0; e < 4; e++) {
      UNROLL for (u32 p = 0; p < Element::PARTS; p++) {
        float u = Element::part(a.word[e], p), v = Element::part(b.word[e], p);
        if (args.metric == L2) {
          sum = fused(u - v, u - v, sum);
        } else {
          sum = fused(u, v, sum);
          query_square = fused(u, u, query_square);
          row_square = fused(v, v, row_square);
        }
      }
    }
  }
  sum = warp_sum(sum);
  float key = sum;
  if (args.metric == IP) key = 0.0f - sum;
  if (args.metric == COSINE) {
    // Two roots: the product of the squares could be out of range.
    float lengths = root(warp_sum(query_square)) * root(warp_sum(row_square));
    key = lengths > 0.0f ? 0.0f - quotient(sum, lengths) : 0.0f;
  }
  if (lane_index() == 0) args.keys[(u64)query * args.key_stride + place] = key;
}

ENTRY(rescore_f32, RescoreArgs, RESCORE_THREADS, 4) { rescore<F32Element>(args); }
ENTRY(rescore_f16, RescoreArgs, RESCORE_THREADS, 4) { rescore<F16Element>(args); }
ENTRY(rescore_bf16, RescoreArgs, RESCORE_THREADS, 4) { rescore<Bf16Element>(args); }
