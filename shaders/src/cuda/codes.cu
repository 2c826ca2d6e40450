// Scans over scalar codes, product codes and RaBitQ's signs. The sums are exact, and the few operations that make keys
// of them are those of a processor, in the same order, so that both come to the same keys.
//
// What it should cost on an H200, with 132 multiprocessors at 1.75 GHz: reading at 4.3 TB/s gives each one 18.6 bytes a
// cycle, 28 cycles for a chunk of a warp. With one query four chunks of each of 24 warps are 48 KiB on their way, where
// the memory's latency of about a microsecond asks for 32; with several there is more to do than to wait for.
//
// Scalar codes. A chunk takes one query 4 to 8 products of four bytes a lane, at 64 results a cycle 2 to 4 cycles, and as
// many loads from shared memory, all of one address: eight queries take about as long as reading.
//
// Product codes. A chunk holds 32 codes. The sixteen entries of a table, of one byte for one query and of four for four,
// lie in different banks, so that a load of a warp takes one cycle: 32 cycles for one query or four, and with three
// instructions a code 24 for one and 56 for four. So one query is nearly as fast as reading, and four take twice that.
//
// Signs. The exclusive or with four planes leaves sixteen words whose ones have four weights. Adders of whole words,
// three of one weight becoming one of it and one of the next, leave six words to be counted, at 16 results a cycle 12
// cycles, and 40 operations, 20 cycles: one query is as fast as reading, and each further one takes its own time.
#ifndef ELANUS_CODES
#include "codes.cuh"
#endif

// The first sum, whose place the next one takes: registers have no numbers that a loop could count.
template <class Sum, u32 N>
INLINE Sum take_first(Sum (&sums)[N]) {
  Sum first = sums[0];
  UNROLL for (u32 q = 0; q + 1 < N; q++) sums[q] = sums[q + 1];
  return first;
}

// Scalar codes: the sum of the products of codes with the query's bytes.
template <u32 BITS, u32 PIECE>
struct ScalarCodes {
  static constexpr u32 QUERIES = CODES_QUERIES;
  static INLINE u32 piece(const CodesArgs&) { return PIECE; }

  template <u32 N>
  static INLINE void fill(const CodesArgs& args, const CodesGroup& group, u32 first, u32 count) {
    copy_pieces<N>(args, group, PIECE, first, count);
  }

  template <u32 N>
  struct ProductSums {
    i32 sums[N];

    INLINE void clear() {
      UNROLL for (u32 q = 0; q < N; q++) sums[q] = 0;
    }
    INLINE i32 take() { return take_first(sums); }

    // Four words of codes, a byte for each component, with sixteen bytes at `part` of the pieces.
    INLINE void add_words(const u32 (&codes)[4], u32 pieces, u32 part) {
      UNROLL for (u32 q = 0; q < N; q++) {
        Chunk y = load_shared(shared_memory() + pieces + q * PIECE + part * 16);
        UNROLL for (u32 w = 0; w < 4; w++) sums[q] = dot_bytes(codes[w], y.word[w], sums[q]);
      }
    }
  };

  static INLINE float key(const CodesArgs& args, const CodesTerms& terms, i32 sum, const float (&factors)[3]) {
    const float* t = terms.value;
    bool own = args.factors == 3;
    float min = own ? factors[0] : args.grid_min, step = own ? factors[1] : args.grid_step;
    float square = own ? factors[2] : factors[0];
    float product = t[0] * (float)sum;
    float inner = min * t[2] + step * (product + t[1]);
    float key = t[3] + t[4] * square + t[5] * inner;
    if (t[6] == 0.0f) return key;
    float cosine = quotient(key, root(square));
    cosine = cosine < -1.0f ? -1.0f : cosine > 1.0f ? 1.0f : cosine;
    return square > 0.0f ? cosine : 0.0f;
  }
};

// A chunk is sixteen components.
struct Scalar8 : ScalarCodes<8, 16> {
  static constexpr u32 CHUNKS = 1, AHEAD = 4, AHEAD_OF_MANY = 2;
  template <u32 N>
  struct Sums : ProductSums<N> {
    INLINE void add(const CodesArgs&, const Chunk (&x)[1], u32 pieces) { this->add_words(x[0].word, pieces, 0); }
  };
};

// A chunk is 32 components: a word has four in its lower halves of bytes, and the next four in the upper ones.
struct Scalar4 : ScalarCodes<4, 32> {
  static constexpr u32 CHUNKS = 1, AHEAD = 4, AHEAD_OF_MANY = 2;
  template <u32 N>
  struct Sums : ProductSums<N> {
    INLINE void add(const CodesArgs&, const Chunk (&x)[1], u32 pieces) {
      UNROLL for (u32 part = 0; part < 2; part++) {
        u32 a = x[0].word[2 * part], b = x[0].word[2 * part + 1];
        const u32 codes[4] = {a & 0x0f0f0f0fu, a >> 4 & 0x0f0f0f0fu, b & 0x0f0f0f0fu, b >> 4 & 0x0f0f0f0fu};
        this->add_words(codes, pieces, part);
      }
    }
  };
};

// Two chunks are the lower four bits of 64 components, as above, and a third one the upper two: a word has them of
// sixteen, four in the lowest bits of its bytes, and so on.
struct Scalar6 : ScalarCodes<6, 64> {
  static constexpr u32 CHUNKS = 3, AHEAD = 2, AHEAD_OF_MANY = 1;
  template <u32 N>
  struct Sums : ProductSums<N> {
    INLINE void add(const CodesArgs&, const Chunk (&x)[3], u32 pieces) {
      UNROLL for (u32 part = 0; part < 4; part++) {
        u32 a = x[part / 2].word[part % 2 * 2], b = x[part / 2].word[part % 2 * 2 + 1], high = x[2].word[part];
        const u32 codes[4] = {
            (a & 0x0f0f0f0fu) | (high << 4 & 0x30303030u), (a >> 4 & 0x0f0f0f0fu) | (high << 2 & 0x30303030u),
            (b & 0x0f0f0f0fu) | (high & 0x30303030u), (b >> 4 & 0x0f0f0f0fu) | (high >> 2 & 0x30303030u)};
        this->add_words(codes, pieces, part);
      }
    }
  };
};

// Product codes: a chunk is 32 sub-quantizers, eight in a word: four in the lower halves of its bytes, four in the upper
// ones. A piece is their tables, sixteen bytes each.
struct Product4 {
  static constexpr u32 QUERIES = 4, CHUNKS = 1, AHEAD = 4, AHEAD_OF_MANY = 1, TABLES = 32;
  static INLINE u32 piece(const CodesArgs&) { return TABLES * 16; }

  // For several queries entries that stand at the same place in their tables become the bytes of a word.
  template <u32 N>
  static INLINE void fill(const CodesArgs& args, const CodesGroup& group, u32 first, u32 count) {
    if constexpr (N == 1) {
      copy_pieces<1>(args, group, TABLES * 16, first, count);
    } else {
      static_assert(N == 4, "a word has four bytes");
      u32* to = shared_pointer<u32>(0);
      ROLLED for (u32 table = thread_index(); table < count * TABLES; table += CODES_THREADS) {
        Chunk x[N];
        UNROLL for (u32 q = 0; q < N; q++) {
          x[q] = {{0, 0, 0, 0}};
          const u8* from = (const u8*)args.queries + (u64)(group.first + q) * args.query_bytes;
          if (q < group.left) x[q] = load_near(from + (u64)(first * TABLES + table) * 16);
        }
        UNROLL for (u32 entry = 0; entry < 16; entry++) {
          u32 word = 0;
          UNROLL for (u32 q = 0; q < N; q++) word |= (x[q].word[entry / 4] >> (entry % 4 * 8) & 255) << (q * 8);
          to[table * 16 + entry] = word;
        }
      }
    }
  }

  template <u32 N>
  struct Sums {
    u32 sums[N];

    INLINE void clear() {
      UNROLL for (u32 q = 0; q < N; q++) sums[q] = 0;
    }
    INLINE u32 take() { return take_first(sums); }

    INLINE void add(const CodesArgs&, const Chunk (&x)[1], u32 pieces) {
      // Sums of 32 bytes fit sixteen bits.
      u32 even = 0, odd = 0;
      UNROLL for (u32 w = 0; w < 4; w++) {
        UNROLL for (u32 half = 0; half < 2; half++) {
          u32 codes = x[0].word[w] >> (4 * half) & 0x0f0f0f0fu;
          UNROLL for (u32 j = 0; j < 4; j++) {
            u32 place = (w * 8 + half * 4 + j) * 16 + (codes >> (8 * j) & 255);
            if constexpr (N == 1) {
              sums[0] += shared_pointer<u8>(pieces)[place];
            } else {
              u32 word = shared_pointer<u32>(pieces)[place];
              even += word & 0x00ff00ffu;
              odd += word >> 8 & 0x00ff00ffu;
            }
          }
        }
      }
      if constexpr (N == 4) {
        sums[0] += even & 0xffff;
        sums[1] += odd & 0xffff;
        sums[2] += even >> 16;
        sums[3] += odd >> 16;
      }
    }
  };

  static INLINE float key(const CodesArgs&, const CodesTerms& terms, u32 sum, const float (&)[3]) {
    return terms.value[0] + terms.value[1] * (float)sum;
  }
};

// Adders of words, bit by bit: what is left of its own weight, and what is of the next.
struct Added {
  u32 own, next;
};
INLINE Added add_three(u32 a, u32 b, u32 c) { return {a ^ b ^ c, (a & b) | (c & (a | b))}; }
INLINE Added add_two(u32 a, u32 b) { return {a ^ b, a & b}; }

// RaBitQ's signs: a chunk is 128 of them, and a piece as many bits of each plane of the query.
struct Signs {
  static constexpr u32 QUERIES = 4, CHUNKS = 1, AHEAD = 4, AHEAD_OF_MANY = 1;
  static INLINE u32 piece(const CodesArgs& args) { return args.planes * 16; }

  template <u32 N>
  static INLINE void fill(const CodesArgs& args, const CodesGroup& group, u32 first, u32 count) {
    copy_pieces<N>(args, group, args.planes * 16, first, count);
  }

  static INLINE Chunk differing(const Chunk& signs, u32 pieces, u32 plane) {
    Chunk x = load_shared(shared_memory() + pieces + plane * 16);
    UNROLL for (u32 w = 0; w < 4; w++) x.word[w] ^= signs.word[w];
    return x;
  }

  // The ones of four planes, each plane's counted twice as much as those of the one before.
  static INLINE u32 four_planes(const Chunk& signs, u32 pieces) {
    Chunk x = differing(signs, pieces, 0);
    Added a = add_three(x.word[0], x.word[1], x.word[2]), b = add_two(a.own, x.word[3]);
    u32 count = ones(b.own), carry[3] = {a.next, b.next, 0};
    x = differing(signs, pieces, 1);
    a = add_three(x.word[0], x.word[1], x.word[2]);
    b = add_three(x.word[3], carry[0], carry[1]);
    Added c = add_two(a.own, b.own);
    count += ones(c.own) << 1;
    carry[0] = a.next;
    carry[1] = b.next;
    carry[2] = c.next;
    UNROLL for (u32 plane = 2; plane < 4; plane++) {
      x = differing(signs, pieces, plane);
      a = add_three(x.word[0], x.word[1], x.word[2]);
      b = add_three(x.word[3], carry[0], carry[1]);
      c = add_three(a.own, b.own, carry[2]);
      count += ones(c.own) << plane;
      carry[0] = a.next;
      carry[1] = b.next;
      carry[2] = c.next;
    }
    a = add_three(carry[0], carry[1], carry[2]);
    return count + (ones(a.own) << 4) + (ones(a.next) << 5);
  }

  static INLINE u32 all_planes(const Chunk& signs, u32 pieces, u32 planes) {
    u32 count = 0;
    ROLLED for (u32 plane = 0; plane < planes; plane++) {
      Chunk x = differing(signs, pieces, plane);
      u32 sum = 0;
      UNROLL for (u32 w = 0; w < 4; w++) sum += ones(x.word[w]);
      count += sum << plane;
    }
    return count;
  }

  template <u32 N>
  struct Sums {
    u32 sums[N];

    INLINE void clear() {
      UNROLL for (u32 q = 0; q < N; q++) sums[q] = 0;
    }
    INLINE u32 take() { return take_first(sums); }

    INLINE void add(const CodesArgs& args, const Chunk (&x)[1], u32 pieces) {
      if (args.planes == 4) {
        UNROLL for (u32 q = 0; q < N; q++) sums[q] += four_planes(x[0], pieces + q * 64);
      } else {
        u32 piece = args.planes * 16;
        UNROLL for (u32 q = 0; q < N; q++) sums[q] += all_planes(x[0], pieces + q * piece, args.planes);
      }
    }
  };

  static INLINE float key(const CodesArgs& args, const CodesTerms& terms, u32 sum, const float (&factors)[3]) {
    i32 product = (i32)(args.dim * ((1u << args.planes) - 1)) - 2 * (i32)sum;
    return (factors[0] + terms.value[0]) + factors[1] * (terms.value[1] * (float)product);
  }
};

ENTRY(codes_sq4, CodesArgs, CODES_THREADS, 3) { scan_codes<Scalar4>(args); }
ENTRY(codes_sq6, CodesArgs, CODES_THREADS, 3) { scan_codes<Scalar6>(args); }
ENTRY(codes_sq8, CodesArgs, CODES_THREADS, 3) { scan_codes<Scalar8>(args); }
ENTRY(codes_pq4, CodesArgs, CODES_THREADS, 3) { scan_codes<Product4>(args); }
ENTRY(codes_rabitq, CodesArgs, CODES_THREADS, 3) { scan_codes<Signs>(args); }
