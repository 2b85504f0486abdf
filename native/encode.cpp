// Bernoulli streams, and the generator on its own for its tests.
#include <algorithm>

#include "kernels.hpp"
#include "philox.hpp"

namespace sc::SC_LEVEL {

void philox(const Philox& p, const Part& part) {
  const PhiloxKey k(p.key);
  for (size_t first = part.first; first < part.last; first += kLanes) {
    uint64_t lanes[4][kLanes] = {};
    const size_t here = std::min<size_t>(part.last - first, kLanes);
    for (size_t i = 0; i < here; i++)
      for (size_t c = 0; c < 4; c++) lanes[c][i] = p.counters[4 * (first + i) + c];
    U c0[1] = {load(lanes[0])}, c1[1] = {load(lanes[1])};
    U c2[1] = {load(lanes[2])}, c3[1] = {load(lanes[3])};
    philox<1>(k, c0, c1, c2, c3);
    store(lanes[0], c0[0]);
    store(lanes[1], c1[0]);
    store(lanes[2], c2[0]);
    store(lanes[3], c3[0]);
    for (size_t i = 0; i < here; i++)
      for (size_t c = 0; c < 4; c++) p.out[4 * (first + i) + c] = uint32_t(lanes[c][i]);
  }
}

namespace {

// The numbers of kLanes words, digit by digit as they are asked for: many thresholds are compared
// with the same numbers.
class Numbers {
 public:
  Numbers(const PhiloxKey& key, U word, U stream) : blocks_(key, word, stream, stream >> 32) {
    while (made_ < kFirst) make();
  }

  // Of R thresholds side by side, which hides the latency of a comparator.
  template <size_t R>
  void below(const U (&thresholds)[R], U (&bits)[R]) {
    Comparator comparators[R];
#pragma GCC unroll 4
    for (size_t r = 0; r < R; r++) comparators[r] = Comparator(thresholds[r]);
#pragma GCC unroll 12
    for (int k = 0; k < kFirst; k++)
#pragma GCC unroll 4
      for (size_t r = 0; r < R; r++) comparators[r].step(slices_[k]);
#pragma GCC unroll 4
    for (size_t r = 0; r < R; r++) bits[r] = finish(comparators[r]);
  }

 private:
  U finish(Comparator comparator) {
    for (int k = kFirst; k < 32 && comparator.undecided(); k += 4) {
      if (k == made_) make();
#pragma GCC unroll 4
      for (int i = k; i < k + 4; i++) comparator.step(slices_[i]);
    }
    return comparator.less();
  }
  void make() {
    U pairs[2][2];
    blocks_.slices(made_ / 2, pairs);
    for (const auto& pair : pairs)
      for (const U slice : pair) slices_[made_++] = slice;
  }

  // Decide all bits of seven vectors out of eight.
  static constexpr int kFirst = 12;

  Blocks<U, U, U> blocks_;
  int made_ = 0;
  U slices_[32];
};

// Words of neighboring streams, and which lanes hold which.
struct Lanes {
  uint64_t word[kLanes] = {};
  uint64_t stream[kLanes] = {};
};

// Rows that are compared side by side: as many as the registers hold comparators of.
constexpr size_t kSide = kLanes / 2 > 0 ? kLanes / 2 : 1;

void encode_rows(const Encode& e, const PhiloxKey& key, size_t first, size_t last) {
  const size_t words = words_for(e.to.length);
  for (size_t f = first; f < last; f += kLanes) {
    const size_t here = std::min<size_t>(kLanes, last - f);
    Lanes at;
    uint64_t number[kLanes] = {}, mask[kLanes] = {};
    for (size_t i = 0; i < here; i++) {
      at.stream[i] = (f + i) / words;
      at.word[i] = e.to.first_word + (f + i) % words;
      number[i] = e.streams[at.stream[i]];
      mask[i] = (f + i) % words + 1 == words ? last_word_mask(e.to.length) : ~uint64_t{0};
    }
    Numbers numbers(key, load(at.word), load(number));
    const U keep = load(mask);
    const bool one_stream = at.stream[0] == at.stream[here - 1];
    const auto compare = [&]<size_t R>(size_t row) {
      U thresholds[R], bits[R];
      for (size_t r = 0; r < R; r++) {
        const uint64_t* of_row = e.to.thresholds + (row + r) * e.to.n;
        uint64_t lane[kLanes] = {};
        if (!one_stream)
          for (size_t i = 0; i < here; i++) lane[i] = of_row[at.stream[i]];
        thresholds[r] = one_stream ? set1(of_row[at.stream[0]]) : load(lane);
      }
      numbers.below(thresholds, bits);
      for (size_t r = 0; r < R; r++) {
        uint64_t* out = e.to.out + (row + r) * e.to.n * words + f;
        store_some(out, bits[r] & keep, here);
      }
    };
    size_t row = 0;
    for (; row + kSide <= e.n_rows; row += kSide) compare.template operator()<kSide>(row);
    for (; row < e.n_rows; row++) compare.template operator()<1>(row);
  }
}

void encode_streams(const Encode& e, const PhiloxKey& key, size_t first, size_t last) {
  const size_t words = words_for(e.to.length);
  size_t stream = first / words, word = first % words;
  for (size_t f = first; f < last; f += kLanes) {
    const size_t here = last - f < kLanes ? last - f : kLanes;
    U bits;
    if (word + kLanes <= words) {
      const uint64_t number = e.streams[stream];
      bits = bernoulli_word(key, set1(e.to.first_word + word) + iota(), S{number}, S{number >> 32},
                            set1(e.to.thresholds[stream]));
      word += kLanes;
      if (word == words) {
        word = 0;
        stream++;
      }
    } else {  // the lanes belong to several streams
      Lanes at;
      uint64_t threshold[kLanes] = {};
      for (size_t i = 0; i < here; i++) {
        at.word[i] = e.to.first_word + word;
        at.stream[i] = e.streams[stream];
        threshold[i] = e.to.thresholds[stream];
        if (++word == words) {
          word = 0;
          stream++;
        }
      }
      const U number = load(at.stream);
      bits = bernoulli_word(key, load(at.word), number, number >> 32, load(threshold));
    }
    store_some(e.to.out + f, bits, here);
  }
}

}  // namespace

void encode(const Encode& e, const Part& part) {
  const PhiloxKey key(e.key);
  if (e.n_rows > 1) return encode_rows(e, key, part.first, part.last);
  encode_streams(e, key, part.first, part.last);
  const uint64_t last_mask = last_word_mask(e.to.length);
  if (last_mask == ~uint64_t{0}) return;
  const size_t words = words_for(e.to.length);
  for (size_t f = part.first / words * words + words - 1; f < part.last; f += words)
    e.to.out[f] &= last_mask;
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
inline void uniform_words(const PhiloxKey& key, U word, uint64_t stream, uint32_t (*numbers)[64]) {
  uint64_t slices[32][kLanes];
  const Blocks<U, S, S> blocks(key, word, S{stream}, S{stream >> 32});
  for (int m = 0; m < 16; m += 4) {
    U made[4][2];
    blocks.slices(m, made);
    for (int i = 0; i < 4; i++)
      for (int k = 0; k < 2; k++) store(slices[2 * (m + i) + k], made[i][k]);
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

void uniform(const Uniform& u, const Part& part) {
  const PhiloxKey key(u.key);
  const uint64_t end = std::min<uint64_t>(64 * part.last_word, u.length);
  uint32_t numbers[kLanes][64];
  for (size_t s = part.first; s < part.last; s++) {
    uint32_t* out = u.out + s * u.length;
    for (uint64_t t = 64 * part.first_word; t < end;) {
      const uint64_t at = u.first + t, skip = at % 64;
      uniform_words(key, set1(at / 64) + iota(), u.streams[s], numbers);
      const uint64_t here = std::min<uint64_t>(64 * kLanes - skip, end - t);
      std::copy_n(&numbers[0][0] + skip, here, out + t);
      t += here;
    }
  }
}

}  // namespace sc::SC_LEVEL
