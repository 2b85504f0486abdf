// Whole-stream dot products: ones among x & w, for all pairs of rows. Both are cut into blocks that
// stay in the cache, and a tile of sums stays in the registers while a block goes by.
#include <algorithm>
#include <bit>

#include "kernels.hpp"
#include "simd.hpp"

namespace sc::SC_LEVEL {
namespace {

// Rows of x and of w in a tile. With 32 registers: 20 sums, 4 words of w, one of x.
constexpr int kRowsX = kLanes == 8 ? 5 : 2, kRowsW = kLanes == 8 ? 4 : 2;

// Words of a block: those of a tile fit the first-level cache.
constexpr size_t kBlock = 1024;

template <int X, int W>
void tile(const Dot& d, size_t i, size_t j, size_t first, size_t last) {
  const uint64_t* x = d.x + i * d.n_words;
  const uint64_t* w = d.w + j * d.n_words;
  U sums[X][W];
  for (auto& row : sums)
    for (U& sum : row) sum = set1(0);
  const auto add = [&](auto&& word) {
    U words[W];
    for (int m = 0; m < W; m++) words[m] = word(w + size_t(m) * d.n_words);
#pragma GCC unroll 8
    for (int n = 0; n < X; n++) {
      const U bits = word(x + size_t(n) * d.n_words);
#pragma GCC unroll 8
      for (int m = 0; m < W; m++) sums[n][m] = sums[n][m] + popcount(bits & words[m]);
    }
  };
  size_t k = first;
  for (; k + kLanes <= last; k += kLanes) add([&](const uint64_t* row) { return load(row + k); });
  if (k < last) add([&](const uint64_t* row) { return load_some(row + k, last - k); });
  for (int n = 0; n < X; n++)
    for (int m = 0; m < W; m++)
      d.out[(i + size_t(n)) * d.n_w + j + size_t(m)] += int64_t(sum_lanes(sums[n][m]));
}

template <int X>
void strip(const Dot& d, size_t i, size_t first_w, size_t last_w, size_t first, size_t last) {
  size_t j = first_w;
  for (; j + kRowsW <= last_w; j += kRowsW) tile<X, kRowsW>(d, i, j, first, last);
  for (; j < last_w; j++) tile<X, 1>(d, i, j, first, last);
}

}  // namespace

void dot(const Dot& d, const Part& part) {
  const bool x = d.cuts_x();
  const size_t first_x = x ? part.first : 0, last_x = x ? part.last : d.n_x;
  const size_t first_w = x ? 0 : part.first, last_w = x ? d.n_w : part.last;
  if (part.first_word == 0)
    for (size_t i = first_x; i < last_x; i++)
      std::fill(d.out + i * d.n_w + first_w, d.out + i * d.n_w + last_w, 0);
  for (size_t first = part.first_word; first < part.last_word; first += kBlock) {
    const size_t last = std::min(first + kBlock, part.last_word);
    size_t i = first_x;
    for (; i + kRowsX <= last_x; i += kRowsX) strip<kRowsX>(d, i, first_w, last_w, first, last);
    for (; i < last_x; i++) strip<1>(d, i, first_w, last_w, first, last);
  }
}

void ones(const Ones& o, const Part& part) {
  for (size_t r = part.first; r < part.last; r++) {
    const uint64_t* x = o.x + r * o.n_words;
    if (o.n_words < kLanes) {
      o.out[r] = 0;
      for (size_t w = 0; w < o.n_words; w++) o.out[r] += std::popcount(x[w]);
      continue;
    }
    U sums[4] = {set1(0), set1(0), set1(0), set1(0)};
    size_t w = 0;
    for (; w + 4 * kLanes <= o.n_words; w += 4 * kLanes)
      for (size_t i = 0; i < 4; i++) sums[i] = sums[i] + popcount(load(x + w + i * kLanes));
    for (; w + kLanes <= o.n_words; w += kLanes) sums[0] = sums[0] + popcount(load(x + w));
    if (w < o.n_words) sums[1] = sums[1] + popcount(load_some(x + w, o.n_words - w));
    o.out[r] = int64_t(sum_lanes((sums[0] + sums[1]) + (sums[2] + sums[3])));
  }
}

}  // namespace sc::SC_LEVEL
