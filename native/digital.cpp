// Digital sequences in base 2: the number at time t is the shift XOR the columns of a matrix that
// the ones of t select (Sobol, van der Corput, Hammersley). Lanes are words of time. Within a word
// only the first six columns act, so binary digit k of its 64 numbers is one pattern, inverted or
// not.
#include <bit>

#include "kernels.hpp"
#include "simd.hpp"
#include "stretch.hpp"

namespace sc::SC_LEVEL {
namespace {

constexpr int kLaneBits = std::countr_zero(unsigned(kLanes));
constexpr uint64_t kTimeBit[6] = {0xAAAAAAAAAAAAAAAA, 0xCCCCCCCCCCCCCCCC, 0xF0F0F0F0F0F0F0F0,
                                  0xFF00FF00FF00FF00, 0xFFFF0000FFFF0000, 0xFFFFFFFF00000000};

class Matrix {
 public:
  explicit Matrix(const uint32_t* columns) : columns_(columns) {
    for (int k = 0; k < 32; k++) {
      pattern_[k] = 0;
      for (int j = 0; j < 6; j++)
        if (columns[j] >> (31 - k) & 1) pattern_[k] ^= kTimeBit[j];
    }
    for (int lane = 0; lane < kLanes; lane++)
      lanes_[lane] = uint64_t{of_word(uint64_t(lane))} << 32;
    uint32_t sum = 0;
    for (int k = 0; k < 26 - kLaneBits; k++) steps_[k] = sum ^= columns[6 + kLaneBits + k];
  }

  // What the word's number adds to all numbers of the word.
  uint32_t of_word(uint64_t word) const {
    uint32_t sum = 0;
    for (int j = 0; j < 26; j++)
      if (word >> j & 1) sum ^= columns_[6 + j];
    return sum;
  }

  // Changes what a block of kLanes words adds to that of the next block.
  void advance(uint32_t& of_block, uint64_t next_block) const {
    const int k = std::countr_zero(next_block);
    of_block ^= steps_[std::min(k, 25 - kLaneBits)];
  }

  // 64 comparisons a lane with the threshold, most significant digit first.
  U below(uint32_t of_block, uint64_t threshold) const {
    if (threshold >> 32 != 0) return set1(~uint64_t{0});
    U digits = load(lanes_) ^ set1(uint64_t{of_block} << 32);
    U less = set1(0), equal = set1(~uint64_t{0});
    uint32_t rest = uint32_t(threshold);
    for (int k = 0; rest != 0; k++, rest <<= 1) {
      const U r = sign_mask(digits) ^ set1(pattern_[k]);
      if (rest >> 31 != 0) {
        less = or_and_not(less, equal, r);
        equal = equal & r;
      } else {
        equal = and_not(equal, r);
      }
      if (k >= 6 && !any_both(equal, equal)) break;
      digits = digits << 1;
    }
    return less;
  }

 private:
  const uint32_t* columns_;
  uint64_t pattern_[32];
  uint64_t lanes_[kLanes];
  uint32_t steps_[26];
};

}  // namespace

void digital(const Digital& e, size_t first, size_t last) {
  const uint32_t* columns = e.columns + 32 * e.matrices[first / words_for(e.to.length)];
  Matrix matrix(columns);
  for_each_stretch(e.to, first, last, [&](size_t s, uint64_t word, size_t count, uint64_t* out) {
    const uint32_t* mine = e.columns + 32 * e.matrices[s];
    if (mine != columns) matrix = Matrix(columns = mine);
    const uint64_t end = word + count;
    uint64_t block = word / kLanes;
    uint32_t of_block = e.shifts[s] ^ matrix.of_word(block * kLanes);
    for (; block * kLanes < end; matrix.advance(of_block, ++block)) {
      const U bits = matrix.below(of_block, e.to.thresholds[s]);
      const uint64_t from = block * kLanes;
      if (from >= word && from + kLanes <= end) {
        store(out + (from - word), bits);
        continue;
      }
      uint64_t lanes[kLanes];
      store(lanes, bits);
      for (uint64_t w = std::max(from, word); w < std::min(from + kLanes, end); w++)
        out[w - word] = lanes[w - from];
    }
  });
}

}  // namespace sc::SC_LEVEL
