// Radical inverses: the digits of t in a base, reversed behind the point, each with a shift of its
// own (van der Corput, Halton). Over a block of base**j steps the leading j digits run through all
// their values, in the same order in every block, while the digits behind them stay. So a block is
// always the same pattern of bits, but for the step whose leading digits equal those of the bound.
#include <algorithm>

#include "kernels.hpp"
#include "repeat.hpp"
#include "stretch.hpp"

namespace sc {
namespace {

// Blocks of several digits have fewer steps: 63 * 15 at most.
constexpr size_t kLargestBlock = 1024;

class Inverse {
 public:
  explicit Inverse(uint64_t base) : base_(base) {
    while (power_ * base <= uint64_t{1} << 32) power_ *= base, n_digits_++;
    uint64_t weight = power_;
    for (int i = 0; i < n_digits_; i++) {
      weights_[i] = weight /= base;
      inverses_[i] = 1.0 / double(int64_t(weight));
    }
    block_ = base;
    for (n_leading_ = 1; block_ < 64 && base < 16; n_leading_++) block_ *= base;
  }

  uint64_t base() const { return base_; }
  uint64_t power() const { return power_; }
  uint64_t block() const { return block_; }
  int n_digits() const { return n_digits_; }
  // The weight of the last leading digit, and the number that the digits behind it make.
  uint64_t unit() const { return weights_[n_leading_ - 1]; }
  uint64_t tail() const { return tail_; }

  void set_shift(uint64_t shift) {
    // The half keeps quotients of numbers below 2**32 away from the next integer.
    const double middle = double(int64_t(shift)) + 0.5;
    uint64_t before = 0;
    for (int i = 0; i < n_digits_; i++) {
      const uint64_t quotient = uint64_t(int64_t(middle * inverses_[i]));
      shifts_[i] = quotient - before * base_;
      before = quotient;
    }
  }

  // Moves to the beginning of the block of step t.
  void move_to(uint64_t t) {
    tail_ = 0;
    t /= block_;
    for (int i = n_leading_; i < n_digits_; i++) {
      plain_[i] = t == 0 ? 0 : t % base_;
      t /= base_;
      shifted_[i] = plain_[i] + shifts_[i];
      if (shifted_[i] >= base_) shifted_[i] -= base_;
      tail_ += shifted_[i] * weights_[i];
    }
  }

  void next_block() { tail_ += increment(n_leading_, n_digits_); }

  // Sets the bits of the steps of a block whose leading digits are below `bound`.
  void make_pattern(uint64_t* pattern, uint64_t bound) const {
    std::fill_n(pattern, pattern_words(block_), uint64_t{0});
    if (n_leading_ == 1) return make_runs(pattern, bound);
    uint32_t leading[kLargestBlock], scale = uint32_t(block_ / base_);
    for (uint32_t step = 0; step < base_; step++) leading[step] = digit(0, step) * scale;
    uint32_t known = uint32_t(base_);
    for (int i = 1; i < n_leading_; i++, known *= uint32_t(base_)) {
      scale /= uint32_t(base_);
      for (uint32_t d = uint32_t(base_); d-- > 0;) {
        const uint32_t more = digit(i, d) * scale;
        for (uint32_t step = 0; step < known; step++)
          leading[d * known + step] = leading[step] + more;
      }
    }
    for (uint64_t from = 0; from < block_; from += 64) {
      const uint64_t here = std::min<uint64_t>(64, block_ - from);
      uint64_t bits = 0;
      for (uint64_t step = 0; step < here; step++)
        bits |= uint64_t{leading[from + step] < bound} << step;
      pattern[from / 64] = bits;
    }
  }

  // The step of a block at which the leading digits have this value.
  uint64_t step_of(uint64_t leading) const {
    uint64_t step = 0, weight = block_ / base_;
    for (int i = n_leading_; i-- > 0; weight /= base_) {
      const uint64_t digit = leading % base_;
      leading /= base_;
      step += (digit >= shifts_[i] ? digit - shifts_[i] : digit + base_ - shifts_[i]) * weight;
    }
    return step;
  }

 private:
  uint32_t digit(int i, uint32_t plain) const {
    const uint32_t shifted = plain + uint32_t(shifts_[i]);
    return shifted < base_ ? shifted : shifted - uint32_t(base_);
  }

  // One leading digit rises from its shift to the base, and on from 0.
  void make_runs(uint64_t* pattern, uint64_t bound) const {
    const uint64_t wraps = base_ - shifts_[0];
    if (bound > shifts_[0]) set_bits(pattern, 0, bound - shifts_[0]);
    set_bits(pattern, wraps, wraps + std::min(bound, shifts_[0]));
  }

  static void set_bits(uint64_t* words, uint64_t from, uint64_t to) {
    for (; from < to && from % 64 != 0; from++) words[from / 64] |= uint64_t{1} << from % 64;
    for (; from + 64 <= to; from += 64) words[from / 64] = ~uint64_t{0};
    for (; from < to; from++) words[from / 64] |= uint64_t{1} << from % 64;
  }

  // Counts one step in digits `first` .. `last` - 1 and returns what it adds to the number.
  uint64_t increment(int first, int last) {
    uint64_t sum = 0;
    for (int i = first; i < last; i++) {
      const bool wraps = ++shifted_[i] == base_;
      if (wraps) shifted_[i] = 0;
      sum += wraps ? -(base_ - 1) * weights_[i] : weights_[i];
      if (++plain_[i] < base_) break;
      plain_[i] = 0;
    }
    return sum;
  }

  uint64_t base_, power_ = 1, block_, tail_ = 0;
  int n_digits_ = 0, n_leading_;
  uint64_t weights_[32], shifts_[32], plain_[32], shifted_[32];
  double inverses_[32];
};

// The largest base of streams side by side, their words at a time, and the streams that pay for
// tables.
constexpr uint64_t kLargestBase = 16;
constexpr size_t kSideWords = 4, kSideStreams = 256, kMostDigits = 32;
// The most values of the digits that are compared together.
constexpr uint64_t kGroupValues = 32;

// Digits that are compared together, the most significant first; the last group can have fewer.
int digits_of_group(uint64_t base) {
  int n = 1;
  for (uint64_t values = base; values * base <= kGroupValues; values *= base) n++;
  return n;
}
size_t side_scratch(uint64_t base) {
  size_t values = 1, digits = size_t(digits_of_group(base));
  for (size_t i = 0; i < digits; i++) values *= base;
  const size_t groups = (kMostDigits + digits - 1) / digits;
  return (groups * values * values * 2 + values) * kSideWords;
}

// The leading digits of a fraction of 2**64, which have that many values and are taken away.
uint64_t take_leading(uint64_t& fraction, uint64_t values) {
#ifdef __SIZEOF_INT128__
  const auto product = static_cast<unsigned __int128>(fraction) * values;
  fraction = uint64_t(product);
  return uint64_t(product >> 64);
#else
  const uint64_t low = (fraction & 0xFFFFFFFF) * values;
  const uint64_t leading = ((fraction >> 32) * values + (low >> 32)) >> 32;
  fraction *= values;
  return leading;
#endif
}

// Many streams of one small base in the same words of time. For each group of digits, a table has
// by the digits of a shift and those of a bound the steps whose shifted digits are below those of
// the bound, and those whose digits equal them. So a stream compares its bound group by group, the
// most significant first, until every step is decided.
template <size_t kWords>
class Side {
 public:
  Side(const Inverse& inverse, uint64_t first_word, uint64_t* scratch)
      : power_(inverse.power()), base_(inverse.base()), fraction_(~uint64_t{0} / power_ + 1) {
    const int digits = digits_of_group(base_), n = inverse.n_digits();
    uint64_t plain[kMostDigits], t = first_word % power_ * 64 % power_;
    for (int i = 0; i < n; i++, t /= base_) plain[i] = t % base_;
    for (int first = 0; first < n; first += digits) {
      Group& group = groups_[n_groups_++];
      group.digits = std::min(digits, n - first);
      for (int i = 0; i < group.digits; i++) group.values *= base_;
      group.table = scratch;
      scratch += group.values * group.values * 2 * kWords;
    }
    for (int g = 0; g < n_groups_; g++) {
      const Group& group = groups_[g];
      if (g == 0 || group.digits < digits) make_without(group.digits, group.values);
      make_table(group, plain, g * digits, n, scratch);
    }
  }

  // Words of a stream: 1 where the shifted number is below a bound.
  void compare(uint64_t shift, uint64_t bound, uint64_t (&less)[kWords]) const {
    if (bound >= power_) return std::fill_n(less, kWords, ~uint64_t{0}), void();
    shift *= fraction_;
    bound *= fraction_;
    uint64_t equal[kWords];
    const uint64_t* at = groups_[0].at(shift, bound);
    std::copy_n(at, kWords, less);
    std::copy_n(at + kWords, kWords, equal);
    for (int g = 1; g < n_groups_; g++) {
      at = groups_[g].at(shift, bound);
      uint64_t left = 0;
      for (size_t w = 0; w < kWords; w++) {
        less[w] |= equal[w] & at[w];
        left |= equal[w] &= at[kWords + w];
      }
      if (left == 0) break;
    }
  }

 private:
  struct Group {
    int digits = 0;
    uint64_t values = 1;
    uint64_t* table = nullptr;  // [shift][bound][below, equal][words]

    const uint64_t* at(uint64_t& shift, uint64_t& bound) const {
      const uint64_t s = take_leading(shift, values), d = take_leading(bound, values);
      return table + (s * values + d) * 2 * kWords;
    }
  };

  // The digits of t from `first` on, reversed, at the 64 * kWords steps from those of `plain` on.
  void make_equal(const Group& group, const uint64_t* plain, int first, int n,
                  uint64_t* equal) const {
    std::fill_n(equal, group.values * kWords, uint64_t{0});
    uint64_t digits[kMostDigits];
    std::copy_n(plain, n, digits);
    const auto value = [&] {
      uint64_t v = 0;
      for (int i = first; i < first + group.digits; i++) v = v * base_ + digits[i];
      return v;
    };
    uint64_t now = value();
    for (size_t k = 0; k < 64 * kWords; k++) {
      equal[now * kWords + k / 64] |= uint64_t{1} << k % 64;
      int i = 0;
      for (; i < n && ++digits[i] == base_; i++) digits[i] = 0;
      if (i >= first) now = value();
    }
  }

  // For all shifts s and bounds d the digits that become those of d when those of s are added.
  void make_without(int digits, uint64_t values) {
    uint64_t of[kGroupValues][5];
    for (uint64_t v = 0; v < values; v++) {
      uint64_t rest = v;
      for (int i = 0; i < digits; i++, rest /= base_) of[v][i] = rest % base_;
    }
    for (uint64_t s = 0; s < values; s++) {
      for (uint64_t d = 0; d < values; d++) {
        uint64_t result = 0, weight = 1;
        for (int i = 0; i < digits; i++, weight *= base_)
          result += (of[d][i] - of[s][i] + (of[d][i] < of[s][i] ? base_ : 0)) * weight;
        without_[s][d] = uint8_t(result);
      }
    }
  }

  void make_table(const Group& group, const uint64_t* plain, int first, int n,
                  uint64_t* equal) const {
    make_equal(group, plain, first, n, equal);
    for (uint64_t s = 0; s < group.values; s++) {
      uint64_t below[kWords] = {};
      uint64_t* out = group.table + s * group.values * 2 * kWords;
      for (uint64_t d = 0; d < group.values; d++, out += 2 * kWords) {
        const uint64_t* same = equal + without_[s][d] * kWords;
        for (size_t w = 0; w < kWords; w++) {
          out[w] = below[w];
          below[w] |= out[kWords + w] = same[w];
        }
      }
    }
  }

  // A number below the power times the last one is a fraction of 2**64, whose error is less than
  // the last digit: the power is at most 2**32.
  uint64_t power_, base_, fraction_;
  int n_groups_ = 0;
  Group groups_[kMostDigits];
  uint8_t without_[kGroupValues][kGroupValues];
};

// number * 2**32 / power < threshold
uint64_t bound_of(uint64_t threshold, const Inverse& inverse) {
  return threshold >> 32 != 0 ? inverse.power() : (threshold * inverse.power() + 0xFFFFFFFF) >> 32;
}

// Words from .. from + kWords - 1 of the streams first .. last - 1, which have one small base.
template <size_t kWords>
void side_by_side(const Radical& e, const Inverse& inverse, size_t first, size_t last, size_t from,
                  uint64_t* scratch) {
  const size_t words = words_for(e.to.length);
  const Side<kWords> side(inverse, e.to.first_word + from, scratch);
  for (size_t s = first; s < last; s++) {
    uint64_t less[kWords];
    side.compare(e.shifts[s], bound_of(e.to.thresholds[s], inverse), less);
    if (from + kWords == words) less[kWords - 1] &= last_word_mask(e.to.length);
    std::copy_n(less, kWords, e.to.out + s * words + from);
  }
}

// All words of these streams.
void side_by_side(const Radical& e, size_t first, size_t last, uint64_t* scratch) {
  const Inverse inverse(e.bases[first]);
  const size_t words = words_for(e.to.length);
  for (size_t from = 0; from < words;) {
    const auto run = [&]<size_t kWords>() {
      side_by_side<kWords>(e, inverse, first, last, from, scratch);
      from += kWords;
    };
    if (from + 4 <= words)
      run.template operator()<4>();
    else if (from + 2 <= words)
      run.template operator()<2>();
    else
      run.template operator()<1>();
  }
}

}  // namespace

size_t radical_scratch(const uint64_t* bases, size_t n) {
  uint64_t largest = 64 * 16;
  size_t side = 0;
  for (size_t s = 0; s < n; s++) {
    largest = std::max(largest, bases[s]);
    if (n >= kSideStreams && bases[s] <= kLargestBase)
      side = std::max(side, side_scratch(bases[s]));
  }
  return std::max(pattern_words(largest), side);
}

// The words first_row .. last_row - 1 of all streams, one stream after the other.
static void one_by_one(const Radical& e, size_t first_row, size_t last_row, uint64_t* pattern) {
  Inverse inverse(2);
  for_each_stretch(e.to, first_row, last_row,
                   [&](size_t s, uint64_t word, size_t count, uint64_t* out) {
                     std::fill_n(out, count, uint64_t{0});
                     const uint64_t threshold = e.to.thresholds[s];
                     if (threshold == 0) return;
                     if (e.bases[s] != inverse.base()) inverse = Inverse(e.bases[s]);
                     inverse.set_shift(e.shifts[s]);
                     const uint64_t bound = bound_of(threshold, inverse);
                     const uint64_t leading = bound / inverse.unit(), rest = bound % inverse.unit();
                     inverse.make_pattern(pattern, leading);
                     const uint64_t block = inverse.block();
                     const uint64_t tie = leading < block ? inverse.step_of(leading) : block;
                     const uint64_t t = word % inverse.power() * 64 % inverse.power();
                     inverse.move_to(t);
                     const uint64_t end = 64 * uint64_t(count);
                     uint64_t i = t % block;
                     for (uint64_t at = 0; at < end;) {
                       const uint64_t stop = std::min(end, at + block - i);
                       if (tie >= i && tie - i < stop - at && inverse.tail() < rest) {
                         const uint64_t to = at + tie - i;
                         out[to / 64] |= uint64_t{1} << to % 64;
                       }
                       while (at < stop) {
                         const uint64_t here = std::min(stop - at, 64 - at % 64);
                         uint64_t bits = read_pattern(pattern, i);
                         if (here < 64) bits &= (uint64_t{1} << here) - 1;
                         out[at / 64] |= bits << at % 64;
                         at += here;
                         i += here;
                       }
                       if (i == block) {
                         i = 0;
                         inverse.next_block();
                       }
                     }
                   });
}

void radical(const Radical& e, const Part& part) {
  const size_t words = words_for(e.to.length);
  size_t row = part.first;
  while (row < part.last) {
    const size_t s = row / words;
    size_t end = s;  // of the whole streams of one base
    while ((end + 1) * words <= part.last && e.bases[end] == e.bases[s]) end++;
    const bool many = row % words == 0 && end >= s + kSideStreams;
    const size_t last = many ? end * words : std::min(std::max(end, s + 1) * words, part.last);
    if (many && e.bases[s] <= kLargestBase)
      side_by_side(e, s, end, part.scratch);
    else
      one_by_one(e, row, last, part.scratch);
    row = last;
  }
}

}  // namespace sc
