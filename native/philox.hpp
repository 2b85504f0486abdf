// Philox4x32-10 (Salmon, Moraes, Dror, Shaw: Parallel random numbers: as easy as 1, 2, 3; SC 2011),
// and what is made of it: Bernoulli words and normal samples. A lane is one counter.
//
//   bits    counter (word, slice pair, stream low, stream high); bit t of a stream is bit t % 64 of
//           word t / 64. Slice k holds binary digit k, most significant first, of 64 uniform
//           numbers.
//   noise   counter (t / 4, kNoiseDomain, neuron, 0); sample t uses output t % 4.
#pragma once
#include "simd.hpp"

namespace sc::SC_LEVEL {

inline constexpr uint32_t kNoiseDomain = 0x4E000000;

struct PhiloxKey {
  uint64_t low[10], high[10];

  explicit PhiloxKey(uint64_t key) {
    uint32_t k0 = uint32_t(key), k1 = uint32_t(key >> 32);
    for (int round = 0; round < 10; round++) {
      low[round] = k0;
      high[round] = k1;
      k0 += 0x9E3779B9u;
      k1 += 0xBB67AE85u;
    }
  }
};

inline constexpr uint32_t kPhilox0 = 0xD2511F53u, kPhilox1 = 0xCD9E8D57u;

// N independent chains side by side hide the latency of the multiplications. Only the low 32 bits
// of each lane mean anything. kDone rounds have been done.
template <int N, int kDone = 0>
inline void philox(const PhiloxKey& key, U (&c0)[N], U (&c1)[N], U (&c2)[N], U (&c3)[N]) {
  const U m0 = set1(kPhilox0), m1 = set1(kPhilox1);
#pragma GCC unroll 10
  for (int round = kDone; round < 10; round++) {
    const U k0 = set1(key.low[round]), k1 = set1(key.high[round]);
#pragma GCC unroll 4
    for (int i = 0; i < N; i++) {
      const U p0 = mul32(m0, c0[i]), p1 = mul32(m1, c2[i]);
      c0[i] = xor3(p1 >> 32, c1[i], k0);
      c2[i] = xor3(p0 >> 32, c3[i], k1);
      c1[i] = p1;
      c3[i] = p0;
    }
  }
}

// Compare 2 * N binary digits of the uniform numbers with those of the thresholds, from pair m on.
template <int N>
inline void compare_digits(const PhiloxKey& key, U word, U stream_low, U stream_high, int m,
                           U& digits, U& less, U& equal) {
  U c0[N], c1[N], c2[N], c3[N];
  for (int i = 0; i < N; i++) {
    c0[i] = word;
    c1[i] = set1(uint64_t(m + i));
    c2[i] = stream_low;
    c3[i] = stream_high;
  }
  philox<N>(key, c0, c1, c2, c3);
  for (int i = 0; i < N; i++) {
    const U slices[2] = {join32(c0[i], c1[i]), join32(c2[i], c3[i])};
    for (const U r : slices) {
      const U p = sign_mask(digits);
      less = less_step(less, equal, r, p);
      equal = equal_step(equal, r, p);
      digits = digits << 1;
    }
  }
}

// 64 bits a lane, each 1 with probability threshold / 2**32 (0 <= threshold <= 2**32). The digits
// are compared until every bit is decided; where the comparison ends does not change the bits, so
// they do not depend on the number of lanes.
inline U bernoulli_word(const PhiloxKey& key, U word, U stream, U threshold) {
  U digits = threshold << 32;
  U less = sign_mask(threshold << 31);
  U equal = less ^ set1(~uint64_t{0});
  if (!any_both(equal, digits)) return less;
  const U low = stream, high = stream >> 32;
  compare_digits<4>(key, word, low, high, 0, digits, less, equal);
  for (int m = 4; m < 16 && any_both(equal, digits); m += 2)
    compare_digits<2>(key, word, low, high, m, digits, less, equal);
  return less;
}

// What the first two rounds make of the neuron alone: the first product of c2 and the second of c0.
struct NoiseLanes {
  U product1, product0;

  NoiseLanes() = default;
  NoiseLanes(const PhiloxKey& key, U neuron)
      : product1(mul32(set1(kPhilox1), neuron)),
        product0(mul32(set1(kPhilox0), (product1 >> 32) ^ set1(kNoiseDomain ^ key.low[0]))) {}
};

// The normal samples z[i][t % 4] of time block t / 4, table values in single precision.
template <int N>
inline void normal_block(const PhiloxKey& key, const NoiseLanes* lanes, uint64_t block,
                         float (*z)[4][kLanes]) {
  // In the first two rounds the other words of the counter are the same in all lanes.
  const uint64_t product0 = uint64_t{kPhilox0} * uint32_t(block);
  const uint64_t product1 = uint64_t{kPhilox1} * (uint32_t(product0 >> 32) ^ key.high[0]);
  const U word0 = set1(uint32_t(product1 >> 32) ^ key.low[1]);
  const U word2 = set1(uint32_t(product0) ^ key.high[1]);
  U c0[N], c1[N], c2[N], c3[N];
  for (int i = 0; i < N; i++) {
    c0[i] = lanes[i].product1 ^ word0;
    c1[i] = set1(product1);
    c2[i] = (lanes[i].product0 >> 32) ^ word2;
    c3[i] = lanes[i].product0;
  }
  philox<N, 2>(key, c0, c1, c2, c3);
  U numbers[4 * N];
#pragma GCC unroll 4
  for (int i = 0; i < N; i++) {
    numbers[4 * i] = c0[i];
    numbers[4 * i + 1] = c1[i];
    numbers[4 * i + 2] = c2[i];
    numbers[4 * i + 3] = c3[i];
  }
  constexpr int kTogether = N % 2 == 0 ? 8 : 4;
#pragma GCC unroll 2
  for (int i = 0; i < 4 * N; i += kTogether) normal<kTogether>(numbers + i, z[i / 4][0]);
}

}  // namespace sc::SC_LEVEL
