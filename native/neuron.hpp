// One LIF neuron that keeps its state between calls, for stepping from Python.
#pragma once
#define SC_LEVEL portable
#include "lif.hpp"
#include "schedule.hpp"

namespace sc {

class Neuron {
 public:
  Neuron(const LifParameters& lif, uint64_t key)
      : lif_(lif), key_(key), lanes_(key_, {0}), v_reset_state_(lif.v_rest) {
    reset();
  }

  int step(double current) {
    return lif_.is_general() ? advance<Form::kGeneral>(current) : advance<Form::kResting>(current);
  }

  void run(const double* currents, size_t n, uint8_t* spikes) {
    run_parts({.rows = 1, .words = words_for(n), .grain = 1024}, [&](const Part& part) {
      const size_t end = std::min(64 * part.last_word, n);
      for (size_t t = 64 * part.first_word; t < end; t++) spikes[t] = uint8_t(step(currents[t]));
    });
  }

  void reset() { restore(v_reset_state_, 0, 0, 0); }

  // Continues from a state that v(), refractory(), i() and t() told.
  void restore(double v, uint64_t refractory, double i, uint64_t t) {
    v_ = {v};
    wakes_ = {t + refractory};
    i_ = {i};
    t_ = t;
    if (lif_.has_noise()) make_noise(t / 4);
  }

  double v() const { return v_.v; }
  uint64_t refractory() const { return wakes_.v > t_ ? wakes_.v - t_ : 0; }
  double i() const { return i_.v; }
  uint64_t t() const { return t_; }

 private:
  using Form = portable::Form;

  template <Form kForm>
  int advance(double current) {
    const portable::Drive drive = lif_.drive(portable::F{current});
    const uint64_t t = t_++;
    if (!lif_.has_noise()) return lif_.step<false, kForm>(v_, wakes_, i_, {t_}, drive, {}).v;
    if (t % 4 == 0) make_noise(t / 4);
    const portable::F z = portable::widen(z_[0][t % 4]);
    return lif_.step<true, kForm>(v_, wakes_, i_, {t_}, drive, z).v;
  }
  void make_noise(uint64_t block) { portable::normal_block<1>(key_, &lanes_, block, z_); }

  portable::Lif lif_;
  portable::PhiloxKey key_;
  portable::NoiseLanes lanes_;
  double v_reset_state_;
  portable::F v_, i_;
  portable::U wakes_;
  uint64_t t_;
  float z_[1][4][portable::kLanes];
};

}  // namespace sc
