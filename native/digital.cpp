// Digital sequences in base 2: the number at time t is the shift XOR the columns of a matrix that
// the ones of t select (Sobol, van der Corput, Hammersley). Within a word only the first six
// columns act, so binary digit k of its 64 numbers is one pattern, inverted or not, and the digits
// behind those on which they act are the same 64 times: these are compared as one number. Lanes are
// words of one stream where it is long, else streams.
#include <bit>

#include "kernels.hpp"
#include "simd.hpp"
#include "stretch.hpp"

namespace sc::SC_LEVEL {
namespace {

constexpr int kLaneBits = std::countr_zero(unsigned(kLanes));
constexpr uint64_t kAll = ~uint64_t{0};
// The most words of streams that go through the lanes side by side.
constexpr size_t kShort = 32;
constexpr int kSteps = 6;
// The digits of a word's position that have columns.
constexpr uint64_t kPositions = 0x3FFFFFF;
constexpr uint64_t kTimeBit[6] = {0xAAAAAAAAAAAAAAAA, 0xCCCCCCCCCCCCCCCC, 0xF0F0F0F0F0F0F0F0,
                                  0xFF00FF00FF00FF00, 0xFFFF0000FFFF0000, 0xFFFFFFFF00000000};

// The digits on which any of the first six columns acts are among the leading ones.
int leading_digits(const uint32_t* columns) {
  uint32_t any = 0;
  for (int j = 0; j < 6; j++) any |= columns[j];
  return any == 0 ? 0 : 32 - std::countr_zero(any);
}

int leading_digits(U columns) {
  uint64_t lanes[kLanes], any = 0;
  store(lanes, columns);
  for (const uint64_t lane : lanes) any |= lane;
  return any == 0 ? 0 : 32 - std::countr_zero(uint32_t(any));
}

// What a word's position adds to all numbers of the word.
uint32_t of_word(const uint32_t* columns, uint64_t word) {
  uint32_t sum = 0;
  for (uint64_t rest = word & kPositions; rest != 0; rest &= rest - 1)
    sum ^= columns[6 + std::countr_zero(rest)];
  return sum;
}

// Compares the 64 numbers of a word a lane, given the first of them.
class Comparator {
 public:
  Comparator(const U (&columns)[6], U threshold, int leading)
      : leading_(leading),
        tail_(set1((uint64_t{1} << (32 - leading)) - 1)),
        threshold_tail_(threshold & tail_),
        full_(sign_mask(threshold << 31)) {
    std::copy_n(columns, 6, columns_);
    threshold_ = threshold - (threshold >> 32);
    if (knows_all())
      while (ready_ < leading_) make_digit();
  }

  // Whether all leading digits are compared, in one order and the same time.
  bool knows_all() const { return leading_ <= kPatience; }

  U below(U number) { return knows_all() ? merge(number, tail(number)) : search(number); }

  // Whether the digits behind the leading ones are below those of the threshold.
  U tail(U number) const { return full_ | sign_mask((number & tail_) - threshold_tail_); }

  // Continues the comparison of a tail through the leading digits, the least significant first.
  U merge(U number, U less) {
    for (int k = leading_ - 1; k >= 0; k--) {
      const U inverse = xor_where(pattern_[k], number, set1(digit(k)), set1(kAll));
      less = majority(less, inverse, threshold_digit_[k]);
    }
    return less;
  }

 private:
  // So many leading digits are compared without a look whether all is decided.
  static constexpr int kPatience = 10;

  static uint64_t digit(int k) { return uint64_t{1} << (31 - k); }

  // The inverse of a digit of the 64 numbers that the first six columns make.
  void make_digit() {
    const U bit = set1(digit(ready_));
    U sum = set1(kAll);
    for (int j = 0; j < 6; j++) sum = xor_where(sum, columns_[j], bit, set1(kTimeBit[j]));
    pattern_[ready_] = sum;
    threshold_digit_[ready_++] = xor_where(set1(0), threshold_, bit, set1(kAll));
  }

  // Compares the most significant digits first and stops where all is decided.
  U search(U number) {
    U less = full_, equal = full_ ^ set1(kAll);
    for (int k = 0; k < leading_; k++) {
      if (k == ready_) make_digit();
      const U inverse = xor_where(pattern_[k], number, set1(digit(k)), set1(kAll));
      const U undecided = equal & (inverse ^ threshold_digit_[k]);
      less = less | (equal & inverse & threshold_digit_[k]);
      equal = undecided;
      if (k >= 7 && !any_both(equal, equal)) return less;
    }
    return less | (equal & tail(number));
  }

  int leading_, ready_ = 0;
  U tail_, threshold_tail_, full_, threshold_;
  U columns_[6], pattern_[32], threshold_digit_[32];
};

// `count` words of one stream from a word on.
void words_of_stream(const uint32_t* columns, uint32_t shift, uint64_t threshold, uint64_t word,
                     size_t count, uint64_t* out) {
  U first_columns[6];
  for (int j = 0; j < 6; j++) first_columns[j] = set1(columns[j]);
  const int leading = leading_digits(columns);
  Comparator comparator(first_columns, set1(threshold), leading);

  uint64_t lanes[kLanes] = {};
  for (int j = 0; j < kLaneBits; j++)
    for (int i = 0; i < 1 << j; i++) lanes[i | 1 << j] = lanes[i] ^ columns[6 + j];
  const U in_block = load(lanes);
  // What a block of words adds changes with the trailing ones of its position, which become zeros.
  uint32_t steps[26], sum = 0, any = 0;
  for (int k = kLaneBits; k < 26; k++) {
    steps[k - kLaneBits] = sum ^= columns[6 + k];
    any |= columns[6 + k];
  }
  for (int j = 0; j < kLaneBits; j++) any |= columns[6 + j];
  const bool two = comparator.knows_all() && uint64_t{any} >> (32 - leading) == 0;

  const uint64_t end = word + count;
  uint64_t block = word / kLanes;
  uint32_t of_block = shift ^ of_word(columns, block * kLanes);
  // Where the leading digits never change, a word is one of two.
  const U above = two ? comparator.merge(set1(of_block), set1(0)) : set1(0);
  const U below = two ? comparator.merge(set1(of_block), set1(kAll)) : set1(0);
  while (block * kLanes < end) {
    const U number = in_block ^ set1(of_block);
    const U bits = two ? above | (below & comparator.tail(number)) : comparator.below(number);
    const uint64_t from = block * kLanes;
    if (from >= word && from + kLanes <= end) {
      store(out + (from - word), bits);
    } else {
      store(lanes, bits);
      for (uint64_t w = std::max(from, word); w < std::min(from + kLanes, end); w++)
        out[w - word] = lanes[w - from];
    }
    of_block ^= steps[std::min(std::countr_zero(++block), 25 - kLaneBits)];
  }
}

// All words of kLanes streams from stream s on.
void group_of_streams(const Digital& e, size_t s) {
  const U matrices = load(e.matrices + s) << 5;
  const auto column = [&](int j) { return gather(e.columns + j, matrices); };
  U first_columns[6], any = set1(0);
  for (int j = 0; j < 6; j++) any = any | (first_columns[j] = column(j));
  Comparator comparator(first_columns, load(e.to.thresholds + s), leading_digits(any));
  const size_t words = words_for(e.to.length);
  // The first number of a word is that of the word before plus the columns that change.
  U changes[kSteps], sum = set1(0);
  for (int k = 0; k < kSteps && words >> k > 1; k++) changes[k] = sum = sum ^ column(6 + k);
  uint64_t shifts[kLanes];
  std::copy_n(e.shifts + s, kLanes, shifts);
  U number = load(shifts);
  const auto add_columns = [&](uint64_t of) {
    for (; of != 0; of &= of - 1) number = number ^ column(6 + std::countr_zero(of));
  };
  add_columns(e.to.first_word & kPositions);
  for (size_t w = 0;;) {
    store_column(e.to, s, w, comparator.below(number));
    if (++w == words) break;
    const uint64_t word = e.to.first_word + w;
    const int k = std::countr_zero(word);
    if (k < kSteps && words >> k > 1)
      number = number ^ changes[k];
    else
      add_columns((word ^ (word - 1)) & kPositions);
  }
}

}  // namespace

void digital(const Digital& e, const Part& part) {
  for_each_group(
      e.to, part, kLanes, kShort, [&](size_t s) { group_of_streams(e, s); },
      [&](size_t s, uint64_t word, size_t count, uint64_t* out) {
        words_of_stream(e.columns + 32 * e.matrices[s], e.shifts[s], e.to.thresholds[s], word,
                        count, out);
      });
}

}  // namespace sc::SC_LEVEL
