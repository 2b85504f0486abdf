// The leaky integrate-and-fire update, lanes are neurons. Both kernels that fire use this one.
#pragma once
#include "kernels.hpp"
#include "philox.hpp"

namespace sc::SC_LEVEL {

class Lif {
 public:
  explicit Lif(const LifCoefficients& c)
      : leak_(set1f(c.leak)),
        v_rest_(set1f(c.v_rest)),
        gain_(set1f(c.gain)),
        noise_(set1f(c.noise)),
        v_threshold_(set1f(c.v_threshold)),
        v_reset_(set1f(c.v_reset)),
        period_(set1(c.refractory_period)),
        has_noise_(c.noise != 0) {}

  bool has_noise() const { return has_noise_; }

  M step(F& v, U& refractory, F current, F z) const {
    F x = (v - (v - v_rest_) * leak_) + gain_ * current;
    if (has_noise_) x = x + noise_ * z;
    const M resting = nonzero(refractory);
    const M spike = and_not(resting, at_least(x, v_threshold_));
    v = select(resting, v_reset_, select(spike, v_reset_, x));
    refractory = select(resting, refractory - set1(1), select(spike, period_, set1(0)));
    return spike;
  }

 private:
  F leak_, v_rest_, gain_, noise_, v_threshold_, v_reset_;
  U period_;
  bool has_noise_;
};

// Groups of kLanes neurons side by side, which hides the latency of the update.
template <int G>
struct LifGroups {
  F v[G];
  U refractory[G];
  U neuron[G];
  F z[G][4];
};

// Runs `steps` (1 to 64) steps from absolute step first_step on and returns the spikes, packed.
// current(g, k) is the current of group g at step first_step + k.
template <int G, class Current>
inline void lif_word(const Lif& lif, const PhiloxKey& noise_key, LifGroups<G>& groups,
                     uint64_t first_step, int steps, U (&spikes)[G], Current&& current) {
  for (int g = 0; g < G; g++) spikes[g] = set1(0);
  for (int k = 0; k < steps; k++) {
    const uint64_t t = first_step + uint64_t(k);
    if (lif.has_noise() && (t % 4 == 0 || k == 0))
      for (int g = 0; g < G; g++) normal_block(noise_key, t / 4, groups.neuron[g], groups.z[g]);
    const U bit = set1(uint64_t{1} << k);
#pragma GCC unroll 4
    for (int g = 0; g < G; g++) {
      const M spike =
          lif.step(groups.v[g], groups.refractory[g], current(g, k), groups.z[g][t % 4]);
      spikes[g] = spikes[g] | select(spike, bit, set1(0));
    }
  }
}

}  // namespace sc::SC_LEVEL
