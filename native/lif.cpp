// A population of LIF neurons under currents that are given.
#include "lif.hpp"

namespace sc::SC_LEVEL {
namespace {

// The drive of one word's steps, where all neurons see the same currents.
class SharedDrive {
 public:
  SharedDrive(const LifPopulation& p, size_t, size_t) : p_(p), scale_(drive_scale(p.lif)) {}

  F poison(int) const { return set1f(0); }
  void fill(uint64_t position, int steps) {
    for (int k = 0; k < steps; k++) {
      drive_[k] = scale_ * p_.currents[position];
      if (++position == p_.period) position = 0;
    }
  }
  Drive operator()(int, int k) const { return {set1f(drive_[k])}; }

 private:
  const LifPopulation& p_;
  double scale_;
  double drive_[64];
};

// The drive of one word's steps, where each neuron has a row of currents: in lanes, so turned.
template <int G>
class RowDrive {
 public:
  // Lanes past the last neuron see its currents.
  RowDrive(const LifPopulation& p, size_t n, size_t count) : p_(p), scale_(drive_scale(p.lif)) {
    for (size_t i = 0; i < size_t{G} * kLanes; i++)
      rows_[i / kLanes][i % kLanes] = p.currents + (n + std::min(i, count - 1)) * p.row_stride;
    for (F& poison : poison_) poison = set1f(0);
  }

  // 0, or NaN for neurons of a group that have met a current that is not finite.
  F poison(int g) const { return poison_[g]; }

  void fill(uint64_t position, int steps) {
    const uint64_t next = position + uint64_t(steps);
    // A row's first line is the last of what was asked for before, unless rows start on lines.
    ahead_ = (next < p_.period ? next : G * kLanes * p_.row_stride) + kLanes - 1;
    for (int g = 0; g < G; g++) fill_group(g, position, steps);
  }
  // Step k of a group asks for a line of what is filled next: no hardware follows so many rows, and
  // all at once would fill the queue of misses.
  Drive operator()(int g, int k) const {
    prefetch(rows_[g][k % kLanes], ahead_ + size_t(k / kLanes * kLanes));
    return {loadf(drive_[g][k])};
  }

 private:
  void fill_group(int g, uint64_t position, int steps) {
    const F scale = set1f(scale_), zero = set1f(0);
    F poison = poison_[g];
    for (int k = 0; k < steps;) {
      if (k + kLanes <= 64 && position + kLanes <= p_.period) {
        F columns[kLanes];
        load_columns(rows_[g], position, columns);
        for (int j = 0; j < kLanes; j++) storef(drive_[g][k + j], scale * columns[j]);
        for (int j = 0; j < kLanes; j++) columns[j] = zero * columns[j];
        for (int n = kLanes / 2; n > 0; n /= 2)
          for (int j = 0; j < n; j++) columns[j] = columns[j] + columns[j + n];
        poison = poison + columns[0];
        k += kLanes;
        position += kLanes;
      } else {
        double currents[kLanes];
        for (int i = 0; i < kLanes; i++) currents[i] = rows_[g][i][position];
        storef(drive_[g][k], scale * loadf(currents));
        poison = poison + zero * loadf(currents);
        k++;
        position++;
      }
      if (position == p_.period) position = 0;
    }
    poison_[g] = poison;
  }

  const LifPopulation& p_;
  double scale_;
  const double* rows_[G][kLanes];
  uint64_t ahead_ = 0;
  F poison_[G];
  alignas(64) double drive_[G][64][kLanes];
};

// `count` neurons from n on, at most G * kLanes; lanes past them compute and are not stored.
template <int G, class Drives>
void run_groups(const LifPopulation& p, const Part& part, const Lif& lif, const PhiloxKey& key,
                size_t n, size_t count) {
  const size_t words = words_for(p.steps);
  LifGroups<G> groups;
  groups.load(p.state.from(n), n, count);
  Drives drives(p, n, count);
  // Of neurons that rest, the update forgets the potential.
  F poison[G];
  for (int g = 0; g < G; g++) poison[g] = set1f(0) + set1f(0) * groups.v[g];
  uint64_t position = (p.position + 64 * part.first_word) % p.period;
  for (size_t w = part.first_word; w < part.last_word; w++) {
    const int steps = int(std::min<uint64_t>(p.steps - 64 * w, 64));
    drives.fill(position, steps);
    position = (position + uint64_t(steps)) % p.period;
    U spikes[G];
    lif_word(lif, key, groups, p.first_step + 64 * w, steps, spikes, drives);
    for (size_t g = 0; g < G && g * kLanes < count; g++)
      store_apart(p.spikes + (n + g * kLanes) * words + w, words, spikes[g], count - g * kLanes);
  }
  if (p.row_stride != 0)  // what is 0 changes no bit of a potential that is subtracted from
    for (int g = 0; g < G; g++) groups.v[g] = groups.v[g] - (poison[g] + drives.poison(g));
  groups.store(p.state.from(n), count);
}

template <int G>
void run(const LifPopulation& p, const Part& part, const Lif& lif, const PhiloxKey& key, size_t n,
         size_t count) {
  p.row_stride == 0 ? run_groups<G, SharedDrive>(p, part, lif, key, n, count)
                    : run_groups<G, RowDrive<G>>(p, part, lif, key, n, count);
}

}  // namespace

void normal(const Normal& samples, const Part& part) {
  const PhiloxKey k(samples.key);
  const uint64_t begin = 64 * part.first_word;
  const uint64_t end = std::min<uint64_t>(64 * part.last_word, samples.steps);
  for (size_t neuron = part.first; neuron < part.last; neuron += kLanes) {
    const NoiseLanes lanes[1] = {{k, set1(neuron) + iota()}};
    float z[1][4][kLanes];
    for (uint64_t s = begin; s < end; s++) {
      const uint64_t t = samples.first_step + s;
      if (t % 4 == 0 || s == begin) normal_block<1>(k, lanes, t / 4, z);
      for (size_t i = 0; i < kLanes && neuron + i < part.last; i++)
        samples.out[(neuron + i) * samples.steps + s] = double(z[0][t % 4][i]);
    }
  }
}

void lif(const LifPopulation& p, const Part& part) {
  const Lif update(p.lif);
  const PhiloxKey key(p.key);
  const size_t last = part.last;
  size_t n = part.first;
  // Noise and rows of currents fill the time that more groups would.
  if (!update.has_noise() && p.row_stride == 0)
    for (; last - n > 4 * kLanes; n += std::min<size_t>(last - n, 8 * kLanes))
      run<8>(p, part, update, key, n, std::min<size_t>(last - n, 8 * kLanes));
  for (; last - n > 2 * kLanes; n += std::min<size_t>(last - n, 4 * kLanes))
    run<4>(p, part, update, key, n, std::min<size_t>(last - n, 4 * kLanes));
  if (last - n > kLanes)
    run<2>(p, part, update, key, n, last - n);
  else if (last > n)
    run<1>(p, part, update, key, n, last - n);
}

}  // namespace sc::SC_LEVEL
