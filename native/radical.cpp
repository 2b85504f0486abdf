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

}  // namespace

size_t radical_scratch(const uint64_t* bases, size_t n) {
  uint64_t largest = 64 * 16;
  for (size_t s = 0; s < n; s++) largest = std::max(largest, bases[s]);
  return pattern_words(largest);
}

void radical(const Radical& e, const Part& part) {
  Inverse inverse(2);
  uint64_t* pattern = part.scratch;
  for_each_stretch(
      e.to, part.first, part.last, [&](size_t s, uint64_t word, size_t count, uint64_t* out) {
        std::fill_n(out, count, uint64_t{0});
        const uint64_t threshold = e.to.thresholds[s];
        if (threshold == 0) return;
        if (e.bases[s] != inverse.base()) inverse = Inverse(e.bases[s]);
        inverse.set_shift(e.shifts[s]);
        // number * 2**32 / power < threshold
        const uint64_t bound =
            threshold >> 32 != 0 ? inverse.power() : ((threshold * inverse.power() - 1) >> 32) + 1;
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

}  // namespace sc
