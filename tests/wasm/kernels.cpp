// Kernels for WebAssembly, called by compare.mjs. All arrays lie in one block of memory.
#include "dispatch.hpp"
#include "schedule.hpp"

namespace {

alignas(64) uint64_t memory[1 << 16];

sc::LifParameters noisy(const double* p) {
  return {.leak = p[0],
          .v_rest = p[1],
          .gain = p[2],
          .noise_std = p[3],
          .v_threshold = p[4],
          .v_reset = p[5],
          .refractory_period = uint64_t(p[6]),
          .syn_leak = p[7],
          .subtracts = p[8] != 0,
          .fixed = false,
          .v_min = 0,
          .v_max = 0};
}

}  // namespace

extern "C" {

uint64_t* block() { return memory; }

void philox(uint64_t key, const uint32_t* counters, size_t n, uint32_t* out) {
  sc::run(sc::Philox{key, counters, n, out});
}

void normal(uint64_t key, size_t n, uint64_t first_step, uint64_t steps, double* out) {
  sc::run(sc::Normal{key, n, first_step, steps, out});
}

void encode(uint64_t key, const uint64_t* streams, const uint64_t* thresholds, size_t n,
            uint64_t first_word, uint64_t length, uint64_t* out) {
  sc::run(sc::Encode{key, streams, 1, {n, thresholds, first_word, length, out}});
}

void lfsr(int width, uint32_t feedback, const uint64_t* phases, const uint64_t* thresholds,
          size_t n, uint64_t length, uint64_t* out) {
  sc::run(sc::Lfsr{width, feedback, phases, {n, thresholds, 0, length, out}, false});
}

void dense(const double* parameters, uint64_t weight_key, uint64_t noise_key, const uint64_t* x,
           const int64_t* weights, size_t n_batch, size_t n_in, size_t n_out, uint64_t length,
           const double* gain, double* v, uint64_t* refractory, double* i, uint64_t* spikes) {
  sc::DenseLayer layer{};
  layer.of = {.weight_key = weight_key,
              .x = x,
              .weights = weights,
              .weight_bits = nullptr,
              .shared = false,
              .n_batch = n_batch,
              .n_in = n_in,
              .n_out = n_out,
              .first_word = 0,
              .length = length};
  layer.lif = noisy(parameters);
  layer.noise_key = noise_key;
  layer.gain = gain;
  layer.positions = 1;
  layer.state = {v, refractory, i};
  layer.spikes = spikes;
  sc::run(layer);
}
}
