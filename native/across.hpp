// Products counted across inputs: words of time are turned into words of inputs, so that one
// population count a time step takes 64 products of each lane. Lanes are neurons, kLanes images lie
// side by side.
#pragma once
#include "counter.hpp"

namespace sc::SC_LEVEL {

class Across {
 public:
  Across(size_t n_in, uint64_t* scratch)
      : n_in_(n_in),
        n_blocks_(words_for(n_in)),
        weights_(scratch),
        signs_(weights_ + 64 * n_blocks_ * kTile),
        x_(signs_ + n_blocks_ * kTile) {}

  // bits and signs hold a vector for each input.
  void turn_weights(size_t group, const uint64_t* bits, const uint64_t* signs) const {
    for (size_t block = 0; block < n_blocks_; block++) {
      const auto row = [&](const uint64_t* of, size_t i) {
        const size_t at = 64 * block + i;
        return at < n_in_ ? load(of + at * kLanes) : set1(0);
      };
      uint64_t* out = weights_ + (64 * group * n_blocks_ + block) * kLanes;
      turn_64([&](size_t i) { return row(bits, i); },
              [&](size_t k, U turned) { store(out + k * n_blocks_ * kLanes, turned); });
      U mask = set1(0);
      for (size_t i = 0; i < 64; i++) mask = mask | (row(signs, i) & set1(uint64_t{1} << i));
      store(signs_ + (group * n_blocks_ + block) * kLanes, mask);
    }
  }

  // One word of time of kLanes images: x[image * image_stride + input * input_stride].
  void turn_inputs(const uint64_t* x, size_t image_stride, size_t input_stride) const {
    for (size_t block = 0; block < n_blocks_; block++) {
      uint64_t rows[64][kLanes] = {};
      const size_t n = std::min<size_t>(64, n_in_ - 64 * block);
      for (size_t m = 0; m < kLanes; m++) {
        const uint64_t* from = x + m * image_stride + 64 * block * input_stride;
        for (size_t i = 0; i < n; i++) rows[i][m] = from[i * input_stride];
      }
      uint64_t* out = x_ + block * kLanes;
      turn_64([&](size_t i) { return load(rows[i]); },
              [&](size_t k, U turned) { store(out + k * n_blocks_ * kLanes, turned); });
    }
  }

  // counts[m] = ones among the products of positive weights + zeros among those of negative ones,
  // of the neurons of a group under image m at step k of the word.
  [[gnu::always_inline]] void count(size_t group, size_t k, U (&counts)[kLanes]) const {
    const uint64_t* weights = weights_ + (64 * group + k) * n_blocks_ * kLanes;
    const uint64_t* signs = signs_ + group * n_blocks_ * kLanes;
    const uint64_t* x = x_ + k * n_blocks_ * kLanes;
#pragma GCC unroll 8
    for (int m = 0; m < kLanes; m++) counts[m] = set1(0);
    for (size_t at = 0; at < n_blocks_ * kLanes; at += kLanes) {
      const U weight = load(weights + at), sign = load(signs + at);
#pragma GCC unroll 8
      for (int m = 0; m < kLanes; m++)
        counts[m] = counts[m] + popcount(and_xor_aside(set1(x[at + size_t(m)]), weight, sign));
    }
  }

  // Negative weights of the neurons of a group.
  U negative(size_t group) const {
    U sum = set1(0);
    for (size_t block = 0; block < n_blocks_; block++)
      sum = sum + popcount(load(signs_ + (group * n_blocks_ + block) * kLanes));
    return sum;
  }

 private:
  size_t n_in_, n_blocks_;
  uint64_t* weights_;  // [group][step][block of 64 inputs][lane]
  uint64_t* signs_;    // [group][block][lane], ones for negative weights
  uint64_t* x_;        // [step][block][image]
};

}  // namespace sc::SC_LEVEL
