// The bits of one stream, laid one after another where another stream has ones.
#include <bit>

#include "kernels.hpp"
#include "simd.hpp"
#ifdef __BMI2__
#include <immintrin.h>
#endif

namespace sc::SC_LEVEL {
namespace {

inline uint64_t deposit_word(uint64_t bits, uint64_t mask) {
#ifdef __BMI2__
  return _pdep_u64(bits, mask);
#else
  uint64_t out = 0;
  for (; mask != 0; mask &= mask - 1, bits >>= 1) out |= mask & -mask & -(bits & 1);
  return out;
#endif
}

}  // namespace

void deposit(const Deposit& d, const Part& part) {
  const size_t words = words_for(d.length);
  for (size_t row = part.first; row < part.last; row++) {
    const uint64_t *x = d.x + row * words, *w = d.w + row * words;
    uint64_t taken = 0;
    for (size_t i = 0; i < words; i++) {
      const size_t at = size_t(taken / 64);
      const int shift = int(taken % 64);
      uint64_t bits = at < words ? w[at] >> shift : 0;
      if (shift != 0 && at + 1 < words) bits |= w[at + 1] << (64 - shift);
      d.out[row * words + i] = deposit_word(bits, x[i]);
      taken += uint64_t(std::popcount(x[i]));
    }
  }
}

}  // namespace sc::SC_LEVEL
