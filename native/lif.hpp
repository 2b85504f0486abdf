// The leaky integrate-and-fire update, lanes are neurons. Both kernels that fire use this one.
#pragma once
#include <algorithm>
#include <type_traits>

#include "kernels.hpp"
#include "philox.hpp"

namespace sc::SC_LEVEL {

// How much of the update a population needs: without a refractory period; with one; all of it, with
// synaptic currents and resets that subtract; integers; integers with synaptic currents.
enum class Form { kPlain, kResting, kGeneral, kFixed, kFixedSynapse };

// Whether neurons have synaptic currents that last for more than a step.
inline constexpr bool has_currents(Form form) {
  return form == Form::kGeneral || form == Form::kFixedSynapse;
}

// Whether the general form must run: kPlain and kResting ignore the parameters tested here.
inline bool needs_all(const LifParameters& c) {
  return c.syn_leak != 0 || (c.subtracts && !c.fixed);
}
// What currents are multiplied with before they enter the update.
inline double drive_scale(const LifParameters& c) { return needs_all(c) ? 1.0 : c.gain; }

// drive_scale * I, for a caller that multiplies once for many neurons.
struct Drive {
  F v;
};

class Lif {
 public:
  explicit Lif(const LifParameters& c) : Lif(&c, 1, 0) {}
  // The neurons of a group of lanes, with n parameters: those of each neuron, or one for all.
  Lif(const LifParameters* each, size_t n, size_t group)
      : Lif([=](size_t lane) -> const LifParameters& {
          return each[std::min(group * kLanes + lane, n - 1)];
        }) {}

  // of(lane) are the parameters of the neuron in a lane; all are in fixed point, or none is.
  template <class Of>
    requires std::is_invocable_r_v<const LifParameters&, Of, size_t>
  explicit Lif(Of&& of)
      : leak_(lanes(of, [](const LifParameters& c) { return c.leak; })),
        v_rest_(lanes(of, [](const LifParameters& c) { return c.v_rest; })),
        gain_(lanes(of, [](const LifParameters& c) { return c.gain; })),
        scale_(lanes(of, drive_scale)),
        noise_(lanes(of, [](const LifParameters& c) { return c.noise_std; })),
        v_threshold_(lanes(of, [](const LifParameters& c) { return c.v_threshold; })),
        v_reset_(lanes(of, [](const LifParameters& c) { return c.v_reset; })),
        drop_(lanes(of, [](const LifParameters& c) { return c.v_threshold - c.v_reset; })),
        syn_leak_(
            lanes(of, [](const LifParameters& c) { return c.syn_leak != 0 ? c.syn_leak : 1; })),
        v_min_(lanes(of, [](const LifParameters& c) { return c.v_min; })),
        v_max_(lanes(of, [](const LifParameters& c) { return c.v_max; })) {
    uint64_t period[kLanes], subtracts[kLanes], synapse[kLanes];
    for (size_t lane = 0; lane < kLanes; lane++) {
      const LifParameters& c = of(lane);
      period[lane] = c.refractory_period;
      subtracts[lane] = c.subtracts;
      synapse[lane] = c.syn_leak != 0;
      has_noise_ = has_noise_ || c.noise_std != 0;
      has_period_ = has_period_ || c.refractory_period != 0;
      has_synapse_ = has_synapse_ || c.syn_leak != 0;
      is_general_ = is_general_ || needs_all(c);
      is_fixed_ = c.fixed;
    }
    period_ = load(period);
    subtracts_ = nonzero(load(subtracts));
    synapse_ = nonzero(load(synapse));
  }

  bool has_noise() const { return has_noise_; }
  bool has_period() const { return has_period_; }
  bool has_synapse() const { return has_synapse_; }
  bool is_general() const { return is_general_; }
  bool is_fixed() const { return is_fixed_; }
  // Where a neuron with that potential rests.
  F resting(F v) const { return select(subtracts_, v, v_reset_); }

  // The same neurons with higher thresholds.
  Lif raised(F by) const {
    Lif other = *this;
    other.v_threshold_ = v_threshold_ + by;
    other.drop_ = other.v_threshold_ - v_reset_;
    return other;
  }

  // The potential at the start, and the threshold.
  void start(F& v, F& v_threshold) const {
    v = v_rest_;
    v_threshold = v_threshold_;
  }

  // The synaptic currents after a step, of neurons that have one.
  F synaptic(F before, F after) const { return select(synapse_, after, before); }

  Drive drive(F current) const { return {scale_ * current}; }
  Drive drive(Drive drive) const { return drive; }

  // The step before time `next`, a signed number. A neuron rests while next <= wakes, and v stays
  // where resting() put it; in the plain form none rests or ever will. `reached` becomes the
  // potential before the threshold is compared, if it is asked for.
  template <bool kNoise, Form kForm>
  M step(F& v, U& wakes, F& i, U next, Drive drive, F z, F* reached = nullptr) const {
    F in = drive.v;
    if constexpr (kForm == Form::kGeneral) {
      i = (i - i * syn_leak_) + in;
      in = gain_ * i;
    }
    if constexpr (kForm == Form::kFixedSynapse) {
      i = clamp((i - floor(i * syn_leak_)) + in, v_min_, v_max_);
      in = floor(gain_ * i);
    }
    constexpr bool kIntegers = kForm == Form::kFixed || kForm == Form::kFixedSynapse;
    F x;
    if constexpr (kIntegers)
      x = clamp((v - floor(v * leak_)) + in, v_min_, v_max_);
    else
      x = (v - (v - v_rest_) * leak_) + in;
    if constexpr (kNoise) x = x + noise_ * z;
    if (reached != nullptr) *reached = x;
    if constexpr (kForm == Form::kPlain) {
      const M spike = at_least(x, v_threshold_);
      v = select(spike, v_reset_, x);
      return spike;
    }
    const M awake = less(wakes, next);
    const M spike = at_least(x, v_threshold_, awake);
    constexpr bool kMaySubtract = kForm == Form::kGeneral || kIntegers;
    const F reset = kMaySubtract ? resting(x - drop_) : v_reset_;
    v = select(spike, reset, select(awake, x, v));
    wakes = select(spike, next + period_, wakes);
    return spike;
  }

 private:
  template <class Of, class Field>
  static F lanes(Of& of, Field&& field) {
    double values[kLanes];
    for (size_t lane = 0; lane < kLanes; lane++) values[lane] = field(of(lane));
    return loadf(values);
  }

  F leak_, v_rest_, gain_, scale_, noise_, v_threshold_, v_reset_, drop_, syn_leak_, v_min_, v_max_;
  U period_;
  M subtracts_, synapse_;
  bool has_noise_ = false, has_period_ = false, has_synapse_ = false, is_general_ = false;
  bool is_fixed_ = false;
};

// Groups of kLanes neurons side by side, which hides the latency of the update.
template <int G>
struct LifGroups {
  F v[G];
  U refractory[G];
  F i[G];
  U neuron[G];  // the number of its noise

  // `count` neurons from number `first` on; lanes past them start from zeros and are not stored.
  // Of neurons that are channels of positions, the noise is that of (channel, position).
  void load(const LifState& from, uint64_t first, size_t count, uint32_t positions = 1,
            uint64_t position = 0) {
    for (size_t g = 0; g < G; g++) {
      const size_t at = std::min(g * kLanes, count);
      load_group(g, from.from(at), first + g * kLanes, count - at, positions, position);
    }
  }
  void load_group(size_t g, const LifState& from, uint64_t first, size_t count,
                  uint32_t positions = 1, uint64_t position = 0) {
    v[g] = loadf_some(from.v, count);
    refractory[g] = load_some(from.refractory, count);
    i[g] = loadf_some(from.i, count);
    neuron[g] = mul32(set1(first) + iota(), set1(positions)) + set1(position);
  }
  void store(const LifState& to, size_t count) const {
    for (size_t g = 0; g < G && g * kLanes < count; g++)
      store_group(g, to.from(g * kLanes), count - g * kLanes);
  }
  void store_group(size_t g, const LifState& to, size_t count) const {
    storef_some(to.v, v[g], count);
    store_some(to.refractory, refractory[g], count);
    storef_some(to.i, i[g], count);
  }
};

template <int G, bool kNoise, Form kForm, class Current>
inline void lif_steps(const Lif& lif, const PhiloxKey& noise_key, LifGroups<G>& groups,
                      uint64_t first_step, int steps, U (&spikes)[G], Current&& current) {
  // Times count from the least signed number on, so that any refractory count compares.
  const U start = set1(uint64_t{1} << 63);
  F v[G], i[G];
  U wakes[G];
  for (int g = 0; g < G; g++) {
    spikes[g] = set1(0);
    v[g] = groups.v[g];
    i[g] = groups.i[g];
    if (kForm != Form::kPlain)
      v[g] = select(nonzero(groups.refractory[g]), lif.resting(v[g]), v[g]);
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
      const Drive drive = lif.drive(current(g, k));
      const M spike = lif.step<kNoise, kForm>(v[g], wakes[g], i[g], next, drive, z);
      spikes[g] = or_where(spike, spikes[g], bit);
    }
  }
  const U end = start + set1(uint64_t(steps));
  for (int g = 0; g < G; g++) {
    groups.v[g] = v[g];
    if (has_currents(kForm) && lif.has_synapse()) groups.i[g] = i[g];
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
  const auto run = [&]<Form kForm>() {
    if (lif.has_noise())
      lif_steps<G, true, kForm>(lif, noise_key, groups, first_step, steps, spikes, current);
    else
      lif_steps<G, false, kForm>(lif, noise_key, groups, first_step, steps, spikes, current);
  };
  if (lif.is_fixed() && lif.has_synapse())
    lif_steps<G, false, Form::kFixedSynapse>(lif, noise_key, groups, first_step, steps, spikes,
                                             current);
  else if (lif.is_fixed())
    lif_steps<G, false, Form::kFixed>(lif, noise_key, groups, first_step, steps, spikes, current);
  else if (lif.is_general())
    run.template operator()<Form::kGeneral>();
  else if (rests)
    run.template operator()<Form::kResting>();
  else
    run.template operator()<Form::kPlain>();
}

}  // namespace sc::SC_LEVEL
