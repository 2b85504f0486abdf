#include "schedule.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#ifndef __wasm__
#include <future>
#endif
#include <memory>
#include <new>
#include <system_error>
#include <vector>

#include "dispatch.hpp"

namespace sc {

void (*poll)() = [] {};

namespace {

using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;
using std::chrono::milliseconds;

constexpr milliseconds kBetweenPolls{100}, kPartTime{10};
// Grains of the first part of long work: some milliseconds at the slowest level.
constexpr double kFirstPart = 64;

// Words made, words of products, and steps of neurons in a grain.
constexpr size_t kWords = 8192, kProducts = 262144, kSteps = 65536;

double grain_of(size_t work, size_t work_of_one) {
  return double(work) / double(std::max<size_t>(work_of_one, 1));
}

// Runs the rows of a share part by part; go_on(time of a part) says whether to go on. The first
// part is as long as kFirstPart says, the others last about kPartTime. None is shorter than the
// first: some kernels prepare each.
template <class GoOn>
void run_share(const Split& s, const Part& share, const std::function<void(const Part&)>& run,
               GoOn&& go_on) {
  const double shortest = kFirstPart * s.grain;
  if (double((share.last - share.first) * s.words) <= shortest) return run(share);
  double size = shortest;
  for (Part part = share; part.first < share.last; part.first = part.last) {
    const size_t rows = size_t(size / double(std::max<size_t>(s.words, 1)));
    const size_t end = part.first + std::max(rows, s.row_step);
    part.last = std::min(end / s.row_step * s.row_step, share.last);
    for (part.first_word = 0; part.first_word < s.words; part.first_word = part.last_word) {
      const size_t words = size_t(size / double(part.last - part.first)) / s.word_step;
      const size_t left = s.words - part.first_word;
      part.last_word = part.first_word + std::min(std::max<size_t>(words, 1) * s.word_step, left);
      const Clock::time_point start = Clock::now();
      run(part);
      const Clock::duration took = Clock::now() - start;
      if (!go_on(took)) return;
      const double growth = std::min(4.0, Seconds(kPartTime) / Seconds(took));
      size = std::max(size * growth, shortest);
    }
  }
}

}  // namespace

void run_parts(const Split& s, const std::function<void(const Part&)>& run) {
  if (s.rows == 0) return;
  const double grains = double(s.rows * s.words) / s.grain;
  const size_t most = std::max<size_t>(std::min(n_threads.load(), s.rows), 1);
  const size_t n = grains < double(most) ? std::max<size_t>(size_t(grains), 1) : most;
  // On a 64-byte boundary: a vector load never straddles two cache lines.
  constexpr std::align_val_t kLine{64};
  const auto release = [](void* p) { ::operator delete(p, kLine); };
  const size_t scratch = (s.scratch + 7) / 8 * 8;
  const std::unique_ptr<void, decltype(release)> memory(
      scratch == 0 ? nullptr : ::operator new(sizeof(uint64_t) * n * scratch, kLine), release);

  const auto share = [&](size_t i) {
    return Part{s.rows * i / n, s.rows * (i + 1) / n, 0, s.words,
                static_cast<uint64_t*>(memory.get()) + i * scratch};
  };
  Clock::duration since_poll{};
  const auto run_here = [&](size_t i) {
    run_share(s, share(i), run, [&](Clock::duration took) {
      since_poll += took;
      if (since_poll >= kBetweenPolls) {
        since_poll = {};
        poll();
      }
      return true;
    });
  };
#ifdef __wasm__  // no threads
  for (size_t i = 0; i < n; i++) run_here(i);
#else
  std::atomic<bool> stop{false};
  std::vector<std::future<void>> others;  // its destructor waits for them
  try {
    for (size_t i = 1; i < n; i++) {
      try {
        others.push_back(std::async(std::launch::async, [&, i] {
          run_share(s, share(i), run, [&](Clock::duration) { return !stop; });
        }));
      } catch (const std::system_error&) {  // no thread to be had: this one does the work
        run_here(i);
      }
    }
    run_here(0);
    for (std::future<void>& other : others)
      while (other.wait_for(kBetweenPolls) == std::future_status::timeout) poll();
  } catch (...) {
    stop = true;
    throw;
  }
#endif
}

namespace {

// How the work of each kernel can be cut; see Split in schedule.hpp. To add a kernel, add an
// overload.
Split split_streams(const Streams& to, size_t scratch = 0) {
  return {.rows = to.n * words_for(to.length), .grain = kWords, .scratch = scratch};
}

Split split_steps(size_t rows, uint64_t steps, double grain = kSteps / 64) {
  return {.rows = rows, .words = words_for(steps), .grain = grain};
}

Split split(const Philox& p) { return {.rows = p.n, .grain = kWords}; }
Split split(const Draw& d) { return {.rows = d.n, .grain = kWords}; }
Split split(const Normal& n) { return split_steps(n.n_neurons, n.steps); }
Split split(const Encode& e) {
  if (e.n_rows == 0) return {.rows = 0};
  Split s = split_streams(e.to);
  s.grain = std::max(grain_of(kWords, e.n_rows), 64.0);
  return s;
}
Split split(const Uniform& u) {
  Split s = split_steps(u.n, u.length, kWords / 8);
  s.row_step = kDenseLanes;
  s.word_step = 8;
  return s;
}
Split split(const Lfsr& e) { return split_streams(e.to); }
Split split(const Digital& e) { return split_streams(e.to); }
// Of these two parts end where streams do: a part of a stream makes its period anew.
Split split(const Additive& e) {
  Split s = split_streams(e.to);
  if (e.to.length > e.modulus) s.row_step = words_for(e.to.length);
  return s;
}
Split split(const Permutation& e) {
  Split s = split_streams(e.to, permutation_scratch(e.period));
  s.row_step = words_for(e.to.length);
  return s;
}
Split split(const Radical& e) { return split_streams(e.to, radical_scratch(e.bases, e.to.n)); }
Split split(const ChannelCounts& c) {
  const size_t batches = (c.n_batch + kCountsBatch - 1) / kCountsBatch;
  Split s{.rows = batches * c.n_neurons, .words = words_for(c.length)};
  s.grain = grain_of(kWords, std::min(c.n_batch, kCountsBatch) * c.n_channels);
  s.row_step = 16;
  s.word_step = 8;
  s.scratch = counts_scratch(c);
  return s;
}
Split split(const Dot& d) {
  Split s{.rows = std::max(d.n_x, d.n_w), .words = d.n_words};
  s.grain = grain_of(kProducts, std::min(d.n_x, d.n_w));
  s.row_step = 20;
  s.word_step = 128;
  return s;
}
Split split(const Ones& o) { return {.rows = o.n_rows, .grain = grain_of(64 * kWords, o.n_words)}; }
Split split(const LifPopulation& p) { return split_steps(p.n, p.steps); }
Split split(const FixedTrace& f) { return split_steps(f.n, f.steps); }
Split split(const FixedLearning& l) {
  return {.rows = 1, .words = words_for(l.steps), .grain = grain_of(kSteps / 512, l.n_in * l.n)};
}
Split split_products(Products& p, size_t scratch) {
  // Each part of the batch makes its weight bits anew. Tiles are cut so that every thread has as
  // many neurons; parts are few, but short enough to be interrupted.
  const size_t words = words_for(p.length), products = p.n_batch * p.n_in * p.n_out * words;
  const size_t threads = std::clamp<size_t>(products / kWords, 1, n_threads);
  const size_t rounds = (p.n_out + threads * kTile - 1) / (threads * kTile);
  const size_t share = (p.n_out + threads * rounds - 1) / (threads * rounds);
  p.tile = (share + kDenseLanes - 1) / kDenseLanes * kDenseLanes;
  const size_t tiles = (p.n_out + p.tile - 1) / p.tile;
  const size_t long_parts = std::min(p.n_batch / 512, p.n_batch * p.n_in * p.tile >> 27);
  p.n_parts = std::max(std::min(p.n_batch, (threads + tiles - 1) / tiles), long_parts);
  Split s{.rows = tiles * p.n_parts, .words = words};
  s.grain = grain_of(kWords, p.n_batch * p.n_in * p.n_out / std::max<size_t>(s.rows, 1));
  s.row_step = 1;
  s.scratch = scratch;
  return s;
}
Split split(DenseLayer& d) { return split_products(d.of, products_scratch(d.of)); }
Split split(DenseSums& d) { return split_products(d.of, sums_scratch(d)); }
Split split(const RealSums& r) {
  return split_steps(r.n_batch, r.length, grain_of(kWords, r.n_in * r.n_out));
}
Split split(const NeuronLayer& l) {
  const size_t own = l.weights == nullptr ? 1 : words_for(l.n) * l.bits_per_step;
  Split s = split_steps(l.n_batch, l.steps, grain_of(kSteps / 64, l.n * own));
  s.scratch = neurons_scratch(l, l.n_batch);
  return s;
}
Split split(const NeuronGradients& g) {
  const size_t own = g.weights == nullptr ? 1 : g.n / 16 + 1;
  Split s{.rows = g.n_batch, .grain = grain_of(kSteps, 4 * g.n * g.steps * own)};
  s.row_step = 1;
  s.scratch = gradients_scratch(g);
  return s;
}
Split split(const ProductGradients& g) {
  Split s{.rows = g.n_in, .grain = grain_of(kSteps, g.n_batch * g.n * g.steps / 16)};
  s.row_step = kGradientInputs;
  s.scratch = gradients_scratch(g);
  return s;
}
Split split(const InputGradients& g) {
  const size_t work = g.positions * g.taps * g.n * g.columns() / 16 + g.n_pixels;
  Split s{.rows = g.n_rows, .grain = grain_of(kSteps, work)};
  s.row_step = kGradientRows * g.n_weights;
  s.scratch = gradients_scratch(g);
  return s;
}
Split split(const Codes& c) { return {.rows = c.n_in, .grain = grain_of(kSteps, 2 * c.n)}; }
Split split(const TurnedWeights& t) {
  Split s{.rows = (t.of.n_out + kDenseLanes - 1) / kDenseLanes, .words = words_for(t.of.length)};
  s.grain = grain_of(kWords, t.of.n_in * kDenseLanes);
  s.row_step = 1;
  return s;
}
Split split(const Chain& c) {
  size_t products = 0;
  for (size_t l = 0; l < c.n_layers; l++) products += c.layers[l].n_in * c.layers[l].n_out;
  Split s{.rows = c.n_batch, .grain = grain_of(64 * kProducts / 4, products * c.steps)};
  s.row_step = kChainImages;
  s.scratch = chain_scratch(c);
  return s;
}
// A layer runs on one thread: its neurons see one another.
Split split(const PlasticLayer& p) {
  Split s{.rows = 1, .words = words_for(p.steps), .grain = grain_of(kSteps / 64, p.n_in * p.n)};
  s.scratch = plastic_scratch(p);
  return s;
}
Split split(const Deposit& d) {
  return {.rows = d.n_rows, .grain = grain_of(kWords, words_for(d.length)), .row_step = 1};
}
Split split(Machine& m) {
  machine_compose(m);
  return split_steps(m.n_rows, m.length);
}
Split split(const Circuit& c) {
  Split s = split_steps(words_for(c.n_rows), c.length, grain_of(kSteps / 64, 8 + c.n_steps));
  s.row_step = 1;
  s.scratch = circuit_scratch(c);
  return s;
}
Split split(const Integrator& g) { return split_steps(g.n_rows, g.length); }
Split split(const MovingAverage& a) { return split_steps(a.n_rows, a.length); }
Split split(const Shuffle& s) { return split_steps(s.n_rows, s.length); }
Split split(const InStream& s) {
  return {.rows = s.n_rows, .grain = grain_of(kSteps, s.length), .row_step = 1};
}

}  // namespace

#define SC_RUN_LEVEL(kernel, Work)                                      \
  void run(Work work) {                                                 \
    const Split s = split(work);                                        \
    const Kernels* level = kernels;                                     \
    run_parts(s, [&](const Part& part) { level->kernel(work, part); }); \
  }
#define SC_RUN_COMMON(kernel, Work)                              \
  void run(Work work) {                                          \
    const Split s = split(work);                                 \
    run_parts(s, [&](const Part& part) { kernel(work, part); }); \
  }
SC_LEVEL_KERNELS(SC_RUN_LEVEL)
SC_COMMON_KERNELS(SC_RUN_COMMON)

}  // namespace sc
