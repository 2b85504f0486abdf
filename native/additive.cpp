// Additive recurrences: the number at time t is (offset + t * step) modulo the modulus (Weyl
// sequences, counters). Lanes are neighbouring time steps; all values stay below 2**33.
#include "kernels.hpp"
#include "simd.hpp"
#include "stretch.hpp"

namespace sc::SC_LEVEL {

void additive(const Additive& e, size_t first, size_t last) {
  constexpr int kParts = 64 / kLanes;
  const uint64_t m = e.modulus;
  const U modulus = set1(m);
  for_each_stretch(e.to, first, last, [&](size_t s, uint64_t word, size_t count, uint64_t* out) {
    const uint64_t step = e.steps[s] % m, word_step = 64 % m * step % m;
    uint64_t lanes[64];
    for (uint64_t t = 0, number = 0; t < 64; t++) {
      lanes[t] = number;
      number += step;
      if (number >= m) number -= m;
    }
    U ahead[kParts];
    for (int part = 0; part < kParts; part++) ahead[part] = load(lanes + part * kLanes);
    const U threshold = set1(e.to.thresholds[s]);
    uint64_t start = (e.offsets[s] + word % m * word_step) % m;
    for (size_t w = 0; w < count; w++) {
      uint64_t bits = 0;
      for (int part = 0; part < kParts; part++) {
        const U sum = set1(start) + ahead[part];
        bits |= uint64_t{below_bits(min(sum, sum - modulus), threshold)} << (part * kLanes);
      }
      out[w] = bits;
      start += word_step;
      if (start >= m) start -= m;
    }
  });
}

}  // namespace sc::SC_LEVEL
