// Radical inverses: the digits of t in a base, reversed behind the point, each with a shift of its
// own (van der Corput, Halton). Over a block of base**j steps the leading j digits run through all
// their values, in the same order in every block, while the digits behind them stay. So a block is
// always the same pattern of bits, but for the step whose leading digits equal those of the bound.
#include <algorithm>
#include <vector>

#include "kernels.hpp"
#include "repeat.hpp"
#include "stretch.hpp"

namespace sc {
namespace {

// A digit of t with its shift, the weight it has behind the point, and when it carries.
struct Digit {
  uint64_t plain, shifted, weight;
};

class Inverse {
 public:
  Inverse(uint64_t base, uint64_t shift) : base_(base) {
    while (power_ * base <= uint64_t{1} << 32) power_ *= base, n_digits_++;
    uint64_t weight = power_;
    for (int i = 0; i < n_digits_; i++) digits_[i].weight = weight /= base;
    for (int i = 0; i < n_digits_; i++) shifts_[i] = shift / digits_[i].weight % base;
    block_ = base;
    for (n_leading_ = 1; block_ < 64 && base < 16; n_leading_++) block_ *= base;
  }

  uint64_t block() const { return block_; }
  uint64_t tail() const { return tail_; }
  uint64_t power() const { return power_; }
  // The weight of the last leading digit.
  uint64_t unit() const { return digits_[n_leading_ - 1].weight; }

  void move_to(uint64_t t) {
    tail_ = 0;
    for (int i = 0; i < n_digits_; i++, t /= base_) {
      Digit& d = digits_[i];
      d.plain = t % base_;
      d.shifted = (d.plain + shifts_[i]) % base_;
      if (i >= n_leading_) tail_ += d.shifted * d.weight;
    }
  }

  void next_block() {
    for (int i = n_leading_; i < n_digits_; i++) {
      Digit& d = digits_[i];
      if (++d.shifted < base_) {
        tail_ += d.weight;
      } else {
        tail_ -= (base_ - 1) * d.weight;
        d.shifted = 0;
      }
      if (++d.plain < base_) return;
      d.plain = 0;
    }
  }

  // Sets the bits of the steps of a block whose leading digits are below `bound`.
  void make_pattern(uint64_t* pattern, uint64_t bound) const {
    std::fill_n(pattern, pattern_words(block_), uint64_t{0});
    for (uint64_t leading = 0; leading < std::min(bound, block_); leading++) {
      const uint64_t i = step_of(leading);
      pattern[i / 64] |= uint64_t{1} << i % 64;
    }
  }

  // The step of a block at which the leading digits have this value.
  uint64_t step_of(uint64_t leading) const {
    uint64_t step = 0, weight = block_ / base_;
    for (int i = n_leading_; i-- > 0; weight /= base_) {
      const uint64_t digit = leading % base_;
      leading /= base_;
      step += (digit + base_ - shifts_[i]) % base_ * weight;
    }
    return step;
  }

 private:
  uint64_t base_, power_ = 1, block_, tail_ = 0;
  int n_digits_ = 0, n_leading_;
  uint64_t shifts_[32];
  Digit digits_[32];
};

}  // namespace

size_t radical_scratch(const Radical& e) {
  uint64_t largest = 64 * 16;
  for (size_t s = 0; s < e.n; s++) largest = std::max(largest, e.bases[s]);
  return pattern_words(largest);
}

void radical(const Radical& e, size_t first, size_t last, uint64_t* pattern) {
  for_each_stretch(e.to, first, last, [&](size_t s, uint64_t word, size_t count, uint64_t* out) {
    std::fill_n(out, count, uint64_t{0});
    const uint64_t threshold = e.to.thresholds[s];
    if (threshold == 0) return;
    Inverse inverse(e.bases[s], e.shifts[s]);
    // number * 2**32 / power < threshold
    const uint64_t bound =
        threshold >> 32 != 0 ? inverse.power() : (threshold * inverse.power() - 1 >> 32) + 1;
    const uint64_t leading = bound / inverse.unit(), rest = bound % inverse.unit();
    inverse.make_pattern(pattern, leading);
    const uint64_t block = inverse.block();
    const uint64_t tie = leading < block ? inverse.step_of(leading) : block;
    uint64_t t = word % inverse.power() * 64 % inverse.power();
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
