// Random permutations of the numbers below a period: the number at time t is the rank of the
// uniform number of step t among those of one period, the earlier of equals first.
#include <algorithm>

#include "kernels.hpp"
#include "repeat.hpp"
#include "stretch.hpp"

namespace sc {

size_t permutation_scratch(uint64_t period) {
  return size_t(period) + size_t(period + 1) / 2 + pattern_words(period);
}

void permutation(const Permutation& e, const Kernels& kernels, size_t first, size_t last,
                 uint64_t* scratch) {
  uint64_t* ranked = scratch;
  uint64_t* pattern = ranked + e.period;
  auto* numbers = reinterpret_cast<uint32_t*>(pattern + pattern_words(e.period));
  for_each_stretch(e.to, first, last, [&](size_t s, uint64_t word, size_t count, uint64_t* out) {
    const uint64_t ones = e.to.thresholds[s];
    std::fill_n(pattern, pattern_words(e.period), uint64_t{0});
    kernels.uniform(Uniform{e.key, e.streams + s, 0, e.period, numbers}, 0, 1);
    for (uint64_t t = 0; t < e.period; t++) ranked[t] = uint64_t{numbers[t]} << 32 | t;
    if (ones < e.period) std::nth_element(ranked, ranked + ones, ranked + e.period);
    for (uint64_t k = 0; k < ones; k++) {
      const uint64_t t = ranked[k] & 0xFFFFFFFF;
      pattern[t / 64] |= uint64_t{1} << t % 64;
    }
    close_pattern(pattern, e.period);
    uint64_t at = word % e.period * 64 % e.period;
    for (size_t w = 0; w < count; w++) {
      out[w] = read_pattern(pattern, at);
      at = (at + 64) % e.period;
    }
  });
}

}  // namespace sc
