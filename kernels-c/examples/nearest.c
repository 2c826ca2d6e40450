/* The nearest rows to a query, from C: `cargo xtask ci --only c` compiles and runs this. */
#include "elanus_kernels.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static void check(ElanusStatus status) {
  if (status != ELANUS_STATUS_OK) {
    fprintf(stderr, "error %d: %s\n", (int)status, elanus_last_error());
    exit(1);
  }
}

int main(void) {
  enum { DIM = 3, ROWS = 4, K = 2 };
  const float base[ROWS * DIM] = {
      0.0f, 0.0f, 0.0f, /* row 0 */
      1.0f, 0.0f, 0.0f, /* row 1 */
      0.0f, 2.0f, 0.0f, /* row 2 */
      0.5f, 0.5f, 0.0f, /* row 3 */
  };
  const float query[DIM] = {1.0f, 1.0f, 0.0f};

  ElanusKernel *kernel = NULL;
  check(elanus_kernel_new(ELANUS_ELEMENT_F32, ELANUS_METRIC_L2, NULL, &kernel));
  printf("instruction set: %s\n", elanus_kernel_isa(kernel));

  /* One pair. */
  float key = NAN;
  check(elanus_kernel_pair(kernel, query, base, DIM, &key));
  printf("squared distance to row 0: %g\n", elanus_score(ELANUS_METRIC_L2, key));

  /* The nearest rows, leaving out row 3: its bit is clear. */
  const uint64_t keep[1] = {0x7};
  uint32_t ids[K];
  float keys[K];
  size_t found = 0;
  check(elanus_kernel_search(kernel, query, base, DIM, ROWS, keep, K, ids, keys, &found));
  for (size_t i = 0; i < found; i++) {
    printf("row %u at %g\n", (unsigned)ids[i], elanus_score(ELANUS_METRIC_L2, keys[i]));
  }

  /* What cannot be done is refused, with a text. */
  ElanusKernel *none = NULL;
  ElanusStatus refused = elanus_kernel_new(ELANUS_ELEMENT_F32, ELANUS_METRIC_HAMMING, NULL, &none);
  printf("refused: %s\n", elanus_last_error());

  elanus_kernel_free(kernel);
  int right = key == 2.0f && found == 2 && ids[0] == 1 && ids[1] == 0 && keys[0] == 1.0f &&
              refused == ELANUS_STATUS_UNSUPPORTED && none == NULL;
  return right ? 0 : 1;
}
