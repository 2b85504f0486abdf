// Philox4x32-10 (Salmon, Moraes, Dror, Shaw: Parallel random numbers: as easy as 1, 2, 3; SC 2011),
// and what is made of it: Bernoulli words and normal samples. A lane is one counter.
//
//   bits    counter (word, slice pair, stream low, stream high); bit t of a stream is bit t % 64 of
//           word t / 64. Slice k holds binary digit k, most significant first, of 64 uniform
//           numbers.
//   noise   counter (t / 4, kNoiseDomain, neuron, 0); sample t uses output t % 4.
#pragma once
#include "normal_table.hpp"
#include "simd.hpp"

namespace sc::SC_LEVEL {

inline constexpr uint32_t kNoiseDomain = 0x4E000000;

struct PhiloxKey {
  uint32_t low[10], high[10];

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

// N independent chains side by side hide the latency of the multiplications. Only the low 32 bits
// of each lane mean anything.
template <int N>
inline void philox(const PhiloxKey& key, U (&c0)[N], U (&c1)[N], U (&c2)[N], U (&c3)[N]) {
  const U m0 = set1(0xD2511F53u), m1 = set1(0xCD9E8D57u);
#pragma GCC unroll 10
  for (int round = 0; round < 10; round++) {
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

// The four normal samples of time block t / 4 for the neurons in the lanes.
inline void normal_block(const PhiloxKey& key, uint64_t block, U neuron, F (&z)[4]) {
  U c0[1] = {set1(block)}, c1[1] = {set1(kNoiseDomain)}, c2[1] = {neuron}, c3[1] = {set1(0)};
  philox<1>(key, c0, c1, c2, c3);
  z[0] = normal(kNormalTable, c0[0]);
  z[1] = normal(kNormalTable, c1[0]);
  z[2] = normal(kNormalTable, c2[0]);
  z[3] = normal(kNormalTable, c3[0]);
}

}  // namespace sc::SC_LEVEL
