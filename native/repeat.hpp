// Bits that repeat after a period, written to words at any position.
#pragma once
#include <cstddef>
#include <cstdint>

namespace sc {

// Words of memory for a pattern of `period` bits that can be read at every position in it.
inline size_t pattern_words(uint64_t period) { return size_t(period / 64 + 3); }

// Continues a pattern past its period by what a read at its last position needs.
inline void close_pattern(uint64_t* pattern, uint64_t period) {
  for (uint64_t t = period; t < period + 64; t++) {
    const uint64_t bit = pattern[(t - period) / 64] >> (t - period) % 64 & 1;
    pattern[t / 64] = (pattern[t / 64] & ~(uint64_t{1} << t % 64)) | bit << t % 64;
  }
}

// The 64 bits of a closed pattern from a position on.
inline uint64_t read_pattern(const uint64_t* pattern, uint64_t at) {
  const uint64_t low = pattern[at / 64] >> at % 64;
  return at % 64 == 0 ? low : low | pattern[at / 64 + 1] << (64 - at % 64);
}

}  // namespace sc
