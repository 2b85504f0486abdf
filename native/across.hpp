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

  // Those of a group of neurons up to a step of the word: bits(i) are those of input i, read once
  // and in order in blocks of 64; code(i) has the sign of its weight.
  template <class Bits, class Code>
  void turn_weights(size_t group, int steps, Bits&& bits, Code&& code) const {
    for (size_t block = 0; block < n_blocks_; block++) {
      const size_t first = 64 * block, n = std::min<size_t>(64, n_in_ - first);
      uint64_t rows[64][kLanes];
      U mask = set1(0);
      for (size_t i = 0; i < n; i++) {
        store(rows[i], bits(first + i));
        mask = mask | (sign_mask(code(first + i)) & set1(uint64_t{1} << i));
      }
      for (size_t i = n; i < 64; i++) store(rows[i], set1(0));
      uint64_t* out = weights_ + (64 * group * n_blocks_ + block) * kLanes;
      turn_steps(
          steps, [&](size_t i) { return load(rows[i]); },
          [&](size_t k, U turned) { store(out + k * n_blocks_ * kLanes, turned); });
      store(signs_ + (group * n_blocks_ + block) * kLanes, mask);
    }
  }

  // One word of time of n images, at most kLanes, up to a step:
  // x[image * image_stride + input * input_stride].
  void turn_inputs(const uint64_t* x, size_t n, size_t image_stride, size_t input_stride,
                   int steps) const {
    for (size_t block = 0; block < n_blocks_; block++) {
      const size_t inputs = std::min<size_t>(64, n_in_ - 64 * block);
      const uint64_t* from = x + 64 * block * input_stride;
      uint64_t rows[64][kLanes];
      size_t i = 0;
      if (input_stride == 1 && n == kLanes) {
        const double* images[kLanes];
        for (size_t m = 0; m < kLanes; m++)
          images[m] = reinterpret_cast<const double*>(from + m * image_stride);
        F columns[kLanes];
        for (; i + kLanes <= inputs; i += kLanes) {
          load_columns(images, i, columns);
#pragma GCC unroll 8
          for (size_t k = 0; k < kLanes; k++)
            storef(reinterpret_cast<double*>(rows[i + k]), columns[k]);
        }
      }
      for (; i < inputs; i++) {
        for (size_t m = 0; m < n; m++) rows[i][m] = from[m * image_stride + i * input_stride];
        for (size_t m = n; m < kLanes; m++) rows[i][m] = 0;
      }
      for (; i < 64; i++) store(rows[i], set1(0));
      uint64_t* out = x_ + block * kLanes;
      turn_steps(
          steps, [&](size_t i) { return load(rows[i]); },
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
