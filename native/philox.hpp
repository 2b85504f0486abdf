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
  // As wide as a lane where an instruction can broadcast it from memory; elsewhere compilers would
  // keep copies of all lanes of it.
  using Word = std::conditional_t<kLanes == 8, uint64_t, uint32_t>;
  Word low[10], high[10];

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
#pragma GCC unroll 8
    for (int i = 0; i < N; i++) {
      const U p0 = mul32(m0, c0[i]), p1 = mul32(m1, c2[i]);
      c0[i] = xor3(p1 >> 32, c1[i], k0);
      c2[i] = xor3(p0 >> 32, c3[i], k1);
      c1[i] = p1;
      c3[i] = p0;
    }
  }
}

// A number that is the same in all lanes, where a lane's number could be.
struct S {
  uint64_t v;
};
inline U lanes(U a) { return a; }
inline U lanes(S a) { return set1(a.v); }
inline S mul32(S a, S b) { return {uint64_t{uint32_t(a.v)} * uint32_t(b.v)}; }
inline U mul32(S a, U b) { return mul32(set1(a.v), b); }
inline S operator>>(S a, int n) { return {a.v >> n}; }
inline S operator^(S a, S b) { return {a.v ^ b.v}; }
inline U operator^(S a, U b) { return set1(a.v) ^ b; }
inline U operator^(U a, S b) { return a ^ set1(b.v); }

// The blocks (word, m, low, high) for any slice pair m. What the first three rounds do alike for
// all m is done once, and where a counter is the same in all lanes, it is done on one number.
template <class Word, class Low, class High>
class Blocks {
 public:
  Blocks(const PhiloxKey& key, Word word, Low low, High high)
      : key_(key),
        c0_((mul32(kM1, low) >> 32) ^ S{key.low[0]}),
        c2_(high ^ S{key.high[0]} ^ (mul32(kM0, word) >> 32)),
        c3_(mul32(kM0, word) ^ S{key.high[1]}),
        p1_(mul32(kM1, c2_)),
        p0_(mul32(kM0, (p1_ >> 32) ^ mul32(kM1, low) ^ S{key.low[1]})),
        c1_(p1_ ^ S{key.low[2]}),
        p0_high_((p0_ >> 32) ^ S{key.high[2]}) {}

  // Slices 2 * (m + i) and 2 * (m + i) + 1 for i = 0 .. N - 1. N chains side by side hide the
  // latency of the multiplications.
  template <int N>
  void slices(int m, U (&out)[N][2]) const {
    U c0[N], c1[N], c2[N], c3[N];
#pragma GCC unroll 8
    for (int i = 0; i < N; i++) {
      const auto p0 = mul32(kM0, c0_ ^ S{uint64_t(m + i)});
      const auto p1 = mul32(kM1, (p0 >> 32) ^ c3_);
      c0[i] = lanes((p1 >> 32) ^ c1_);
      c1[i] = lanes(p1);
      c2[i] = lanes(p0_high_ ^ p0);
      c3[i] = lanes(p0_);
    }
    philox<N, 3>(key_, c0, c1, c2, c3);
#pragma GCC unroll 8
    for (int i = 0; i < N; i++) {
      out[i][0] = join32(c0[i], c1[i]);
      out[i][1] = join32(c2[i], c3[i]);
    }
  }

 private:
  static constexpr S kM0{kPhilox0}, kM1{kPhilox1};
  const PhiloxKey& key_;
  decltype(Low{} ^ S{}) c0_;
  decltype(Word{} ^ High{}) c2_;
  Word c3_;
  decltype(c2_) p1_;
  decltype(c2_ ^ Low{}) p0_;
  decltype(c2_) c1_;
  decltype(p0_) p0_high_;
};

// Compares 64 uniform numbers a lane with the lane's threshold (0 to 2**32), a binary digit at a
// time, most significant first. Where the first difference is decides: `held_` is the threshold's
// digit at the last step up to which the two were equal.
class Comparator {
 public:
  Comparator() = default;
  explicit Comparator(U threshold)
      : digits_(threshold << 32),
        held_(sign_mask(threshold << 31)),
        equal_(held_ ^ set1(~uint64_t{0})) {}
  // One that goes on from the parts of another.
  Comparator(U digits, U held, U equal) : digits_(digits), held_(held), equal_(equal) {}
  U digits() const { return digits_; }
  U held() const { return held_; }
  U equal() const { return equal_; }

  void step(U slice) {
    const U digit = sign_mask(digits_);
    held_ = bit_select(equal_, digit, held_);
    equal_ = equal_step(equal_, slice, digit);
    digits_ = digits_ << 1;
  }

  // Whether a digit that is still to come can matter, to the needed bits.
  bool undecided() const { return any_both(equal_, digits_); }
  bool undecided(U needed) const { return any_both(equal_ & needed, digits_); }

  // The lanes with needed bits whose numbers equal the threshold so far.
  unsigned open_lanes(U needed) const { return nonzero_lanes(equal_ & needed); }

  U less() const { return and_not(held_, equal_); }

 private:
  U digits_, held_, equal_;
};

// Slice pairs that are made at once, before one looks whether the bits are decided.
inline constexpr int kFirstPairs = kLanes == 1 ? 4 : 5;

// 64 bits a lane, each 1 with probability threshold / 2**32. The digits are compared until every
// bit is decided; where the comparison ends does not change the bits, so they do not depend on the
// number of lanes.
template <class Word, class Low, class High>
inline U bernoulli_word(const PhiloxKey& key, Word word, Low low, High high, U threshold) {
  Comparator comparator(threshold);
  if (!comparator.undecided()) return comparator.less();
  const Blocks<Word, Low, High> blocks(key, word, low, high);
  U first[kFirstPairs][2];
  blocks.slices(0, first);
  for (const auto& pair : first)
    for (const U slice : pair) comparator.step(slice);
  for (int m = kFirstPairs; m < 16 && comparator.undecided(); m++) {
    U next[1][2];
    blocks.slices(m, next);
    for (const U slice : next[0]) comparator.step(slice);
  }
  return comparator.less();
}

// The needed bits of the same word, others as they come: few bits are decided earlier.
template <int kPairs, class Word, class Low, class High>
inline U bernoulli_bits(const PhiloxKey& key, Word word, Low low, High high, U threshold,
                        U needed) {
  Comparator comparator(threshold);
  if (!comparator.undecided(needed)) return comparator.less();
  const Blocks<Word, Low, High> blocks(key, word, low, high);
  U first[kPairs][2];
  blocks.slices(0, first);
  for (const auto& pair : first)
    for (const U slice : pair) comparator.step(slice);
  for (int m = kPairs; m < 16 && comparator.undecided(needed); m += 2) {
    U next[2][2];
    blocks.slices(m, next);  // a pair past the last meets no digit that is set
    for (const auto& pair : next)
      for (const U slice : pair) comparator.step(slice);
  }
  return comparator.less();
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
