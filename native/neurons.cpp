// Neurons under given sums of products, which may also see their own spikes of the step before.
// Lanes are neurons; all rows take a step before any takes the next, so that the weights of a step
// are read from the cache.
#include <bit>
#include <new>

#include "counter.hpp"
#include "kernels.hpp"
#include "lif.hpp"

namespace sc::SC_LEVEL {
namespace {

static_assert(sizeof(Lif) <= sizeof(uint64_t) * kLifWords);

size_t drive_at(const NeuronLayer& l, size_t row, uint64_t s, size_t j) {
  return (row * l.drive_steps + (l.drive_steps == 1 ? 0 : s)) * l.n + j;
}
F drive_of(const NeuronLayer& l, size_t row, uint64_t s, size_t j, size_t count) {
  const size_t at = drive_at(l, row, s, j);
  if (l.shorts != nullptr) return to_double(lengthen_some(l.shorts + at, count));
  return l.floats != nullptr ? widen_some(l.floats + at, count) : loadf_some(l.drive + at, count);
}

U noise_numbers(const NeuronLayer& l, size_t row, size_t j) {
  uint64_t numbers[kLanes];
  for (size_t lane = 0; lane < kLanes; lane++) numbers[lane] = l.noise_of(row, j + lane);
  return load(numbers);
}

// Whole numbers as they are, of magnitudes below 2**51.
U to_whole(F a) {
  double lanes[kLanes];
  uint64_t whole[kLanes];
  storef(lanes, a);
  for (size_t lane = 0; lane < kLanes; lane++) whole[lane] = uint64_t(int64_t(lanes[lane]));
  return load(whole);
}

// Rows whose neurons do not see each other: groups step side by side through a word of time.
template <int G>
void run_apart(const NeuronLayer& l, const Lif& lif, size_t row, size_t j, uint64_t w) {
  const PhiloxKey key(l.noise_key);
  const size_t count = l.n - j;
  const LifState state = l.state.from(row * l.n + j);
  LifGroups<G> groups;
  groups.load(state, j, count);
  F gain[G];
  size_t lanes[G];
  for (size_t g = 0; g < G; g++) {
    lanes[g] = count - g * kLanes;
    gain[g] = loadf_some(l.gain + j + g * kLanes, lanes[g]);
    if (lif.has_noise()) groups.neuron[g] = noise_numbers(l, row, j + g * kLanes);
  }
  U spikes[G];
  const int steps = int(std::min<uint64_t>(l.steps - 64 * w, 64));
  lif_word(lif, key, groups, l.first_step + 64 * w, steps, spikes, [&](int g, int k) {
    const size_t group = size_t(g);
    return gain[g] * drive_of(l, row, 64 * w + uint64_t(k), j + group * kLanes, lanes[g]);
  });
  groups.store(state, count);
  const size_t words = words_for(l.steps);
  for (size_t g = 0; g < G; g++)
    store_apart(l.spikes + (row * l.n + j + g * kLanes) * words + w, words, spikes[g], lanes[g]);
}

void run_apart(const NeuronLayer& l, const Part& part) {
  const Lif lif(l.lif[0]);
  const size_t n_groups = (l.n + kLanes - 1) / kLanes;
  for (size_t row = part.first; row < part.last; row++) {
    for (uint64_t w = part.first_word; w < part.last_word; w++) {
      size_t group = 0;
      for (; group + 4 <= n_groups; group += 4) run_apart<4>(l, lif, row, group * kLanes, w);
      for (; group + 2 <= n_groups; group += 2) run_apart<2>(l, lif, row, group * kLanes, w);
      for (; group < n_groups; group++) run_apart<1>(l, lif, row, group * kLanes, w);
    }
  }
}

class Rows {
 public:
  Rows(const NeuronLayer& l, const Part& part)
      : l_(l),
        first_(part.first),
        n_rows_(part.last - part.first),
        first_word_(part.first_word),
        last_word_(part.last_word),
        words_(l.weights == nullptr ? 0 : words_for(l.n)),
        n_groups_((l.n + kLanes - 1) / kLanes),
        n_bit_words_(words_for(l.start + l.steps * l.bits_per_step)),
        noise_key_(l.noise_key),
        lifs_(reinterpret_cast<Lif*>(part.scratch)),
        signs_(part.scratch + (l.n_lif == 1 ? 1 : n_groups_) * kLifWords),
        bits_(signs_ + n_groups_ * words_ * kLanes),
        noise_(reinterpret_cast<float*>(
            bits_ + (l.weight_bits == nullptr ? 0 : 64 * n_groups_ * words_ * kLanes))),
        own_(reinterpret_cast<double*>(noise_) + l.noise_rows(n_rows_) * n_groups_ * 2 * kLanes),
        trains_(reinterpret_cast<uint64_t*>(own_) + n_rows_ * n_groups_ * kLanes),
        fired_(trains_ + n_rows_ * n_groups_ * kLanes) {
    for (size_t group = 0; group < (l.n_lif == 1 ? 1 : n_groups_); group++) {
      new (&lifs_[group]) Lif(l.lif, l.n_lif, group);
      has_noise_ = has_noise_ || lifs_[group].has_noise();
    }
    if (l.weight_bits != nullptr) make_signs();
  }

  void run() const {
    const U start = set1(uint64_t{1} << 63);
    uint64_t turned = ~uint64_t{0};  // the word of weight bits that is turned
    for (uint64_t w = first_word_; w < last_word_; w++) {
      const uint64_t left = l_.steps - 64 * w, steps = left < 64 ? left : 64;
      std::fill_n(trains_, n_rows_ * n_groups_ * kLanes, 0);
      each_group(
          [&](size_t, size_t j, size_t at, size_t count) { fall_asleep(j, at, count, start); });
      for (uint64_t k = 0; k < steps; k++) {
        if (has_noise_) make_noise(l_.first_step + 64 * w + k, w == first_word_ && k == 0);
        if (l_.weights != nullptr) add_own(64 * w + k, turned);
        step(64 * w + k, start + set1(k + 1), set1(uint64_t{1} << k));
      }
      const U end = start + set1(steps);
      each_group([&](size_t row, size_t j, size_t at, size_t count) {
        const U wakes = load_some(l_.state.refractory + at, count);
        store_some(l_.state.refractory + at, select(less(end, wakes), wakes - end, set1(0)), count);
        uint64_t* out = l_.spikes + at * words_for(l_.steps) + w;
        store_apart(out, words_for(l_.steps), load(of(trains_, row, j)), count);
      });
    }
  }

 private:
  size_t lanes_of(size_t j) const { return std::min<size_t>(kLanes, l_.n - j); }
  const Lif& lif_of(size_t j) const { return lifs_[l_.n_lif == 1 ? 0 : j / kLanes]; }
  template <class T>
  T* of(T* rows, size_t row, size_t j) const {
    return rows + row * n_groups_ * kLanes + j;
  }

  // f(row, first neuron of a group, where its state begins, neurons in the group)
  template <class F>
  void each_group(F&& f) const {
    for (size_t row = 0; row < n_rows_; row++)
      for (size_t j = 0; j < l_.n; j += kLanes) f(row, j, (first_ + row) * l_.n + j, lanes_of(j));
  }
  size_t noise_row(size_t row) const {
    return l_.own_noise || n_rows_ < l_.positions ? row : (first_ + row) % l_.positions;
  }

  // In a word of time a neuron's refractory steps are held as the time at which it wakes.
  void fall_asleep(size_t j, size_t at, size_t count, U start) const {
    const U refractory = load_some(l_.state.refractory + at, count);
    const F v = loadf_some(l_.state.v + at, count);
    const F rested = select(nonzero(refractory), lif_of(j).resting(v), v);
    storef_some(l_.state.v + at, rested, count);
    store_some(l_.state.refractory + at, start + refractory, count);
  }

  // signs_[group][word][lane]: ones where the weight of an input is negative.
  void make_signs() const {
    std::fill_n(signs_, n_groups_ * words_ * kLanes, 0);
    for (size_t k = 0; k < l_.n; k++)
      for (size_t j = 0; j < l_.n; j++)
        signs_[(j / kLanes * words_ + k / 64) * kLanes + j % kLanes] |=
            uint64_t{l_.weights[k * l_.n + j] < 0} << k % 64;
  }

  // bits_[bit][group][word][lane]: the weight bits of all inputs at each bit of a word of time.
  void turn_bits(uint64_t w) const {
    for (size_t j = 0; j < l_.n; j += kLanes) {
      const size_t count = lanes_of(j);
      for (size_t word = 0; word < words_; word++) {
        const auto row = [&](size_t k) {
          uint64_t lanes[kLanes] = {};
          if (64 * word + k < l_.n)
            for (size_t i = 0; i < count; i++)
              lanes[i] = l_.weight_bits[((j + i) * l_.n + 64 * word + k) * n_bit_words_ + w];
          return load(lanes);
        };
        uint64_t* out = bits_ + (j / kLanes * words_ + word) * kLanes;
        turn_64(row,
                [&](size_t t, U turned) { store(out + t * n_groups_ * words_ * kLanes, turned); });
      }
    }
  }

  // own_[row][neuron]: the sums over the spikes of the step before.
  void add_own(uint64_t s, uint64_t& turned) const {
    const uint64_t first = l_.start + s * l_.bits_per_step;
    const uint64_t last = l_.weight_bits == nullptr ? first + 1 : first + l_.bits_per_step;
    for (uint64_t bit = first; bit < last; bit++) {
      if (l_.weight_bits != nullptr && bit / 64 != turned) turn_bits(turned = bit / 64);
      each_group([&](size_t row, size_t j, size_t, size_t) {
        const uint64_t* before = l_.before + (first_ + row) * words_;
        double* own = of(own_, row, j);
        const F sum = l_.weight_bits == nullptr ? real_sum(before, j) : count(before, j, bit % 64);
        storef(own, bit == first ? sum : loadf(own) + sum);
      });
    }
  }

  // Ones among the products of positive weights less those of negative ones. A product with its
  // sign flips a bit, so that what is counted is too much by the number of negative weights.
  F count(const uint64_t* before, size_t j, uint64_t bit) const {
    const size_t group = j / kLanes;
    const uint64_t* bits = bits_ + (bit * n_groups_ + group) * words_ * kLanes;
    const uint64_t* signs = signs_ + group * words_ * kLanes;
    U sum = set1(0);
    for (size_t word = 0; word < words_; word++) {
      const U sign = load(signs + word * kLanes);
      const U product = and_xor(set1(before[word]), load(bits + word * kLanes), sign);
      sum = sum + (popcount(product) - popcount(sign));
    }
    return to_double(sum);
  }

  F real_sum(const uint64_t* before, size_t j) const {
    F sum = set1f(0);
    for (size_t word = 0; word < words_; word++)
      for (uint64_t left = before[word]; left != 0; left &= left - 1) {
        const size_t k = 64 * word + size_t(std::countr_zero(left));
        sum = sum + loadf_some(l_.weights + k * l_.n + j, lanes_of(j));
      }
    return sum;
  }

  // Steps all neurons.
  void step(uint64_t s, U next, U bit) const {
    const bool own = l_.weights != nullptr;
    if (own) std::fill_n(fired_, n_rows_ * words_, 0);
    each_group([&](size_t row, size_t j, size_t at, size_t count) {
      const size_t batch = first_ + row;
      F sum = drive_of(l_, batch, s, j, count);
      if (own) {
        sum = sum + loadf(of(own_, row, j));
        if (l_.shorts != nullptr)
          shorten_some(l_.shorts + drive_at(l_, batch, s, j), to_whole(sum), count);
        if (l_.floats != nullptr) narrow_some(l_.floats + drive_at(l_, batch, s, j), sum, count);
        if (l_.doubles != nullptr) storef_some(l_.doubles + drive_at(l_, batch, s, j), sum, count);
      }
      const M spike = fire(row, j, at, count, s, next, loadf_some(l_.gain + j, count) * sum);
      uint64_t* train = of(trains_, row, j);
      store(train, or_where(spike, load(train), bit));
      if (own) fired_[row * words_ + j / 64] |= lanes_that_fire(spike, count) << j % 64;
      if (l_.potentials != nullptr)
        std::copy_n(l_.state.v + at, count, l_.potentials + (batch * l_.steps + s) * l_.n + j);
    });
    if (own) std::copy_n(fired_, n_rows_ * words_, l_.before + first_ * words_);
  }

  // Steps a group of neurons of a row.
  M fire(size_t row, size_t j, size_t at, size_t count, uint64_t s, U next, F current) const {
    const Lif& lif = lif_of(j);
    const LifState state = l_.state.from(at);
    F v = loadf_some(state.v, count), i = loadf_some(state.i, count);
    U wakes = load_some(state.refractory, count);
    const F before = i;
    M spike;
    if (lif.is_fixed() && lif.has_synapse()) {
      spike = lif.step<false, Form::kFixedSynapse>(v, wakes, i, next, {current}, F{});
    } else if (lif.is_fixed()) {
      spike = lif.step<false, Form::kFixed>(v, wakes, i, next, {current}, F{});
    } else if (lif.has_noise()) {
      const float* z = of(noise_, 4 * noise_row(row), 4 * j);
      spike = lif.step<true, Form::kGeneral>(v, wakes, i, next, {current},
                                             widen(z + (l_.first_step + s) % 4 * kLanes));
    } else {
      spike = lif.step<false, Form::kGeneral>(v, wakes, i, next, {current}, F{});
    }
    storef_some(state.v, v, count);
    store_some(state.refractory, wakes, count);
    if (lif.has_synapse()) storef_some(state.i, lif.synaptic(before, i), count);
    return spike;
  }

  static uint64_t lanes_that_fire(M spike, size_t count) {
    uint64_t lanes[kLanes], spikes = 0;
    store(lanes, or_where(spike, set1(0), set1(1)));
    for (size_t lane = 0; lane < count; lane++) spikes |= lanes[lane] << lane;
    return spikes;
  }

  // noise_[noise_row][group][step % 4][lane]. Rows of one position have the same noise.
  void make_noise(uint64_t t, bool first) const {
    if (t % 4 != 0 && !first) return;
    for (size_t row = 0; row < l_.noise_rows(n_rows_); row++) {
      for (size_t j = 0; j < l_.n; j += kLanes) {
        const NoiseLanes lanes[1] = {{noise_key_, noise_numbers(l_, first_ + row, j)}};
        float z[1][4][kLanes];
        normal_block<1>(noise_key_, lanes, t / 4, z);
        std::copy_n(&z[0][0][0], 4 * kLanes, of(noise_, 4 * noise_row(row), 4 * j));
      }
    }
  }

  const NeuronLayer& l_;
  size_t first_, n_rows_, first_word_, last_word_, words_, n_groups_, n_bit_words_;
  PhiloxKey noise_key_;
  bool has_noise_ = false;
  Lif* lifs_;
  uint64_t* signs_;
  uint64_t* bits_;
  float* noise_;
  double* own_;
  uint64_t* trains_;
  uint64_t* fired_;
};

}  // namespace

void neurons(const NeuronLayer& l, const Part& part) {
  if (l.weights != nullptr) return Rows(l, part).run();
  if (l.potentials == nullptr && l.n_lif == 1) return run_apart(l, part);
  // So few rows at a time that their state stays in the first-level cache.
  const size_t rows = std::max<size_t>(1024 / std::max<size_t>(l.n, 1), 16);
  for (Part some = part; some.first < part.last; some.first = some.last) {
    some.last = std::min(some.first + rows, part.last);
    Rows(l, some).run();
  }
}

}  // namespace sc::SC_LEVEL
