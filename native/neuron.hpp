// One LIF neuron that keeps its state between calls, for stepping from Python.
#pragma once
#define SC_LEVEL portable
#include "lif.hpp"

namespace sc {

class Neuron {
 public:
  Neuron(const LifCoefficients& lif, uint64_t key)
      : lif_(lif), key_(key), v_reset_state_(lif.v_rest), v_{lif.v_rest} {}

  int step(double current) {
    if (lif_.has_noise() && t_ % 4 == 0) portable::normal_block(key_, t_ / 4, {0}, z_);
    return lif_.step(v_, refractory_, {current}, z_[t_++ % 4]).v;
  }

  void reset() { restore(v_reset_state_, 0, 0); }

  // Continues from a state that v(), refractory() and t() told.
  void restore(double v, uint64_t refractory, uint64_t t) {
    v_ = {v};
    refractory_ = {refractory};
    t_ = t;
    if (lif_.has_noise()) portable::normal_block(key_, t_ / 4, {0}, z_);
  }

  double v() const { return v_.v; }
  uint64_t refractory() const { return refractory_.v; }
  uint64_t t() const { return t_; }

 private:
  portable::Lif lif_;
  portable::PhiloxKey key_;
  double v_reset_state_;
  portable::F v_;
  portable::U refractory_{0};
  portable::F z_[4] = {};
  uint64_t t_ = 0;
};

}  // namespace sc
