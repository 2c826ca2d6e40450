/* Distance kernels for vector search: the C interface of elanus-kernels.
   Written from kernels-c/src by `cargo xtask header`; changes belong there. */
#ifndef ELANUS_KERNELS_H
#define ELANUS_KERNELS_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* How a call ended. */
typedef enum {
  /* As asked. */
  ELANUS_STATUS_OK = 0,
  /* A pointer is null or misaligned, a dimension is zero, a size overflows, or a value or name is
     not one of those that are known. */
  ELANUS_STATUS_INVALID = 1,
  /* This machine or this build cannot do it: an instruction set it lacks, a metric that is not
     defined over the element. */
  ELANUS_STATUS_UNSUPPORTED = 2,
  /* A defect of the library; nothing was written that can be relied on. */
  ELANUS_STATUS_INTERNAL = 3,
} ElanusStatus;

/* The stored type of a vector. Dimensions count stored units. */
typedef enum {
  /* IEEE 754 binary32. */
  ELANUS_ELEMENT_F32 = 0,
  /* IEEE 754 binary16. */
  ELANUS_ELEMENT_F16 = 1,
  /* The upper half of binary32. */
  ELANUS_ELEMENT_BF16 = 2,
  /* Signed bytes. */
  ELANUS_ELEMENT_I8 = 3,
  /* Unsigned bytes. */
  ELANUS_ELEMENT_U8 = 4,
  /* Two unsigned numbers of four bits in a byte, the first in the low half. */
  ELANUS_ELEMENT_U4 = 5,
  /* Eight bits in a byte, the first one lowest. */
  ELANUS_ELEMENT_BINARY = 6,
} ElanusElement;

/* How near two vectors are. */
typedef enum {
  /* Squared Euclidean distance. */
  ELANUS_METRIC_L2 = 0,
  /* Inner product. */
  ELANUS_METRIC_IP = 1,
  /* Cosine of the angle. */
  ELANUS_METRIC_COSINE = 2,
  /* The number of bits that differ. */
  ELANUS_METRIC_HAMMING = 3,
  /* Jaccard distance of the sets of one bits. */
  ELANUS_METRIC_JACCARD = 4,
  /* Tanimoto similarity of fingerprints. */
  ELANUS_METRIC_TANIMOTO = 5,
  /* 0 if every one bit of the row is one in the query, else 1. */
  ELANUS_METRIC_SUBSTRUCTURE = 6,
  /* 0 if every one bit of the query is one in the row, else 1. */
  ELANUS_METRIC_SUPERSTRUCTURE = 7,
  /* The share of 32-bit hashes that differ. */
  ELANUS_METRIC_MH_JACCARD = 8,
} ElanusMetric;

/* A metric over an element type, bound to an instruction set. Several threads may use one at once. */
typedef struct ElanusKernel ElanusKernel;

/* Why the last call of this thread that failed did so, or null when none has. The text lives until
   the next call that fails on this thread. */
const char *elanus_last_error(void);

/* Makes a kernel: `element` is one of `ElanusElement`, `metric` one of `ElanusMetric`. `isa` names
   the best instruction set that may be used, such as "avx2"; null is the best that the variable
   ELANUS_ISA allows, or this CPU has. The kernel is stored in `*kernel` and is freed by
   `elanus_kernel_free`.
   The caller sees to it that: `isa` is null or a string that ends with a NUL, and `kernel` is
   writable. */
ElanusStatus elanus_kernel_new(uint32_t element, uint32_t metric, const char *isa,
    ElanusKernel **kernel);

/* Frees a kernel; null is ignored.
   The caller sees to it that: `kernel` is null or came from `elanus_kernel_new` and has not been
   freed. */
void elanus_kernel_free(ElanusKernel *kernel);

/* The name of the kernel's instruction set, which lives as long as the kernel; null for a null
   kernel.
   The caller sees to it that: `kernel` is null or a living kernel. */
const char *elanus_kernel_isa(const ElanusKernel *kernel);

/* The score that a key stands for, as users are shown it; a key where smaller is nearer is what
   every other function returns. NaN for an unknown metric. */
float elanus_score(uint32_t metric, float key);

/* The key of two vectors of `dim` units.
   The caller sees to it that: `a` and `b` have `dim` units, and `key` is writable. What is written
   overlaps nothing that is read. */
ElanusStatus elanus_kernel_pair(const ElanusKernel *kernel, const void *a, const void *b,
    size_t dim, float *key);

/* The keys of a query with `count` rows that lie one after another.
   The caller sees to it that: `query` has `dim` units, `base` `count` times as many, and `keys`
   room for `count`. What is written overlaps nothing that is read. */
ElanusStatus elanus_kernel_rows(const ElanusKernel *kernel, const void *query, const void *base,
    size_t dim, size_t count, float *keys);

/* The keys of a query with the `id_count` rows that `ids` names, of `row_count` rows that lie one
   after another.
   The caller sees to it that: `query` has `dim` units, `base` `row_count` times as many, `ids` has
   `id_count` values and `keys` room for as many. What is written overlaps nothing that is read. */
ElanusStatus elanus_kernel_gather(const ElanusKernel *kernel, const void *query, const void *base,
    size_t dim, size_t row_count, const uint32_t *ids, size_t id_count, float *keys);

/* The keys of every query with every row: query `q` and row `r` at `keys[q * row_count + r]`.
   The caller sees to it that: `queries` has `query_count` times `dim` units, `base` `row_count`
   times as many, and `keys` room for the product of the counts. What is written overlaps nothing
   that is read. */
ElanusStatus elanus_kernel_tile(const ElanusKernel *kernel, const void *queries, size_t query_count,
    const void *base, size_t row_count, size_t dim, float *keys);

/* The `k` rows nearest to a query, nearest first, rows at the same key by their number. Bit `i %
   64` of word `i / 64` of `keep` says whether row `i` may be returned; null is all rows. Fewer than
   `k` are found where there are fewer; a row whose key is NaN is never found. `*found` says how
   many were.
   The caller sees to it that: `query` has `dim` units, `base` `row_count` times as many, `keep` is
   null or has a word for each 64 rows, `ids` and `keys` have room for `k`, and `found` is writable.
   What is written overlaps nothing that is read. */
ElanusStatus elanus_kernel_search(const ElanusKernel *kernel, const void *query, const void *base,
    size_t dim, size_t row_count, const uint64_t *keep, size_t k, uint32_t *ids, float *keys,
    size_t *found);

/* The `k` rows nearest to each of several queries, as `elanus_kernel_search` finds them, but by a
   product of matrices, which is many times as fast where there are a dozen queries or more. The
   neighbors of query `q` begin at `ids[q * k]` and `keys[q * k]`, and there are `found[q]`. For L2,
   IP and COSINE over F32, F16, BF16, I8 and U8.
   The caller sees to it that: `queries` has `query_count` times `dim` units, `base` `row_count`
   times as many, `keep` is null or has a word for each 64 rows, `ids` and `keys` have room for
   `query_count` times `k`, and `found` for `query_count`. What is written overlaps nothing that is
   read. */
ElanusStatus elanus_batch_search(const ElanusKernel *kernel, const void *queries,
    size_t query_count, const void *base, size_t row_count, size_t dim, const uint64_t *keep,
    size_t k, uint32_t *ids, float *keys, size_t *found);

#ifdef __cplusplus
}
#endif

#endif
