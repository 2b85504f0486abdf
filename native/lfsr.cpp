// Linear feedback shift registers. Bit k of the state at time t is a[t + k] of one m-sequence a, so
// 64 states side by side are that sequence at `width` neighboring positions, and a comparison of
// 64 states takes `width` steps, least significant digit first. The phase is a position in a.
#include <bit>
#include <utility>

#include "kernels.hpp"
#include "simd.hpp"
#include "stretch.hpp"

namespace sc::SC_LEVEL {
namespace {

// The register: a[t + width] is the parity of state & feedback.
class Register {
 public:
  Register(int width, uint32_t feedback) : width_(width), feedback_(feedback) {
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

  int width() const { return width_; }
  uint32_t feedback() const { return feedback_; }

  uint32_t step(uint32_t state) const {
    return state >> 1 | uint32_t(std::popcount(state & feedback_) & 1) << (width_ - 1);
  }

  // Returns a[t] .. a[t + 63] and advances the state by 64 steps.
  uint64_t next_word(uint32_t& state) const {
    const uint32_t s = state;
    state = state_[0][s & 255] ^ state_[1][s >> 8 & 255] ^ state_[2][s >> 16 & 255] ^
            state_[3][s >> 24];
    return word_[0][s & 255] ^ word_[1][s >> 8 & 255] ^ word_[2][s >> 16 & 255] ^ word_[3][s >> 24];
  }

 private:
  int width_;
  uint32_t feedback_;
  uint64_t word_[4][256] = {};
  uint32_t state_[4][256] = {};
};

// A linear map of 32 bits, by the bytes of its argument.
class LinearMap {
 public:
  // image(j) is the image of bit j, asked for in rising order.
  template <class Image>
  explicit LinearMap(int width, Image&& image) {
    for (int j = 0; j < width; j++) {
      const uint32_t bits = image(j);
      uint32_t* byte = of_byte_[j / 8];
      const size_t from = size_t{1} << j % 8;
      for (size_t i = 0; i < from; i++) byte[from + i] = byte[i] ^ bits;
    }
  }

  uint32_t operator()(uint32_t a) const {
    return of_byte_[0][a & 255] ^ of_byte_[1][a >> 8 & 255] ^ of_byte_[2][a >> 16 & 255] ^
           of_byte_[3][a >> 24];
  }

 private:
  uint32_t of_byte_[4][256] = {};
};

// The states at any phase: x**phase modulo the register's polynomial is a sum of powers of x below
// `width`, and the state at the phase is the same sum of the first `width` states.
class Jump {
 public:
  explicit Jump(const Register& reg)
      : width_(reg.width()),
        polynomial_(uint64_t{1} << width_ | reg.feedback()),
        state_of_(width_, [&reg, state = uint32_t{1}](int j) mutable {
          return j == 0 ? state : state = reg.step(state);
        }) {
    // Powers of x**(256**i): each is the one before times that.
    uint32_t unit = 2;
    for (int i = 0; 8 * i < width_; i++) {
      const LinearMap times(width_, [this, shifted = unit](int j) mutable {
        return j == 0 ? shifted : shifted = times_x(shifted);
      });
      powers_[i][0] = 1;
      for (int b = 1; b < 256; b++) powers_[i][b] = times(powers_[i][b - 1]);
      unit = times(powers_[i][255]);
    }
  }

  void states_at(const uint64_t (&phases)[kLanes], uint32_t (&states)[kLanes]) const {
    uint64_t lanes[kLanes];
    U product = set1(1);
    for (int i = 0; 8 * i < width_; i++) {
      for (size_t lane = 0; lane < kLanes; lane++)
        lanes[lane] = powers_[i][phases[lane] >> 8 * i & 255];
      product = i == 0 ? load(lanes) : multiply(product, load(lanes));
    }
    store(lanes, product);
    for (size_t lane = 0; lane < kLanes; lane++) states[lane] = state_of_(uint32_t(lanes[lane]));
  }

 private:
  uint32_t times_x(uint32_t a) const {
    const uint64_t shifted = uint64_t{a} << 1;
    return uint32_t(shifted >> width_ != 0 ? shifted ^ polynomial_ : shifted);
  }

  U multiply(U a, U b) const {
    const U polynomial = set1(polynomial_), top = set1(uint64_t{1} << (width_ - 1));
    U product = set1(0);
    for (int j = width_ - 1; j >= 0; j--) {
      product = xor_where(product << 1, product, top, polynomial);
      product = xor_where(product, b, set1(uint64_t{1} << j), a);
    }
    return product;
  }

  int width_;
  uint64_t polynomial_;
  LinearMap state_of_;
  uint32_t powers_[4][256];  // x**(b << 8 * i)
};

// 64 comparisons a lane of neighboring states with a bound up to 2**width.
class Comparator {
 public:
  Comparator(int width, U bound) : width_(width) {
    full_ = sign_mask(bound << (63 - width));
    const U low = bound - (bound >> width);
    for (int k = 0; k < width; k++)
      digits_[k] = xor_where(set1(0), low, set1(uint64_t{1} << k), set1(~uint64_t{0}));
  }

  // The states start at the first bit of `low`, and run on into `high`.
  U below(U low, U high) const { return below(low, high, std::make_integer_sequence<int, 32>{}); }

 private:
  template <int... k>
  U below(U low, U high, std::integer_sequence<int, k...>) const {
    U less = full_;
    (void)((k < width_ && (less = borrow(funnel<k>(low, high), digits_[k], less), true)) && ...);
    return less;
  }

  int width_;
  U full_, digits_[32];
};

// The widest register whose whole sequence is laid out once and read at every phase.
constexpr int kNarrow = 16;
constexpr size_t kSlack = kLanes + 3;
// The most words of streams that go through the lanes side by side: few where words of one stream
// are at hand, more where they take a register's steps.
constexpr size_t kShort = kLanes - 1, kShortWide = 64;

// Puts a zero behind the first bit of the sequence, which is followed by width - 1 zeros: so state
// 0 follows state 1 (de Bruijn's sequence).
void insert_zero(uint64_t* a, int width, size_t n) {
  uint64_t before = 0;
  for (size_t w = 0; w < n; w++) {
    const uint64_t now = a[w];
    a[w] = now << 1 | before >> 63;
    before = now;
  }
  a[0] ^= 3;
  if (width < 6) {
    const uint64_t once = a[0] & ((uint64_t{1} << (1 << width)) - 1);
    a[0] = once * (~uint64_t{0} / ((uint64_t{1} << (1 << width)) - 1));
  }
  const size_t period = width < 6 ? 1 : size_t{1} << (width - 6);
  for (size_t w = period; w < n; w++) a[w] = a[w - period];
}

void narrow(const Lfsr& e, const Register& reg, const Part& part) {
  uint64_t a[(size_t{1} << kNarrow) / 64 + 1 + kSlack];
  const uint64_t period = reg.period() + e.zero;
  uint32_t state = 1;
  const size_t laid = period / 64 + 1 + kSlack;
  for (size_t w = 0; w < laid; w++) a[w] = reg.next_word(state);
  if (e.zero) insert_zero(a, e.width, laid);
  const uint64_t least = e.zero ? 0 : 1;

  const auto words_of_stream = [&](size_t s, uint64_t word, size_t count, uint64_t* out) {
    const Comparator comparator(e.width, set1(e.to.thresholds[s] + least));
    const uint64_t stride = 64 * kLanes % period;
    uint64_t at = (e.phases[s] + word % period * 64) % period;
    for (size_t w = 0; w < count; w += kLanes) {
      const U low = load(a + at / 64), high = load(a + at / 64 + 1), end = load(a + at / 64 + 2);
      const U n = set1(at % 64);
      store_some(out + w, comparator.below(funnel(low, high, n), funnel(high, end, n)), count - w);
      at += stride;
      if (at >= period) at -= period;
    }
  };

  const size_t words = words_for(e.to.length);
  const U periods = set1(period), stride = set1(64 % period);
  const U start = set1(e.to.first_word % period * 64 % period);
  const auto wrapped = [&](U position) { return min(position, position - periods); };
  const auto group_of_streams = [&](size_t s) {
    const Comparator comparator(e.width, load(e.to.thresholds + s) + set1(least));
    U at = wrapped(load(e.phases + s) + start);
    for (size_t w = 0; w < words; w++) {
      const U from = at >> 6, n = at & set1(63);
      const U middle = gather(a + 1, from);
      const U low = funnel(gather(a, from), middle, n);
      const U high = funnel(middle, gather(a + 2, from), n);
      store_column(e.to, s, w, comparator.below(low, high));
      at = wrapped(at + stride);
    }
  };
  for_each_group(e.to, part, kLanes, kShort, group_of_streams, words_of_stream);
}

void wide(const Lfsr& e, const Register& reg, const Part& part) {
  const Jump jump(reg);
  const auto position = [&](size_t s, uint64_t word) {
    return (e.phases[s] + word % reg.period() * 64) % reg.period();
  };

  const auto words_of_stream = [&](size_t s, uint64_t word, size_t count, uint64_t* out) {
    const Comparator comparator(e.width, set1(e.to.thresholds[s] + 1));
    uint64_t a[kLanes + 1], phases[kLanes];
    uint32_t states[kLanes];
    std::fill_n(phases, kLanes, position(s, word));
    jump.states_at(phases, states);
    a[kLanes] = reg.next_word(states[0]);
    for (size_t w = 0; w < count; w += kLanes) {
      a[0] = a[kLanes];
      for (size_t i = 1; i <= kLanes; i++) a[i] = reg.next_word(states[0]);
      store_some(out + w, comparator.below(load(a), load(a + 1)), count - w);
    }
  };

  const size_t words = words_for(e.to.length);
  const auto group_of_streams = [&](size_t s) {
    const Comparator comparator(e.width, load(e.to.thresholds + s) + set1(1));
    uint64_t low[kLanes], high[kLanes];
    uint32_t states[kLanes];
    for (size_t i = 0; i < kLanes; i++) low[i] = position(s + i, e.to.first_word);
    jump.states_at(low, states);
    for (size_t i = 0; i < kLanes; i++) high[i] = reg.next_word(states[i]);
    for (size_t w = 0; w < words; w++) {
      std::copy_n(high, kLanes, low);
      for (size_t i = 0; i < kLanes; i++) high[i] = reg.next_word(states[i]);
      store_column(e.to, s, w, comparator.below(load(low), load(high)));
    }
  };
  for_each_group(e.to, part, kLanes, kShortWide, group_of_streams, words_of_stream);
}

}  // namespace

void lfsr(const Lfsr& e, const Part& part) {
  const Register reg(e.width, e.feedback);
  if (e.width <= kNarrow)
    narrow(e, reg, part);
  else
    wide(e, reg, part);
}

}  // namespace sc::SC_LEVEL
