// Gradients of the inputs of a convolution. Rows are added up side by side in registers, so that a
// vector of weights is read once for all of them. The compiler may fuse products and sums here.
#include <algorithm>

#include "floats.hpp"
#include "kernels.hpp"
#include "simd.hpp"

namespace sc::SC_LEVEL {
namespace {

constexpr size_t kBlock = InputGradients::kBlock;
static_assert(kBlock == kFloats);

// A tap of a kernel on a pixel.
struct Tap {
  int32_t position, tap;
};

// The taps on each pixel: those of pixel p are taps[begin[p]] to taps[begin[p + 1]].
struct Taps {
  Tap* taps;
  int32_t* begin;

  Taps(const InputGradients& g, uint64_t* scratch)
      : taps(reinterpret_cast<Tap*>(scratch)),
        begin(reinterpret_cast<int32_t*>(scratch + g.positions * g.taps)) {
    std::fill_n(begin, g.n_pixels + 1, 0);
    const size_t n = g.positions * g.taps;
    for (size_t i = 0; i < n; i++)
      if (g.pixels[i] >= 0) begin[g.pixels[i]]++;
    int32_t end = 0;
    for (size_t p = 0; p <= g.n_pixels; p++) begin[p] = end += begin[p];
    for (size_t i = n; i-- > 0;)
      if (g.pixels[i] >= 0) taps[--begin[g.pixels[i]]] = {int32_t(i / g.taps), int32_t(i % g.taps)};
  }
};

// Rows side by side: as many as the registers hold sums of.
constexpr size_t kSide = kLanes >= 8 ? kGradientRows : kGradientRows / 4;

// Some rows under the same weights, at most kSide. Their gradients of sums are in `from` side by
// side.
void add_taps(const InputGradients& g, const Taps& of, const float* from, const float* weights,
              float* const* to, size_t n_rows) {
  const size_t columns = g.columns();
  for (size_t pixel = 0; pixel < g.n_pixels; pixel++) {
    for (size_t block = 0; block < g.channels; block += kBlock) {
      Floats sum[kSide] = {};
      for (int32_t i = of.begin[pixel]; i < of.begin[pixel + 1]; i++) {
        const Tap tap = of.taps[i];
        const float* weight = weights + size_t(tap.tap) * g.n * columns + block;
        const float* x = from + size_t(tap.position) * g.n * kSide;
        const float* end = x + g.n * kSide;
        for (; x < end; x += kSide, weight += columns) {
          const Floats w = load_floats(weight);
#pragma GCC unroll 16
          for (size_t m = 0; m < kSide; m++) sum[m] += x[m] * w;
        }
      }
      const size_t here = std::min(g.channels - block, kBlock);
#pragma GCC unroll 16
      for (size_t m = 0; m < kSide; m++) {
        if (m >= n_rows) break;
        float* out = to[m] + pixel * g.channels + block;
        if (here == kBlock) {
          store_floats(out, sum[m]);
        } else {
          float values[kBlock];
          store_floats(values, sum[m]);
          std::copy_n(values, here, out);
        }
      }
    }
  }
}

}  // namespace

void input_gradients(const InputGradients& g, const Part& part) {
  const size_t of_row = g.positions * g.n, of_out = g.n_pixels * g.channels;
  auto* side = reinterpret_cast<float*>(part.scratch);
  const Taps taps(g, part.scratch + of_row * kGradientRows / 2);
  for (size_t s = 0; s < g.n_weights; s++) {
    const float* weights = g.weights + s * g.taps * g.n * g.columns();
    size_t row = (part.first + g.n_weights - 1 - s) / g.n_weights * g.n_weights + s;
    while (row < part.last) {
      float* to[kSide];
      std::fill_n(side, of_row * kSide, 0.0f);
      size_t n = 0;
      for (; n < kSide && row < part.last; n++, row += g.n_weights) {
        const float* from = g.of_sums + row * of_row;
        for (size_t i = 0; i < of_row; i++) side[i * kSide + n] = from[i];
        to[n] = g.out + row * of_out;
      }
      add_taps(g, taps, side, weights, to, n);
    }
  }
}

}  // namespace sc::SC_LEVEL
