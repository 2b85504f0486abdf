// Bits that repeat after a period, written to words at any position.
#pragma once
#include <cstddef>
#include <cstdint>

namespace sc {

// Words of memory for a pattern of `period` bits that can be read at every position in it.
inline size_t pattern_words(uint64_t period) { return size_t(period / 64 + 3); }

// Continues a pattern past its period by what a read at its last position needs: 64 bits.
inline void close_pattern(uint64_t* pattern, uint64_t period) {
  const uint64_t word = period / 64, bit = period % 64;
  if (bit != 0) pattern[word] &= (uint64_t{1} << bit) - 1;
  if (period < 64) {
    for (uint64_t known = period; known < 64; known *= 2) pattern[0] |= pattern[0] << known;
    pattern[1] = pattern[0] >> 64 % period;
  } else if (bit == 0) {
    pattern[word] = pattern[0];
  } else {
    pattern[word] |= pattern[0] << bit;
    pattern[word + 1] = pattern[0] >> (64 - bit);
  }
}

// The 64 bits of a closed pattern from a position on.
inline uint64_t read_pattern(const uint64_t* pattern, uint64_t at) {
  const uint64_t low = pattern[at / 64] >> at % 64;
  return at % 64 == 0 ? low : low | pattern[at / 64 + 1] << (64 - at % 64);
}

}  // namespace sc
