// Neurons in fixed point with their potentials after every step, in integers: what hardware
// computes.
#include <algorithm>

#include "kernels.hpp"

namespace sc {

void fixed_trace(const FixedTrace& f, const Part& part) {
  const uint64_t end = std::min<uint64_t>(64 * part.last_word, f.steps);
  for (size_t n = part.first; n < part.last; n++) {
    const FixedNeuron& c = f.neurons[n % f.n_neurons];
    const int32_t* counts = f.counts + n * f.steps;
    int32_t* potentials = f.potentials + n * f.steps;
    uint64_t* spikes = f.spikes + n * words_for(f.steps);
    uint64_t* saturations = f.saturations + 2 * n;
    std::fill(spikes + part.first_word, spikes + part.last_word, 0);
    int64_t v = f.v[n], i = f.i[n];
    uint64_t rest = f.refractory[n];
    for (uint64_t t = 64 * part.first_word; t < end; t++) {
      int64_t drive = int64_t{counts[t]} * c.one;
      if (c.syn_leak != 0) {
        i = std::clamp(i - (i * c.syn_leak >> c.syn_leak_shift) + drive, c.v_min, c.v_max);
        drive = i >> c.syn_fraction;
      }
      if (rest != 0) {
        rest--;
      } else {
        const int64_t sum = v - (v * c.leak >> c.leak_shift) + drive;
        v = std::clamp(sum, c.v_min, c.v_max);
        saturations[0] += sum < c.v_min;
        saturations[1] += sum > c.v_max;
        if (v >= c.threshold) {
          spikes[t / 64] |= uint64_t{1} << t % 64;
          v = c.subtracts ? v - (c.threshold - c.reset) : c.reset;
          rest = c.refractory_period;
        }
      }
      potentials[t] = int32_t(v);
    }
    f.v[n] = int32_t(v);
    f.i[n] = int32_t(i);
    f.refractory[n] = rest;
  }
}

}  // namespace sc
