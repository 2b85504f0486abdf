// Bernoulli streams, and the generator on its own for its tests.
#include <algorithm>

#include "kernels.hpp"
#include "philox.hpp"

namespace sc::SC_LEVEL {

void philox_blocks(uint64_t key, const uint32_t* counters, uint32_t* out, size_t n) {
  const PhiloxKey k(key);
  for (size_t first = 0; first < n; first += kLanes) {
    uint64_t lanes[4][kLanes] = {};
    const size_t here = n - first < kLanes ? n - first : kLanes;
    for (size_t i = 0; i < here; i++)
      for (size_t c = 0; c < 4; c++) lanes[c][i] = counters[4 * (first + i) + c];
    U c0[1] = {load(lanes[0])}, c1[1] = {load(lanes[1])};
    U c2[1] = {load(lanes[2])}, c3[1] = {load(lanes[3])};
    philox<1>(k, c0, c1, c2, c3);
    store(lanes[0], c0[0]);
    store(lanes[1], c1[0]);
    store(lanes[2], c2[0]);
    store(lanes[3], c3[0]);
    for (size_t i = 0; i < here; i++)
      for (size_t c = 0; c < 4; c++) out[4 * (first + i) + c] = uint32_t(lanes[c][i]);
  }
}

void encode(const Encode& e, size_t first, size_t last) {
  const PhiloxKey key(e.key);
  const size_t words = words_for(e.to.length);
  const uint64_t last_mask = last_word_mask(e.to.length);
  size_t stream = first / words, word = first % words;
  for (size_t f = first; f < last; f += kLanes) {
    const size_t here = last - f < kLanes ? last - f : kLanes;
    U bits;
    if (word + kLanes <= words) {
      bits = bernoulli_word(key, set1(e.to.first_word + word) + iota(), set1(e.streams[stream]),
                            set1(e.to.thresholds[stream]));
      word += kLanes;
      if (word == words) {
        word = 0;
        stream++;
      }
    } else {  // the lanes belong to several streams
      uint64_t lane_word[kLanes] = {}, lane_stream[kLanes] = {}, lane_threshold[kLanes] = {};
      for (size_t i = 0; i < here; i++) {
        lane_word[i] = e.to.first_word + word;
        lane_stream[i] = e.streams[stream];
        lane_threshold[i] = e.to.thresholds[stream];
        if (++word == words) {
          word = 0;
          stream++;
        }
      }
      bits = bernoulli_word(key, load(lane_word), load(lane_stream), load(lane_threshold));
    }
    store_some(e.to.out + f, bits, here);
  }
  if (last_mask != ~uint64_t{0}) {
    for (size_t f = first / words * words + words - 1; f < last; f += words)
      e.to.out[f] &= last_mask;
  }
}

namespace {

// Transposes 32 x 32 bits: afterwards bit t of slice k is bit 31 - k of number t (Warren: Hacker's
// Delight, 7-3).
inline void transpose32(uint32_t (&a)[32]) {
  uint32_t mask = 0x0000FFFF;
  for (int j = 16; j != 0; j >>= 1, mask ^= mask << j) {
    for (int k = 0; k < 32; k = (k + j + 1) & ~j) {
      const uint32_t t = (a[k] ^ (a[k + j] >> j)) & mask;
      a[k] ^= t;
      a[k + j] ^= t << j;
    }
  }
}

// The 64 numbers of each word in the lanes, from their 32 binary digits.
inline void uniform_words(const PhiloxKey& key, U word, U stream, uint32_t (*numbers)[64]) {
  uint64_t slices[32][kLanes];
  for (int m = 0; m < 16; m += 4) {
    U c0[4], c1[4], c2[4], c3[4];
    for (int i = 0; i < 4; i++) {
      c0[i] = word;
      c1[i] = set1(uint64_t(m + i));
      c2[i] = stream;
      c3[i] = stream >> 32;
    }
    philox<4>(key, c0, c1, c2, c3);
    for (int i = 0; i < 4; i++) {
      store(slices[2 * (m + i)], join32(c0[i], c1[i]));
      store(slices[2 * (m + i) + 1], join32(c2[i], c3[i]));
    }
  }
  for (int lane = 0; lane < kLanes; lane++) {
    for (int half = 0; half < 2; half++) {
      uint32_t a[32];
      for (int k = 0; k < 32; k++) a[k] = uint32_t(slices[k][lane] >> (32 * half));
      transpose32(a);
      for (int t = 0; t < 32; t++) numbers[lane][32 * half + t] = a[31 - t];
    }
  }
}

}  // namespace

void uniform(const Uniform& u, size_t first, size_t last) {
  const PhiloxKey key(u.key);
  uint32_t numbers[kLanes][64];
  for (size_t s = first; s < last; s++) {
    uint32_t* out = u.out + s * u.length;
    for (uint64_t t = 0; t < u.length;) {
      const uint64_t at = u.first + t, skip = at % 64;
      uniform_words(key, set1(at / 64) + iota(), set1(u.streams[s]), numbers);
      const uint64_t here = std::min<uint64_t>(64 * kLanes - skip, u.length - t);
      std::copy_n(&numbers[0][0] + skip, here, out + t);
      t += here;
    }
  }
}

}  // namespace sc::SC_LEVEL
