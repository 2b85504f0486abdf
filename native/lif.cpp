// A population of LIF neurons under currents that are given.
#include "lif.hpp"

namespace sc::SC_LEVEL {
namespace {

// `count` neurons from n on, at most G * kLanes; lanes past them compute and are not stored.
template <int G>
void run_groups(const LifPopulation& p, const Lif& lif, const PhiloxKey& key, size_t n,
                size_t count) {
  constexpr size_t kCapacity = size_t{G} * kLanes;
  const size_t words = words_for(p.steps);
  double v[kCapacity] = {};
  uint64_t refractory[kCapacity] = {};
  for (size_t i = 0; i < count; i++) {
    v[i] = p.v[n + i];
    refractory[i] = p.refractory[n + i];
  }
  LifGroups<G> groups{};
  for (int g = 0; g < G; g++) {
    groups.v[g] = loadf(v + g * kLanes);
    groups.refractory[g] = load(refractory + g * kLanes);
    groups.neuron[g] = set1(n + uint64_t(g) * kLanes) + iota();
  }
  uint64_t position = p.position;
  for (size_t w = 0; w < words; w++) {
    const uint64_t left = p.steps - 64 * w;
    const int steps = left < 64 ? int(left) : 64;
    uint64_t column[64];
    for (int k = 0; k < steps; k++) {
      column[k] = position;
      if (++position == p.period) position = 0;
    }
    U spikes[G];
    lif_word(lif, key, groups, p.first_step + 64 * w, steps, spikes, [&](int g, int k) {
      const uint64_t at = column[k];
      if (p.row_stride == 0) return set1f(p.currents[at]);
      const size_t row = n + size_t(g) * kLanes;
      if (size_t(g + 1) * kLanes <= count)
        return gather(p.currents + row * p.row_stride + at, p.row_stride);
      double lanes[kLanes] = {};
      for (size_t i = 0; i < kLanes && row + i < n + count; i++)
        lanes[i] = p.currents[(row + i) * p.row_stride + at];
      return loadf(lanes);
    });
    for (int g = 0; g < G; g++) {
      uint64_t lanes[kLanes];
      store(lanes, spikes[g]);
      for (size_t i = 0; i < kLanes && size_t(g) * kLanes + i < count; i++)
        p.spikes[(n + size_t(g) * kLanes + i) * words + w] = lanes[i];
    }
  }
  for (int g = 0; g < G; g++) {
    storef(v + g * kLanes, groups.v[g]);
    store(refractory + g * kLanes, groups.refractory[g]);
  }
  for (size_t i = 0; i < count; i++) {
    p.v[n + i] = v[i];
    p.refractory[n + i] = refractory[i];
  }
}

}  // namespace

void normal_samples(uint64_t key, uint64_t first_step, uint64_t steps, double* out, size_t n) {
  const PhiloxKey k(key);
  for (size_t neuron = 0; neuron < n; neuron += kLanes) {
    F z[4];
    for (uint64_t s = 0; s < steps; s++) {
      const uint64_t t = first_step + s;
      if (t % 4 == 0 || s == 0) normal_block(k, t / 4, set1(neuron) + iota(), z);
      double lanes[kLanes];
      storef(lanes, z[t % 4]);
      for (size_t i = 0; i < kLanes && neuron + i < n; i++)
        out[(neuron + i) * steps + s] = lanes[i];
    }
  }
}

void lif(const LifPopulation& p, size_t first, size_t last) {
  const Lif update(p.lif);
  const PhiloxKey key(p.key);
  size_t n = first;
  for (; last - n > 2 * kLanes; n += 4 * kLanes) {
    const size_t count = last - n < 4 * kLanes ? last - n : 4 * kLanes;
    run_groups<4>(p, update, key, n, count);
    if (count < 4 * kLanes) return;
  }
  if (last - n > kLanes)
    run_groups<2>(p, update, key, n, last - n);
  else if (last > n)
    run_groups<1>(p, update, key, n, last - n);
}

}  // namespace sc::SC_LEVEL
