// A layer that sees its own spikes of the step before. Lanes are neurons; all rows take a step
// before any takes the next, so that the weights of a step are read from the cache.
#include <bit>

#include "counter.hpp"
#include "kernels.hpp"
#include "lif.hpp"

namespace sc::SC_LEVEL {
namespace {

class Rows {
 public:
  Rows(const RecurrentLayer& r, const Part& part)
      : r_(r),
        first_(part.first),
        n_rows_(part.last - part.first),
        first_word_(part.first_word),
        last_word_(part.last_word),
        words_(words_for(r.n)),
        n_groups_((r.n + kLanes - 1) / kLanes),
        lif_(r.lif),
        noise_key_(r.noise_key),
        signs_(part.scratch),
        bits_(signs_ + n_groups_ * words_ * kLanes),
        noise_(reinterpret_cast<float*>(
            bits_ + (r.weight_bits == nullptr ? 0 : 64 * n_groups_ * words_ * kLanes))),
        fired_(part.scratch + recurrent_scratch(r, n_rows_) - n_rows_ * words_),
        trains_(fired_ - n_rows_ * n_groups_ * kLanes) {
    if (r.weight_bits != nullptr) make_signs();
  }

  void run() const {
    const U start = set1(uint64_t{1} << 63);
    for (uint64_t w = first_word_; w < last_word_; w++) {
      const uint64_t left = r_.length - 64 * w, steps = left < 64 ? left : 64;
      if (r_.weight_bits != nullptr) turn_bits(w);
      std::fill_n(trains_, n_rows_ * n_groups_ * kLanes, 0);
      each_group([&](size_t, size_t at, size_t count) { fall_asleep(at, count, start); });
      for (uint64_t k = 0; k < steps; k++) step(w, k, start);
      const U end = start + set1(steps);
      each_group([&](size_t row, size_t at, size_t count) {
        const U wakes = load_some(r_.state.refractory + at, count);
        store_some(r_.state.refractory + at, select(less(end, wakes), wakes - end, set1(0)), count);
        const size_t j = at % r_.n;
        uint64_t* out = r_.spikes + at * words_for(r_.length) + w;
        store_apart(out, words_for(r_.length), load(train_of(row, j)), count);
      });
    }
  }

 private:
  size_t lanes_of(size_t j) const { return std::min<size_t>(kLanes, r_.n - j); }
  uint64_t* train_of(size_t row, size_t j) const { return trains_ + row * n_groups_ * kLanes + j; }

  // f(row, where the state of a group of neurons begins, neurons in the group)
  template <class F>
  void each_group(F&& f) const {
    for (size_t row = 0; row < n_rows_; row++)
      for (size_t j = 0; j < r_.n; j += kLanes) f(row, (first_ + row) * r_.n + j, lanes_of(j));
  }

  // In a word of time a neuron's refractory steps are held as the time at which it wakes.
  void fall_asleep(size_t at, size_t count, U start) const {
    const U refractory = load_some(r_.state.refractory + at, count);
    const F v = loadf_some(r_.state.v + at, count);
    storef_some(r_.state.v + at, select(nonzero(refractory), lif_.resting(v), v), count);
    store_some(r_.state.refractory + at, start + refractory, count);
  }

  // signs_[group][word][lane]: ones where the weight of an input is negative.
  void make_signs() const {
    std::fill_n(signs_, n_groups_ * words_ * kLanes, 0);
    for (size_t k = 0; k < r_.n; k++)
      for (size_t j = 0; j < r_.n; j++)
        signs_[(j / kLanes * words_ + k / 64) * kLanes + j % kLanes] |=
            uint64_t{r_.weights[k * r_.n + j] < 0} << k % 64;
  }

  // bits_[step][group][word][lane]: the weight bits of all inputs at a step.
  void turn_bits(uint64_t w) const {
    const size_t n_words = words_for(r_.length);
    for (size_t j = 0; j < r_.n; j += kLanes) {
      const size_t count = lanes_of(j);
      for (size_t word = 0; word < words_; word++) {
        const auto row = [&](size_t k) {
          uint64_t lanes[kLanes] = {};
          if (64 * word + k < r_.n)
            for (size_t i = 0; i < count; i++)
              lanes[i] = r_.weight_bits[((j + i) * r_.n + 64 * word + k) * n_words + w];
          return load(lanes);
        };
        uint64_t* out = bits_ + (j / kLanes * words_ + word) * kLanes;
        turn_64(row,
                [&](size_t t, U turned) { store(out + t * n_groups_ * words_ * kLanes, turned); });
      }
    }
  }

  void step(uint64_t w, uint64_t k, U start) const {
    const uint64_t t = 64 * (r_.first_word + w) + k;
    if (lif_.has_noise() && t % 4 == 0) make_noise(t / 4);
    for (size_t row = 0; row < n_rows_; row++) {
      const uint64_t* before = r_.before + (first_ + row) * words_;
      uint64_t* fired = fired_ + row * words_;
      std::fill_n(fired, words_, 0);
      for (size_t j = 0; j < r_.n; j += kLanes) {
        const F own = r_.weight_bits == nullptr ? real_sum(before, j) : count(before, j, k);
        const F total = drive(row, j, 64 * w + k) + own;
        const uint64_t spikes = fire(row, j, t, start + set1(k + 1), set1f(r_.gain) * total, k);
        fired[j / 64] |= spikes << j % 64;
      }
    }
    std::copy_n(fired_, n_rows_ * words_, r_.before + first_ * words_);
  }

  F drive(size_t row, size_t j, uint64_t at) const {
    double lanes[kLanes] = {};
    const double* from = r_.drive + ((first_ + row) * r_.n + j) * r_.length + at;
    for (size_t i = 0; i < lanes_of(j); i++) lanes[i] = from[i * r_.length];
    return loadf(lanes);
  }

  // Ones among the products of positive weights less those of negative ones. A product with its
  // sign flips a bit, so that what is counted is too much by the number of negative weights.
  F count(const uint64_t* before, size_t j, uint64_t k) const {
    const size_t group = j / kLanes;
    const uint64_t* bits = bits_ + (k * n_groups_ + group) * words_ * kLanes;
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
        sum = sum + loadf_some(r_.weights + k * r_.n + j, lanes_of(j));
      }
    return sum;
  }

  // Steps a group of neurons of a row; their spikes, a bit a lane.
  uint64_t fire(size_t row, size_t j, uint64_t t, U next, F current, uint64_t k) const {
    const size_t count = lanes_of(j);
    const LifState state = r_.state.from((first_ + row) * r_.n + j);
    F v = loadf_some(state.v, count), i = loadf_some(state.i, count);
    U wakes = load_some(state.refractory, count);
    M spike;
    if (lif_.has_noise())
      spike = lif_.step<true, Form::kGeneral>(v, wakes, i, next, {current},
                                              widen(noise_ + (j * 4 + t % 4 * kLanes)));
    else
      spike = lif_.step<false, Form::kGeneral>(v, wakes, i, next, {current}, F{});
    storef_some(state.v, v, count);
    store_some(state.refractory, wakes, count);
    if (lif_.has_synapse()) storef_some(state.i, i, count);
    uint64_t* train = train_of(row, j);
    store(train, or_where(spike, load(train), set1(uint64_t{1} << k)));
    uint64_t lanes[kLanes];
    store(lanes, or_where(spike, set1(0), set1(1)));
    uint64_t spikes = 0;
    for (size_t lane = 0; lane < count; lane++) spikes |= lanes[lane] << lane;
    return spikes;
  }

  // noise_[group][step % 4][lane], which all rows see.
  void make_noise(uint64_t block) const {
    for (size_t j = 0; j < r_.n; j += kLanes) {
      const NoiseLanes lanes[1] = {{noise_key_, set1(j) + iota()}};
      float z[1][4][kLanes];
      normal_block<1>(noise_key_, lanes, block, z);
      std::copy_n(&z[0][0][0], 4 * kLanes, noise_ + j * 4);
    }
  }

  const RecurrentLayer& r_;
  size_t first_, n_rows_, first_word_, last_word_, words_, n_groups_;
  Lif lif_;
  PhiloxKey noise_key_;
  uint64_t* signs_;
  uint64_t* bits_;
  float* noise_;
  uint64_t* fired_;
  uint64_t* trains_;
};

}  // namespace

void recurrent(const RecurrentLayer& r, const Part& part) { Rows(r, part).run(); }

}  // namespace sc::SC_LEVEL
