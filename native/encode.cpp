// Bernoulli streams, and the generator on its own for its tests.
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
  const size_t words = words_for(e.length);
  const uint64_t last_mask = last_word_mask(e.length);
  size_t stream = first / words, word = first % words;
  for (size_t f = first; f < last; f += kLanes) {
    const size_t here = last - f < kLanes ? last - f : kLanes;
    U bits;
    if (word + kLanes <= words) {
      bits = bernoulli_word(key, set1(e.first_word + word) + iota(), set1(e.streams[stream]),
                            set1(e.thresholds[stream]));
      word += kLanes;
      if (word == words) {
        word = 0;
        stream++;
      }
    } else {  // the lanes belong to several streams
      uint64_t lane_word[kLanes] = {}, lane_stream[kLanes] = {}, lane_threshold[kLanes] = {};
      for (size_t i = 0; i < here; i++) {
        lane_word[i] = e.first_word + word;
        lane_stream[i] = e.streams[stream];
        lane_threshold[i] = e.thresholds[stream];
        if (++word == words) {
          word = 0;
          stream++;
        }
      }
      bits = bernoulli_word(key, load(lane_word), load(lane_stream), load(lane_threshold));
    }
    if (here == kLanes) {
      store(e.out + f, bits);
    } else {
      uint64_t tail[kLanes];
      store(tail, bits);
      for (size_t i = 0; i < here; i++) e.out[f + i] = tail[i];
    }
  }
  if (last_mask != ~uint64_t{0}) {
    for (size_t f = first / words * words + words - 1; f < last; f += words) e.out[f] &= last_mask;
  }
}

}  // namespace sc::SC_LEVEL
