// The leaky integrate-and-fire update, lanes are neurons. Both kernels that fire use this one.
#pragma once
#include "kernels.hpp"
#include "philox.hpp"

namespace sc::SC_LEVEL {

// gain * I, for a caller that multiplies once for many neurons.
struct Drive {
  F v;
};

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
        has_noise_(c.noise != 0),
        has_period_(c.refractory_period != 0) {}

  bool has_noise() const { return has_noise_; }
  bool has_period() const { return has_period_; }
  F v_reset() const { return v_reset_; }

  Drive drive(F current) const { return {gain_ * current}; }
  Drive drive(Drive drive) const { return drive; }

  // The step before time `next`, a signed number. A neuron rests while next <= wakes, and v is
  // v_reset then; without kRests none rests or ever will.
  template <bool kNoise, bool kRests>
  M step(F& v, U& wakes, U next, Drive drive, F z) const {
    F x = (v - (v - v_rest_) * leak_) + drive.v;
    if constexpr (kNoise) x = x + noise_ * z;
    if constexpr (!kRests) {
      const M spike = at_least(x, v_threshold_);
      v = select(spike, v_reset_, x);
      return spike;
    }
    const M awake = less(wakes, next);
    const M spike = at_least(x, v_threshold_, awake);
    v = select(spike, v_reset_, select(awake, x, v));
    wakes = select(spike, next + period_, wakes);
    return spike;
  }

 private:
  F leak_, v_rest_, gain_, noise_, v_threshold_, v_reset_;
  U period_;
  bool has_noise_, has_period_;
};

// Groups of kLanes neurons side by side, which hides the latency of the update.
template <int G>
struct LifGroups {
  F v[G];
  U refractory[G];
  U neuron[G];

  // `count` neurons from number `first` on; lanes past them start from zeros and are not stored.
  void load(uint64_t first, const double* v_from, const uint64_t* refractory_from, size_t count) {
    for (size_t g = 0; g < G; g++) {
      const size_t at = std::min(g * kLanes, count);
      load_group(g, first + g * kLanes, v_from + at, refractory_from + at, count - at);
    }
  }
  void load_group(size_t g, uint64_t first, const double* v_from, const uint64_t* refractory_from,
                  size_t count) {
    v[g] = loadf_some(v_from, count);
    refractory[g] = load_some(refractory_from, count);
    neuron[g] = set1(first) + iota();
  }
  void store(double* v_to, uint64_t* refractory_to, size_t count) const {
    for (size_t g = 0; g < G && g * kLanes < count; g++)
      store_group(g, v_to + g * kLanes, refractory_to + g * kLanes, count - g * kLanes);
  }
  void store_group(size_t g, double* v_to, uint64_t* refractory_to, size_t count) const {
    storef_some(v_to, v[g], count);
    store_some(refractory_to, refractory[g], count);
  }
};

template <int G, bool kNoise, bool kRests, class Current>
inline void lif_steps(const Lif& lif, const PhiloxKey& noise_key, LifGroups<G>& groups,
                      uint64_t first_step, int steps, U (&spikes)[G], Current&& current) {
  // Times count from the least signed number on, so that any refractory count compares.
  const U start = set1(uint64_t{1} << 63);
  F v[G];
  U wakes[G];
  for (int g = 0; g < G; g++) {
    spikes[g] = set1(0);
    v[g] = groups.v[g];
    if (kRests) v[g] = select(nonzero(groups.refractory[g]), lif.v_reset(), v[g]);
    wakes[g] = start + groups.refractory[g];
  }
  NoiseLanes lanes[G];
  alignas(64) float noise[G][4][kLanes];
  if constexpr (kNoise)
    for (int g = 0; g < G; g++) lanes[g] = NoiseLanes(noise_key, groups.neuron[g]);
  for (int k = 0; k < steps; k++) {
    const uint64_t t = first_step + uint64_t(k);
    if (kNoise && (t % 4 == 0 || k == 0)) normal_block<G>(noise_key, lanes, t / 4, noise);
    const U next = start + set1(uint64_t(k) + 1), bit = set1(uint64_t{1} << k);
#pragma GCC unroll 8
    for (int g = 0; g < G; g++) {
      const F z = kNoise ? widen(noise[g][t % 4]) : F{};
      const M spike = lif.step<kNoise, kRests>(v[g], wakes[g], next, lif.drive(current(g, k)), z);
      spikes[g] = or_where(spike, spikes[g], bit);
    }
  }
  const U end = start + set1(uint64_t(steps));
  for (int g = 0; g < G; g++) {
    groups.v[g] = v[g];
    groups.refractory[g] = select(less(end, wakes[g]), wakes[g] - end, set1(0));
  }
}

// Runs `steps` (1 to 64) steps from absolute step first_step on and returns the spikes, packed.
// current(g, k) is the current of group g at step first_step + k, or its Drive.
template <int G, class Current>
inline void lif_word(const Lif& lif, const PhiloxKey& noise_key, LifGroups<G>& groups,
                     uint64_t first_step, int steps, U (&spikes)[G], Current&& current) {
  U refractory = groups.refractory[0];
  for (int g = 1; g < G; g++) refractory = refractory | groups.refractory[g];
  const bool rests = lif.has_period() || any_both(refractory, refractory);
  const auto run = [&]<bool kNoise, bool kRests>() {
    lif_steps<G, kNoise, kRests>(lif, noise_key, groups, first_step, steps, spikes, current);
  };
  if (lif.has_noise())
    rests ? run.template operator()<true, true>() : run.template operator()<true, false>();
  else
    rests ? run.template operator()<false, true>() : run.template operator()<false, false>();
}

}  // namespace sc::SC_LEVEL
