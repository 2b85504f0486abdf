// A layer whose weights change, which keeps what its runs have in common. It is const once made, so
// several threads can run it.
#pragma once
#include <algorithm>
#include <bit>
#include <utility>
#include <vector>

#include "schedule.hpp"

namespace sc {

// What the layer is made from; bias and recurrent weights are empty if it has none.
struct PlasticPart {
  PlasticRule rule;
  std::vector<LifParameters> lif;  // one per neuron, or one for all
  uint64_t weight_key, noise_key, move_keys[2];
  size_t n_in;
  std::vector<double> gain, powers;
  std::vector<int64_t> bias, recurrent;
  bool shared, has_signs;
};

class PlasticRunner {
 public:
  explicit PlasticRunner(PlasticPart part)
      : part_(std::move(part)),
        layer_{.rule = part_.rule,
               .lif = part_.lif.data(),
               .n_lif = part_.lif.size(),
               .weight_key = part_.weight_key,
               .noise_key = part_.noise_key,
               .move_keys = {part_.move_keys[0], part_.move_keys[1]},
               .gain = part_.gain.data(),
               .x = nullptr,
               .x_words = 0,
               .x_start = 0,
               .n_in = part_.n_in,
               .n = part_.gain.size(),
               .bias = part_.bias.empty() ? nullptr : part_.bias.data(),
               .recurrent = part_.recurrent.empty() ? nullptr : part_.recurrent.data(),
               .shared = part_.shared,
               .has_signs = part_.has_signs,
               .first = 0,
               .steps = 0,
               .rewards = nullptr,
               .powers = part_.powers.data(),
               .state = nullptr,
               .spikes = nullptr} {}
  PlasticRunner(const PlasticRunner&) = delete;
  PlasticRunner& operator=(const PlasticRunner&) = delete;

  const PlasticLayer& layer() const { return layer_; }

  // Runs on packed inputs, of which bit x_start is the first.
  void run(const uint64_t* x, size_t x_words, uint64_t x_start, uint64_t first, uint64_t steps,
           const double* rewards, double* state, uint64_t* spikes) const {
    PlasticLayer layer = layer_;
    layer.x = x;
    layer.x_words = x_words;
    layer.x_start = x_start;
    layer.first = first;
    layer.steps = steps;
    layer.rewards = rewards;
    layer.state = state;
    layer.spikes = spikes;
    sc::run(layer);
  }
  // Runs on densities of Bernoulli streams, which are encoded here: bits from the word of time of
  // the first step on.
  void run(const double* densities, uint64_t key, uint64_t first, uint64_t steps,
           const double* rewards, double* state, uint64_t* spikes) const {
    const uint64_t length = first % 64 + steps;
    std::vector<uint64_t> x(layer_.n_in * words_for(length));
    sc::run(Encode{key,
                   nullptr,
                   1,
                   {layer_.n_in, nullptr, first / 64, length, x.data()},
                   densities,
                   layer_.n_in});
    run(x.data(), words_for(length), first % 64, first, steps, rewards, state, spikes);
  }
  // The same, with the counts of spikes and the potentials after the last step.
  void step(const double* densities, uint64_t key, uint64_t first, uint64_t steps, double* state,
            int64_t* counts, double* potentials) const {
    const size_t words = words_for(steps);
    std::vector<uint64_t> spikes(layer_.n * words);
    run(densities, key, first, steps, nullptr, state, spikes.data());
    for (size_t j = 0; j < layer_.n; j++) {
      counts[j] = 0;
      for (size_t w = 0; w < words; w++) counts[j] += std::popcount(spikes[j * words + w]);
    }
    std::copy_n(state, layer_.n, potentials);
  }

 private:
  PlasticPart part_;
  PlasticLayer layer_;
};

}  // namespace sc
