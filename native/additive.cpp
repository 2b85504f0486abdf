// Additive recurrences: the number at time t is (offset + t * step) modulo the modulus (Weyl
// sequences, counters). Lanes are neighboring time steps; all values stay below 2**33. The bits of
// a stream repeat after the modulus.
#include <algorithm>

#include "kernels.hpp"
#include "repeat.hpp"
#include "simd.hpp"
#include "stretch.hpp"

namespace sc::SC_LEVEL {
namespace {

// What 64 steps from a number on add to it.
class Steps {
 public:
  explicit Steps(uint64_t modulus) : modulus_(modulus), moduli_(set1(modulus)) { set_step(0); }

  uint64_t step() const { return step_; }

  void set_step(uint64_t step) {
    step_ = step;
    uint64_t lanes[kLanes], ahead = 0;
    for (uint64_t& number : lanes) {
      number = ahead;
      ahead = wrapped(ahead + step);
    }
    ahead_[0] = load(lanes);
    // As many parts again are those before, so many steps later.
    for (int known = 1; known < kParts; known *= 2, ahead = wrapped(2 * ahead))
      for (int part = 0; part < known; part++)
        ahead_[known + part] = wrapped(ahead_[part] + set1(ahead));
    of_word_ = ahead;
  }

  uint64_t next_word(uint64_t start) const { return wrapped(start + of_word_); }
  uint64_t of_word() const { return of_word_; }

  uint64_t below(uint64_t start, U threshold) const {
    uint64_t bits = 0;
    for (int part = 0; part < kParts; part++)
      bits |= uint64_t{below_bits(wrapped(set1(start) + ahead_[part]), threshold)}
              << (part * kLanes);
    return bits;
  }

 private:
  static constexpr int kParts = 64 / kLanes;

  uint64_t wrapped(uint64_t number) const { return number < modulus_ ? number : number - modulus_; }
  U wrapped(U number) const { return min(number, number - moduli_); }

  uint64_t modulus_, step_, of_word_;
  U moduli_, ahead_[kParts];
};

}  // namespace

void additive(const Additive& e, const Part& part) {
  const uint64_t m = e.modulus;
  Steps steps(m);
  // Where a word is read again: a multiple of the modulus that lies before the word.
  const uint64_t back = (63 / m + 1) * m;
  for_each_stretch(e.to, part.first, part.last,
                   [&](size_t s, uint64_t word, size_t count, uint64_t* out) {
                     const uint64_t step = e.steps[s] < m ? e.steps[s] : e.steps[s] % m;
                     if (step != steps.step()) steps.set_step(step);
                     const U threshold = set1(e.to.thresholds[s]);
                     uint64_t start = e.offsets[s] + (word == 0 ? 0 : word % m * steps.of_word());
                     if (start >= m) start %= m;
                     const size_t made = size_t(std::min<uint64_t>(count, words_for(back)));
                     for (size_t w = 0; w < made; w++) {
                       out[w] = steps.below(start, threshold);
                       start = steps.next_word(start);
                     }
                     for (size_t w = made; w < count; w++)
                       out[w] = read_pattern(out, 64 * w - back);
                   });
}

}  // namespace sc::SC_LEVEL
