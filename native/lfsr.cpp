// Linear feedback shift registers. Bit k of the state at time t is a[t + k] of one m-sequence a, so
// 64 states side by side are that sequence at `width` neighbouring positions, and a comparison of
// 64 states takes `width` steps, least significant digit first. The phase is a position in a.
#include <bit>

#include "kernels.hpp"
#include "simd.hpp"
#include "stretch.hpp"

namespace sc::SC_LEVEL {
namespace {

// The register: a[t + width] is the parity of state & feedback.
class Register {
 public:
  Register(int width, uint32_t feedback) : width_(width), feedback_(feedback) {
    squares_[0] = 2;
    for (int i = 1; i < width; i++) squares_[i] = multiply(squares_[i - 1], squares_[i - 1]);
    for (int j = 0; j < width; j++) {
      uint32_t state = uint32_t{1} << j;
      uint64_t word = 0;
      for (int t = 0; t < 64; t++) {
        word |= uint64_t{state & 1} << t;
        state = step(state);
      }
      const int byte = j / 8;
      const size_t from = size_t{1} << j % 8;
      for (size_t i = 0; i < from; i++) {
        word_[byte][from + i] = word_[byte][i] ^ word;
        state_[byte][from + i] = state_[byte][i] ^ state;
      }
    }
  }

  uint64_t period() const { return (uint64_t{1} << width_) - 1; }

  // The state `phase` steps after state 1: x**phase modulo the polynomial, as a sum of the first
  // `width` states.
  uint32_t state_at(uint64_t phase) const {
    uint32_t power = 1;
    for (int i = 0; i < width_; i++)
      if (phase >> i & 1) power = multiply(power, squares_[i]);
    uint32_t sum = 0, state = 1;
    for (int j = 0; j < width_; j++) {
      if (power >> j & 1) sum ^= state;
      state = step(state);
    }
    return sum;
  }

  // Returns a[t] .. a[t + 63] and advances the state by 64 steps.
  uint64_t next_word(uint32_t& state) const {
    const uint32_t s = state;
    state = state_[0][s & 255] ^ state_[1][s >> 8 & 255] ^ state_[2][s >> 16 & 255] ^
            state_[3][s >> 24];
    return word_[0][s & 255] ^ word_[1][s >> 8 & 255] ^ word_[2][s >> 16 & 255] ^ word_[3][s >> 24];
  }

 private:
  uint32_t step(uint32_t state) const {
    return state >> 1 | uint32_t(std::popcount(state & feedback_) & 1) << (width_ - 1);
  }

  uint32_t multiply(uint32_t a, uint32_t b) const {
    const uint32_t top = uint32_t{1} << (width_ - 1);
    uint32_t product = 0;
    for (int j = width_ - 1; j >= 0; j--) {
      product = (product & ~top) << 1 ^ (product & top ? feedback_ : 0);
      if (b >> j & 1) product ^= a;
    }
    return product;
  }

  int width_;
  uint32_t feedback_;
  uint32_t squares_[32];  // x**(2**i)
  uint64_t word_[4][256] = {};
  uint32_t state_[4][256] = {};
};

// 64 comparisons a lane, state < bound, for the states that start at bit `offset` of a[0].
inline U states_below(const uint64_t* a, int offset, int width, uint64_t bound) {
  if (bound >> width != 0) return set1(~uint64_t{0});
  U less = set1(0), low = load(a), high = load(a + 1);
  int digit = std::countr_zero(bound);
  int shift = offset + digit;
  if (shift >= 64) {
    low = high;
    high = load(a + 2);
    shift -= 64;
  }
  for (; digit < width; digit++, shift++) {
    if (shift == 64) {
      low = high;
      high = load(a + 2);
      shift = 0;
    }
    const U r = funnel(low, high, shift);
    less = bound >> digit & 1 ? or_not(less, r) : and_not(less, r);
  }
  return less;
}

// The widest register whose whole sequence is laid out once and read at every phase.
constexpr int kNarrow = 16;
constexpr size_t kSlack = kLanes + 3;

void narrow(const Lfsr& e, const Register& reg, size_t first, size_t last) {
  uint64_t a[(size_t{1} << kNarrow) / 64 + 1 + kSlack];
  const uint64_t period = reg.period();
  uint32_t state = 1;
  for (size_t w = 0; w < period / 64 + 1 + kSlack; w++) a[w] = reg.next_word(state);
  const uint64_t stride = 64 * kLanes % period;
  for_each_stretch(e.to, first, last, [&](size_t s, uint64_t word, size_t count, uint64_t* out) {
    uint64_t at = (e.phases[s] + word % period * 64) % period;
    for (size_t w = 0; w < count; w += kLanes) {
      const U bits = states_below(a + at / 64, int(at % 64), e.width, e.to.thresholds[s] + 1);
      store_some(out + w, bits, count - w);
      at += stride;
      if (at >= period) at -= period;
    }
  });
}

void wide(const Lfsr& e, const Register& reg, size_t first, size_t last) {
  const uint64_t period = reg.period();
  for_each_stretch(e.to, first, last, [&](size_t s, uint64_t word, size_t count, uint64_t* out) {
    uint32_t state = reg.state_at((e.phases[s] + word % period * 64) % period);
    uint64_t a[kLanes + 2];
    a[kLanes] = reg.next_word(state);
    for (size_t w = 0; w < count; w += kLanes) {
      a[0] = a[kLanes];
      for (size_t i = 1; i <= kLanes; i++) a[i] = reg.next_word(state);
      store_some(out + w, states_below(a, 0, e.width, e.to.thresholds[s] + 1), count - w);
    }
  });
}

}  // namespace

void lfsr(const Lfsr& e, size_t first, size_t last) {
  const Register reg(e.width, e.feedback);
  if (e.width <= kNarrow)
    narrow(e, reg, first, last);
  else
    wide(e, reg, first, last);
}

}  // namespace sc::SC_LEVEL
