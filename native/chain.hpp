// A chain of dense layers that keeps what its runs have in common: the weights by neurons and time
// steps. It is const once made, so several threads can run it.
#pragma once
#include <algorithm>
#include <atomic>
#include <bit>
#include <cmath>
#include <memory>
#include <new>
#include <vector>

#include "schedule.hpp"

namespace sc {

// Words on a 64-byte boundary: a vector load never straddles two cache lines.
class AlignedWords {
 public:
  explicit AlignedWords(size_t n)
      : at_(static_cast<uint64_t*>(::operator new(sizeof(uint64_t) * (n + 1), kLine))) {}
  uint64_t* get() const { return at_.get(); }

 private:
  static constexpr std::align_val_t kLine{64};
  struct Free {
    void operator()(uint64_t* p) const { ::operator delete(p, kLine); }
  };
  std::unique_ptr<uint64_t, Free> at_;
};

// What a layer is made from. `needed` are the sums of rates times weights above which its neurons
// fire, infinite where one never does.
struct ChainPart {
  std::vector<LifParameters> lif;  // one per neuron, or one for all
  uint64_t weight_key, noise_key;
  const int64_t* weights;  // [n_in][n_out], as Products has them; outlives the chain
  size_t n_in, n_out;
  bool always_on, shared;
  std::vector<double> gain, needed, rest;  // rest: potentials of neurons that nothing has reached
};

class ChainRunner {
 public:
  ChainRunner() = default;
  ChainRunner(const ChainRunner&) = delete;
  ChainRunner& operator=(const ChainRunner&) = delete;

  void add(ChainPart part) {
    signs_.push_back(signs_of(part));
    minus_negative_.push_back(minus_negative_of(part, signs_.back().get()));
    kept_.emplace_back(0);
    n_neurons_ += part.n_out;
    parts_.push_back(std::move(part));
  }

  size_t n_in() const { return parts_.front().n_in - size_t(parts_.front().always_on); }
  size_t n_out() const { return parts_.back().n_out; }
  size_t n_neurons() const { return n_neurons_; }
  size_t n_layers() const { return parts_.size(); }
  // Products of one time step of an image.
  size_t products() const {
    size_t n = 0;
    for (const ChainPart& part : parts_) n += part.n_in * part.n_out;
    return n;
  }

  // Keeps the weights of time steps 0 .. steps - 1; bits of layer l as Products has them, or null.
  void keep(uint64_t steps, const std::vector<const uint64_t*>& bits) {
    for (size_t l = 0; l < parts_.size(); l++) {
      AlignedWords made(steps * step_words(parts_[l]));
      turn(l, 0, steps, bits[l], 0, steps, made.get());
      kept_[l] = std::move(made);
    }
    steps_kept_ = steps;
  }
  uint64_t steps_kept() const { return steps_kept_; }

  struct Inputs {
    const double* x;  // [n_batch][n_in]
    size_t n_batch;
    double levels;
    uint64_t key;
    const uint32_t* numbers;  // [n_in][steps], or null for Bernoulli
  };
  // A layer's state is three arrays [n_batch][n_out] of doubles: potentials, refractory steps
  // (their bits) and synaptic currents. `bits` are weight bits from the word of `first` on, or
  // null.
  //
  // Returns 0, l + 1 if layer l is the first not to fire and its mean current may be the reason
  // (if that is to be explained), or -1 if a density is not in [0, 1] and the results mean nothing.
  int run(const Inputs& inputs, uint64_t first, uint64_t steps,
          const std::vector<const uint64_t*>& bits, bool rest, bool explain, double* state,
          int64_t* counts, double* potentials) const {
    constexpr size_t kExplained = 8;  // images whose spikes explain why a layer is silent
    const size_t n_batch = inputs.n_batch, n_counted = std::min(n_batch, kExplained);
    std::vector<ChainLayer> layers;
    layers.reserve(parts_.size());
    std::vector<int64_t> ones(n_counted * (n_neurons_ - n_out()));
    std::atomic<uint64_t> flags{0};
    double* at = state;
    size_t counted = 0;
    for (size_t l = 0; l < parts_.size(); l++) {
      const ChainPart& part = parts_[l];
      const size_t n = n_batch * part.n_out;
      const bool last = l + 1 == parts_.size();
      layers.push_back({part.n_in,
                        part.n_out,
                        part.always_on,
                        nullptr,
                        signs_[l].get(),
                        minus_negative_[l].data(),
                        part.lif.data(),
                        part.lif.size(),
                        part.noise_key,
                        part.gain.data(),
                        {at, reinterpret_cast<uint64_t*>(at + n), at + 2 * n},
                        rest ? part.rest.data() : nullptr,
                        last ? counts : ones.data() + counted});
      at += 3 * n;
      counted += n_counted * part.n_out;
    }
    std::vector<AlignedWords> made;
    std::vector<uint32_t> numbers;
    std::vector<uint64_t> streams;
    for (uint64_t t = first; t < first + steps;) {
      uint64_t n = std::min<uint64_t>(64 - t % 64, first + steps - t);
      if (t < steps_kept_) n = std::min(n, steps_kept_ - t);
      for (size_t l = 0; l < parts_.size(); l++) {
        const size_t words = step_words(parts_[l]);
        if (t < steps_kept_) {
          layers[l].weights = kept_[l].get() + t * words;
          continue;
        }
        if (made.size() <= l) made.emplace_back(std::min<uint64_t>(steps, 64) * words);
        turn(l, t, n, bits[l], first / 64 * 64, first % 64 + steps, made[l].get());
        layers[l].weights = made[l].get();
      }
      Chain chain{layers.data(), layers.size(), n_batch, n_in(),     t,         n,     inputs.x,
                  inputs.levels, nullptr,       steps,   inputs.key, n_counted, &flags};
      if (inputs.numbers != nullptr) {
        chain.numbers = inputs.numbers + (t - first);
      } else if (n_batch > 1) {
        numbers.resize(n_in() * n);
        for (size_t i = streams.size(); i < n_in(); i++) streams.push_back(i);
        sc::run(Uniform{inputs.key, streams.data(), n_in(), t, n, numbers.data()});
        chain.numbers = numbers.data();
        chain.numbers_stride = n;
      }
      sc::run(chain);
      for (ChainLayer& layer : layers) layer.rest = nullptr;
      t += n;
    }
    const size_t n_last = n_batch * n_out();
    std::copy_n(state + 3 * n_batch * n_neurons_ - 3 * n_last, n_last, potentials);
    if (flags >> kChainOutside & 1) return -1;
    return explain ? silent(inputs, layers, flags, n_counted, steps) : 0;
  }

 private:
  static size_t step_words(const ChainPart& part) {
    return (part.n_out + kDenseLanes - 1) / kDenseLanes * kDenseLanes * words_for(part.n_in);
  }

  static AlignedWords signs_of(const ChainPart& part) {
    const size_t blocks = words_for(part.n_in);
    AlignedWords signs(step_words(part));
    std::fill_n(signs.get(), step_words(part), 0);
    std::vector<uint64_t> words(part.n_out);
    for (size_t block = 0; block < blocks; block++) {
      std::fill(words.begin(), words.end(), 0);
      const size_t first = 64 * block, n = std::min<size_t>(64, part.n_in - first);
      for (size_t i = 0; i < n; i++) {
        const int64_t* weights = part.weights + (first + i) * part.n_out;
        for (size_t j = 0; j < part.n_out; j++) words[j] |= uint64_t(weights[j]) >> 63 << i;
      }
      for (size_t j = 0; j < part.n_out; j++)
        signs.get()[(j / kDenseLanes * blocks + block) * kDenseLanes + j % kDenseLanes] = words[j];
    }
    return signs;
  }

  static std::vector<double> minus_negative_of(const ChainPart& part, const uint64_t* signs) {
    const size_t words = step_words(part), blocks = words_for(part.n_in);
    std::vector<double> sums(words / blocks);
    for (size_t at = 0; at < words; at++)
      sums[at / kDenseLanes / blocks * kDenseLanes + at % kDenseLanes] -=
          double(std::popcount(signs[at]));
    return sums;
  }

  // The weights of steps t .. t + n - 1. Bits begin at step bits_from and end n_bits later.
  void turn(size_t l, uint64_t t, uint64_t n, const uint64_t* bits, uint64_t bits_from,
            uint64_t n_bits, uint64_t* out) const {
    const ChainPart& part = parts_[l];
    const uint64_t from = bits == nullptr ? t / 64 * 64 : bits_from;
    const Products of{.weight_key = part.weight_key,
                      .x = nullptr,
                      .weights = part.weights,
                      .weight_bits = bits,
                      .shared = part.shared,
                      .n_batch = 0,
                      .n_in = part.n_in,
                      .n_out = part.n_out,
                      .first_word = from / 64,
                      .length = bits == nullptr ? t - from + n : n_bits};
    sc::run(TurnedWeights{of, t - from, n, out});
  }

  // The number l + 1 of the first silent layer that can fire if its mean currents under the first
  // images do not exceed what it needs, give or take rounding; or 0.
  int silent(const Inputs& inputs, const std::vector<ChainLayer>& layers, uint64_t flags,
             size_t n_counted, uint64_t steps) const {
    size_t l = 0;
    const auto can = [](double needed) { return std::isfinite(needed); };
    for (; l < parts_.size(); l++)
      if ((flags >> l & 1) == 0 &&
          std::any_of(parts_[l].needed.begin(), parts_[l].needed.end(), can))
        break;
    if (l == parts_.size()) return 0;
    const ChainPart& part = parts_[l];
    std::vector<double> sums(part.n_out);
    for (size_t image = 0; image < n_counted; image++) {
      std::fill(sums.begin(), sums.end(), 0.0);
      const size_t n = part.n_in - size_t(part.always_on);
      for (size_t i = 0; i < part.n_in; i++) {
        double rate = 1;
        if (i < n)
          rate = l == 0 ? inputs.x[image * n + i]
                        : double(layers[l - 1].ones[image * n + i]) / double(steps);
        if (rate == 0) continue;
        const int64_t* weights = part.weights + i * part.n_out;
        for (size_t j = 0; j < part.n_out; j++) sums[j] += rate * double(weights[j]);
      }
      const double rounding = double(part.n_in) * 0x1p-32;
      for (size_t j = 0; j < part.n_out; j++)
        if (sums[j] * 0x1p-32 > part.needed[j] * (1 + 1e-6) + rounding) return 0;
    }
    return int(l) + 1;
  }

  std::vector<ChainPart> parts_;
  std::vector<AlignedWords> signs_, kept_;
  std::vector<std::vector<double>> minus_negative_;
  size_t n_neurons_ = 0;
  uint64_t steps_kept_ = 0;
};

}  // namespace sc
