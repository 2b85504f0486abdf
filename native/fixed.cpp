// Neurons in fixed point with their potentials after every step, and layers of them that learn, in
// integers: what hardware computes.
#include <algorithm>

#include "kernels.hpp"

namespace sc {
namespace {

// Takes a step of a neuron whose potential grows by `drive`, and returns whether it fires;
// saturations are counted below and above the word.
bool step(const FixedNeuron& c, int64_t drive, int64_t& v, uint64_t& rest, uint64_t* saturations) {
  if (rest != 0) {
    rest--;
    return false;
  }
  const int64_t sum = v - (v * c.leak >> c.leak_shift) + drive;
  v = std::clamp(sum, c.v_min, c.v_max);
  saturations[0] += sum < c.v_min;
  saturations[1] += sum > c.v_max;
  if (v < c.threshold) return false;
  v = c.subtracts ? v - (c.threshold - c.reset) : c.reset;
  rest = c.refractory_period;
  return true;
}

}  // namespace

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
      if (step(c, drive, v, rest, saturations)) spikes[t / 64] |= uint64_t{1} << t % 64;
      potentials[t] = int32_t(v);
    }
    f.v[n] = int32_t(v);
    f.i[n] = int32_t(i);
    f.refractory[n] = rest;
  }
}

namespace {

// The next state of a register of 33 bits, of which the low 32 are new.
uint64_t next_random(uint64_t state) {
  uint64_t bits = (state >> 1 ^ state << 12) & 0xFFFFFFFF;
  bits ^= bits >> 20;
  return (state & 1) << 32 | bits;
}

class Learning {
 public:
  Learning(const FixedLearning& l) : l_(l), r_(l.rule) {}

  void step_at(uint64_t t) {
    const size_t words = words_for(l_.steps);
    const auto fed = [&](size_t i) { return (l_.x[i * words + t / 64] >> t % 64 & 1) != 0; };
    for (size_t i = 0; i < l_.n_in; i++)
      l_.pre[i] = risen(l_.pre[i] * r_.keep_plus >> r_.keep_plus_shift, fed(i));
    for (size_t j = 0; j < l_.n; j++) {
      int32_t* row = l_.weights + j * l_.n_in;
      const uint8_t* negative = l_.negative + j * l_.n_in;
      int64_t count = 0, v = l_.v[j];
      for (size_t i = 0; i < l_.n_in; i++)
        if (fed(i) && int64_t{l_.numbers[t]} < row[i] >> r_.weight_drop)
          count += negative[i] != 0 ? -1 : 1;
      uint64_t unused[2] = {};
      const bool fires = step(l_.neuron, count * l_.neuron.one, v, l_.refractory[j], unused);
      if (fires) l_.spikes[j * words + t / 64] |= uint64_t{1} << t % 64;
      l_.v[j] = l_.potentials[j * l_.steps + t] = int32_t(v);
      const int64_t post = l_.post[j] * r_.keep_minus >> r_.keep_minus_shift;
      for (size_t i = 0; l_.learns && i < l_.n_in; i++)
        row[i] = int32_t(learned(row[i], fed(i), fires, l_.pre[i], post));
      l_.post[j] = risen(post, fires);
    }
    if (l_.history == nullptr) return;
    std::copy_n(l_.weights, l_.n * l_.n_in, l_.history + t * l_.n * l_.n_in);
  }

 private:
  int32_t risen(int64_t trace, bool spike) const {
    if (!spike) return int32_t(trace);
    return int32_t(r_.nearest ? r_.one : std::min(trace + r_.one, r_.trace_most));
  }
  int64_t learned(int64_t m, bool fed, bool fires, int64_t pre, int64_t post) {
    int64_t fall = post * r_.a_minus >> r_.a_minus_shift, rise = pre * r_.a_plus >> r_.a_plus_shift;
    if (r_.level != 0) {
      const uint64_t random = *l_.shift_register = next_random(*l_.shift_register);
      const auto byte = [&](int k) { return int64_t(random >> 8 * k & 0xFF); };
      fall = byte(0) < r_.a_minus && byte(1) < post >> r_.trace_drop ? r_.level : 0;
      rise = byte(2) < r_.a_plus && byte(3) < pre >> r_.trace_drop ? r_.level : 0;
    }
    if (fed) m = std::max<int64_t>(m - fall, 0);
    return fires ? std::min(m + rise, r_.most) : m;
  }

  const FixedLearning& l_;
  const FixedRule& r_;
};

}  // namespace

void fixed_learning(const FixedLearning& l, const Part& part) {
  const size_t words = words_for(l.steps);
  for (size_t j = 0; j < l.n; j++)
    std::fill(l.spikes + j * words + part.first_word, l.spikes + j * words + part.last_word, 0);
  Learning learning(l);
  const uint64_t end = std::min<uint64_t>(64 * part.last_word, l.steps);
  for (uint64_t t = 64 * part.first_word; t < end; t++) learning.step_at(t);
}

}  // namespace sc
