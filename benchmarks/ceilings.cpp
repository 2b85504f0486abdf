// Measures the limits of one core. ceilings.py compiles this file once per instruction set and
// loads it. A rate is the best of several repeats, in instructions, blocks, bits or bytes per
// second of processor time. `kept` costs nothing and makes the compiler assume that a value is
// changed and used.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <initializer_list>

#ifdef __AVX2__
#include <immintrin.h>
#endif

namespace {

#if defined(__AVX512F__)
constexpr int kLanes = 8;
#define REGISTER "+v"
#elif defined(__AVX2__)
constexpr int kLanes = 4;
#define REGISTER "+x"
#else
constexpr int kLanes = 1;
#define REGISTER "+r"
#endif

#ifdef __AVX2__
typedef uint64_t U __attribute__((vector_size(8 * kLanes), may_alias));
typedef double F __attribute__((vector_size(8 * kLanes)));
#else  // one number in a register
typedef uint64_t U;
typedef double F;
#endif

// Returns the value through a register. An array whose element is the operand would go to memory.
[[gnu::always_inline]] inline U kept(U x) {
  asm volatile("" : REGISTER(x));
  return x;
}
[[gnu::always_inline]] inline F kept(F x) {
  asm volatile("" : "+x"(x));
  return x;
}

U set1(uint64_t a) { return U{} + a; }

U mul32(U a, U b) {
#if defined(__AVX512F__)
  return (U)_mm512_mul_epu32((__m512i)a, (__m512i)b);
#elif defined(__AVX2__)
  return (U)_mm256_mul_epu32((__m256i)a, (__m256i)b);
#else
  return uint64_t{uint32_t(a)} * uint32_t(b);
#endif
}

// Ones of each lane or, in AVX2, sums of the ones of bytes, which suffices for a total.
U popcount(U a) {
#if defined(__AVX512F__)
  return (U)_mm512_popcnt_epi64((__m512i)a);
#elif defined(__AVX2__)
  const __m256i ones = _mm256_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4, 0, 1, 1, 2,
                                        1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4);
  const __m256i low = _mm256_set1_epi8(15), v = (__m256i)a;
  const __m256i bytes =
      _mm256_add_epi8(_mm256_shuffle_epi8(ones, _mm256_and_si256(v, low)),
                      _mm256_shuffle_epi8(ones, _mm256_and_si256(_mm256_srli_epi16(v, 4), low)));
  return (U)_mm256_sad_epu8(bytes, _mm256_setzero_si256());
#else
  a -= a >> 1 & 0x5555555555555555;
  a = (a & 0x3333333333333333) + (a >> 2 & 0x3333333333333333);
  return ((a + (a >> 4)) & 0x0F0F0F0F0F0F0F0F) * 0x0101010101010101 >> 56;
#endif
}

template <class Body>
double best_rate(double work, Body body) {
  double best = 0;
  for (int repeat = 0; repeat < 15; repeat++) {
    const std::clock_t start = std::clock();
    body();
    const double seconds = double(std::clock() - start) / CLOCKS_PER_SEC;
    if (work / seconds > best) best = work / seconds;
  }
  return best;
}

// Instructions per second of a step on ten independent chains, more than latency times throughput.
constexpr int kChains = 10;
constexpr int kLoops = 200000;

template <class Step>
double rate_of(Step step) {
  return best_rate(double(kChains) * kLoops, [&] {
    U a[kChains];
    for (int i = 0; i < kChains; i++) a[i] = set1(uint64_t(i) * 0x9E3779B97F4A7C15);
    const U b = kept(set1(0xD2511F53));
    for (int n = 0; n < kLoops; n++) {
#pragma GCC unroll 10
      for (int i = 0; i < kChains; i++) {
        a[i] = kept(step(a[i], b));
      }
    }
  });
}

template <class Step>
double rate_of_double(Step step) {
  return best_rate(double(kChains) * kLoops, [&] {
    F a[kChains];
    for (int i = 0; i < kChains; i++) a[i] = F{} + double(i);
    const F b = kept(F{} + 1.0);
    for (int n = 0; n < kLoops; n++) {
#pragma GCC unroll 10
      for (int i = 0; i < kChains; i++) {
        a[i] = kept(step(a[i], b));
      }
    }
  });
}

// Blocks per second of Philox4x32-10 with N chains in parallel, without the counters.
template <int N>
double philox_chains() {
  uint64_t keys[2][10];
  for (int r = 0; r < 10; r++) {
    keys[0][r] = uint32_t(r * 0x9E3779B9u);
    keys[1][r] = uint32_t(r * 0xBB67AE85u);
  }
  asm volatile("" : : "r"(keys) : "memory");
  constexpr int kBlocks = 5000;
  return best_rate(double(kBlocks) * N * kLanes, [&] {
    const U m0 = set1(0xD2511F53u), m1 = set1(0xCD9E8D57u);
    for (int n = 0; n < kBlocks; n++) {
      U c[N][4];
#pragma GCC unroll 8
      for (int i = 0; i < N; i++)
        for (int j = 0; j < 4; j++) c[i][j] = kept(set1(uint64_t(4 * n + j + i)));
#pragma GCC unroll 10
      for (int r = 0; r < 10; r++) {
        const U k0 = set1(keys[0][r]), k1 = set1(keys[1][r]);
#pragma GCC unroll 8
        for (int i = 0; i < N; i++) {
          const U p0 = mul32(m0, c[i][0]), p1 = mul32(m1, c[i][2]);
          c[i][0] = (p1 >> 32) ^ c[i][1] ^ k0;
          c[i][2] = (p0 >> 32) ^ c[i][3] ^ k1;
          c[i][1] = p1;
          c[i][3] = p0;
        }
      }
#pragma GCC unroll 8
      for (int i = 0; i < N; i++)
        for (int j = 0; j < 4; j++) kept(c[i][j]);
    }
  });
}

// Memory aligned to cache lines, touched so that its pages exist.
struct Buffer {
  explicit Buffer(size_t bytes)
      : n(bytes / 512 * 64 / kLanes),
        p(static_cast<U*>(std::aligned_alloc(64, bytes / 512 * 512))) {
    for (size_t i = 0; i < n; i++) p[i] = set1(i);
  }
  ~Buffer() { std::free(p); }
  size_t n;
  U* p;
};

size_t passes(const Buffer& b, size_t bytes) { return 1 + bytes / (b.n * sizeof(U)); }

}  // namespace

extern "C" {

int lanes() { return kLanes; }

double logic() {
  return rate_of([](U a, U b) { return a ^ b; });
}
double shift() {
  return rate_of([](U a, U) { return a << 1; });
}
double multiply32() {
  return rate_of([](U a, U b) { return mul32(a, b); });
}
double add_double() {
  return rate_of_double([](F a, F b) { return a + b; });
}
double multiply_double() {
  return rate_of_double([](F a, F b) { return a * b; });
}

double philox() {
  double best = 0;
  for (double rate :
       {philox_chains<1>(), philox_chains<2>(), philox_chains<4>(), philox_chains<6>()})
    if (rate > best) best = rate;
  return best;
}

// Bits per second of AND, popcount and sum: of registers, and of two arrays in the first-level
// cache.
double and_count() {
  return best_rate(64.0 * kLanes * 4 * kLoops, [] {
    U a[4], sum[4];
    const U b = kept(set1(0x123456789ABCDEF));
    for (int i = 0; i < 4; i++) a[i] = sum[i] = set1(uint64_t(i));
    for (int n = 0; n < kLoops; n++) {
#pragma GCC unroll 4
      for (int i = 0; i < 4; i++) {
        sum[i] = kept(sum[i] + popcount(kept(a[i]) & b));
      }
    }
  });
}

double and_count_l1() {
  const Buffer x(8192), y(8192);
  constexpr int kPasses = 2000;
  return best_rate(64.0 * kLanes * double(x.n) * kPasses, [&] {
    U sum[4] = {};
    for (int n = 0; n < kPasses; n++) {
      for (size_t i = 0; i < x.n; i += 4) {
#pragma GCC unroll 4
        for (size_t k = 0; k < 4; k++) {
          sum[k] = kept(sum[k] + popcount(x.p[i + k] & y.p[i + k]));
        }
      }
    }
  });
}

double load(size_t bytes) {
  const Buffer b(bytes);
  const size_t rounds = passes(b, size_t{1} << 25);
  return best_rate(double(rounds * b.n * sizeof(U)), [&] {
    for (size_t r = 0; r < rounds; r++) {
      for (size_t i = 0; i < b.n; i += 8) {
#pragma GCC unroll 8
        for (size_t k = 0; k < 8; k++) kept(b.p[i + k]);
      }
    }
  });
}

double store(size_t bytes) {
  const Buffer b(bytes);
  const size_t rounds = passes(b, size_t{1} << 25);
  return best_rate(double(rounds * b.n * sizeof(U)), [&] {
    const U x = set1(1);
    for (size_t r = 0; r < rounds; r++) {
      for (size_t i = 0; i < b.n; i += 8) {
#pragma GCC unroll 8
        for (size_t k = 0; k < 8; k++) b.p[i + k] = kept(x);
      }
      asm volatile("" ::: "memory");
    }
  });
}

}  // extern "C"
