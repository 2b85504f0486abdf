// Circuits whose state is a number or a buffer, one a row: the integrator, the moving average, the
// shuffle buffer, the shift register of an in-stream product.
#include "kernels.hpp"
#include "rows.hpp"

namespace sc {
namespace {

inline int steps_of_word(uint64_t length, size_t w) {
  return length - 64 * w < 64 ? int(length - 64 * w) : 64;
}

template <size_t kIn, size_t kNumbers, size_t R>
void integrate_rows(const Integrator& g, const Part& part, size_t row) {
  const size_t words = words_for(g.length);
  const uint32_t full = 1u << g.n_bits;
  const int shift = 32 - g.n_bits;
  uint32_t c[R];
  for (size_t r = 0; r < R; r++) c[r] = g.counters[row + r];
  for (size_t w = part.first_word; w < part.last_word; w++) {
    const int steps = steps_of_word(g.length, w);
    uint64_t in[kIn][R], out[R] = {};
    const uint32_t* numbers[kNumbers][R];
    for (size_t r = 0; r < R; r++) {
      for (size_t i = 0; i < kIn; i++) in[i][r] = g.inputs[(i * g.n_rows + row + r) * words + w];
      for (size_t i = 0; i < kNumbers; i++)
        numbers[i][r] = g.numbers + (i * g.n_rows + row + r) * g.length + 64 * w;
    }
    for (int t = 0; t < steps; t++) {
      for (size_t r = 0; r < R; r++) {
        const uint32_t z = numbers[0][r][t] >> shift < c[r];
        uint32_t down = z;
        if constexpr (kNumbers == 2) down &= uint32_t(numbers[1][r][t] >> shift < c[r]);
        if constexpr (kIn == 2) down &= uint32_t(in[1][r] >> t);
        // It cannot fall below 0: where c = 0 no number is below it.
        const uint32_t next = c[r] + uint32_t(in[0][r] >> t & 1) - down;
        c[r] = next < full ? next : full;
        out[r] |= uint64_t{z} << t;
      }
    }
    for (size_t r = 0; r < R; r++) g.out[(row + r) * words + w] = out[r];
  }
  for (size_t r = 0; r < R; r++) g.counters[row + r] = c[r];
}

template <size_t kIn, size_t kNumbers>
void integrate_range(const Integrator& g, const Part& part) {
  in_groups(part, [&](auto r, size_t row) { integrate_rows<kIn, kNumbers, r>(g, part, row); });
}

template <size_t R>
void average_rows(const MovingAverage& a, const Part& part, size_t row) {
  const size_t words = words_for(a.length);
  double y[R];
  for (size_t r = 0; r < R; r++) y[r] = a.y[row + r];
  for (size_t w = part.first_word; w < part.last_word; w++) {
    const int steps = steps_of_word(a.length, w);
    uint64_t x[R];
    for (size_t r = 0; r < R; r++) x[r] = a.x[(row + r) * words + w];
    double* out = a.out + row * a.length + 64 * w;
    for (int t = 0; t < steps; t++) {
      for (size_t r = 0; r < R; r++) {
        y[r] = y[r] + (double(int(x[r] >> t & 1)) - y[r]) * a.gain;
        out[r * a.length + size_t(t)] = y[r];
      }
    }
  }
  for (size_t r = 0; r < R; r++) a.y[row + r] = y[r];
}

template <size_t R>
void shuffle_rows(const Shuffle& s, const Part& part, size_t row) {
  const size_t words = words_for(s.length), buffer_words = words_for(s.depth);
  for (size_t w = part.first_word; w < part.last_word; w++) {
    const int steps = steps_of_word(s.length, w);
    uint64_t x[R], out[R] = {};
    for (size_t r = 0; r < R; r++) x[r] = s.x[(row + r) * words + w];
    for (int t = 0; t < steps; t++) {
      for (size_t r = 0; r < R; r++) {
        const uint64_t number = s.numbers[(row + r) * s.length + 64 * w + size_t(t)];
        const uint64_t address = number * s.depth >> 32;
        uint64_t& slots = s.buffers[(row + r) * buffer_words + address / 64];
        const uint64_t leaving = slots >> address % 64 & 1;
        slots ^= (leaving ^ (x[r] >> t & 1)) << address % 64;
        out[r] |= leaving << t;
      }
    }
    for (size_t r = 0; r < R; r++) s.out[(row + r) * words + w] = out[r];
  }
}

// Bits 64 w .. 64 w + 63 of y, delayed by the depth of a register that holds 0, 1, 0, 1, ... at
// first.
inline uint64_t delayed_word(const uint64_t* y, uint64_t depth, size_t w) {
  const uint64_t first = 64 * uint64_t(w);
  if (first >= depth) {
    const uint64_t at = (first - depth) / 64, shift = (first - depth) % 64;
    return shift == 0 ? y[at] : y[at] >> shift | y[at + 1] << (64 - shift);
  }
  const uint64_t start = 0xAAAAAAAAAAAAAAAAu, left = depth - first;
  return left >= 64 ? start : (start & ((uint64_t{1} << left) - 1)) | y[0] << left;
}

template <bool kBipolar, size_t R>
void in_stream_rows(const InStream& s, size_t row) {
  const size_t words = words_for(s.length);
  const uint64_t* thresholds = s.thresholds;
  const uint32_t* numbers[R];
  uint64_t c[R], ones[R];
  for (size_t r = 0; r < R; r++) {
    numbers[r] = s.numbers + (row + r) * s.length;
    c[r] = s.depth / 2, ones[r] = 0;
  }
  for (size_t w = 0; w < words; w++) {
    const int steps = steps_of_word(s.length, w);
    uint64_t x[R], in[R], leaving[R], out[R] = {};
    for (size_t r = 0; r < R; r++) {
      const uint64_t* y = s.y + (row + r) * words;
      x[r] = s.x[(row + r) * words + w], in[r] = y[w], leaving[r] = delayed_word(y, s.depth, w);
    }
    for (int t = 0; t < steps; t++) {
      for (size_t r = 0; r < R; r++) {
        const uint64_t one = x[r] >> t & 1, zeros = 64 * w + uint64_t(t) - ones[r];
        const uint64_t k = kBipolar ? zeros ^ ((zeros ^ ones[r]) & -one) : ones[r];
        const uint64_t z = numbers[r][k] < thresholds[c[r]];
        out[r] |= (kBipolar ? one ^ z ^ 1 : one & z) << t;
        ones[r] += one;
        c[r] += (in[r] >> t & 1) - (leaving[r] >> t & 1);
      }
    }
    for (size_t r = 0; r < R; r++) s.out[(row + r) * words + w] = out[r];
  }
}

}  // namespace

void in_stream(const InStream& s, const Part& part) {
  in_groups(part, [&](auto r, size_t row) {
    s.bipolar ? in_stream_rows<true, r>(s, row) : in_stream_rows<false, r>(s, row);
  });
}

void integrate(const Integrator& g, const Part& part) {
  if (g.n_in == 1)
    g.n_numbers == 1 ? integrate_range<1, 1>(g, part) : integrate_range<1, 2>(g, part);
  else
    g.n_numbers == 1 ? integrate_range<2, 1>(g, part) : integrate_range<2, 2>(g, part);
}

void moving_average(const MovingAverage& a, const Part& part) {
  in_groups(part, [&](auto r, size_t row) { average_rows<r>(a, part, row); });
}

void shuffle(const Shuffle& s, const Part& part) {
  in_groups(part, [&](auto r, size_t row) { shuffle_rows<r>(s, part, row); });
}

}  // namespace sc
