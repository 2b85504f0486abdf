// Ones among the products at each time step, for a batch of inputs. Lanes are words of time; where
// streams are shorter than a vector, those of several neurons lie side by side. Spikes of a block
// of images stay in the second-level cache, weights of a chunk of channels in the first, both
// packed: in rows of a power of two they would fall on few sets of it.
#include <algorithm>

#include "counter.hpp"
#include "kernels.hpp"

namespace sc::SC_LEVEL {
namespace {

constexpr size_t kChunk = kCountsChunk;
constexpr int kChunkPlanes = 7;
static_assert(kChunk % 16 == 0 && kChunk < size_t{1} << kChunkPlanes);

// Vectors of neurons that are counted side by side.
constexpr int kSide = kLanes == 8 ? 2 : 1;

class Block {
 public:
  Block(const ChannelCounts& c, size_t last_neuron, const Part& part)
      : c_(c),
        last_(last_neuron),
        words_(words_for(c.length)),
        end_(part.last_word),
        span_(std::min<size_t>(words_, kLanes)),
        per_vector_(kLanes / span_),
        n_planes_(std::max(planes_for(c.n_channels), 1)),
        rows_(counts_rows(c.n_channels)),
        vectors_(std::max<size_t>(kCountsSpikes / (rows_ * kLanes), 1)),
        images_(std::min({vectors_, kCountsImages, c.n_batch})),
        steps_(std::min(vectors_ / images_, (words_ + span_ - 1) / span_)),
        weights_(part.scratch),
        totals_(weights_ + kSide * kChunk * kLanes),
        x_(totals_ + images_ * kSide * size_t(n_planes_) * kLanes) {}

  size_t images() const { return images_; }
  size_t words() const { return steps_ * span_; }

  // Counts the neurons from `first` on, in words() words from w on, for n images.
  void run(size_t first, size_t w, size_t first_image, size_t n) const {
    const size_t steps = std::min(steps_, (end_ - w + span_ - 1) / span_);
    for (size_t step = 0; step < steps; step++)
      for (size_t image = 0; image < n; image++)
        pack_spikes(first_image + image, w + step * span_, x_of(image, step));
    for (size_t neuron = first; neuron < last_; neuron += kSide * per_vector_)
      for (size_t step = 0; step < steps; step++)
        run_vectors(neuron, w + step * span_, step, first_image, n);
  }

 private:
  // Weights of the vectors side by side, each in rows `stride` apart.
  struct Weights {
    const uint64_t* rows[kSide];
    size_t stride;
  };

  void run_vectors(size_t neuron, size_t w, size_t step, size_t first_image, size_t n) const {
    std::fill_n(totals_, n * kSide * size_t(n_planes_) * kLanes, 0);
    for (size_t channel = 0; channel < c_.n_channels; channel += kChunk) {
      const Weights weights = weights_of(neuron, w, channel, n);
      for (size_t image = 0; image < n; image++) count(weights, x_of(image, step), image, channel);
    }
    for (size_t image = 0; image < n; image++)
      for (size_t m = 0; m < kSide; m++)
        expand(total_of(image, m), neuron + m * per_vector_, w, first_image + image);
  }

  // Whole vectors that a few images need are read where they are.
  Weights weights_of(size_t neuron, size_t w, size_t channel, size_t n) const {
    Weights weights{{}, kLanes};
    const bool whole = w + kLanes <= words_ && channel + kChunk <= c_.n_channels;
    const bool in_place = whole && n < 4 && neuron + kSide <= last_;
    if (in_place) weights.stride = words_;
    for (size_t m = 0; m < kSide; m++) {
      if (!in_place) pack_weights(neuron + m * per_vector_, w, channel, m);
      weights.rows[m] = in_place
                            ? c_.weights + ((neuron + m) * c_.n_channels + channel) * words_ + w
                            : weights_ + m * kChunk * kLanes;
    }
    return weights;
  }

  uint64_t* x_of(size_t image, size_t step) const {
    return x_ + (step * images_ + image) * rows_ * kLanes;
  }
  uint64_t* total_of(size_t image, size_t m) const {
    return totals_ + (image * kSide + m) * size_t(n_planes_) * kLanes;
  }

  // A row of one vector: the words from w on of one channel, as often as there are neurons in it.
  void pack_spikes(size_t image, size_t w, uint64_t* out) const {
    const uint64_t* x = c_.x + image * c_.n_channels * words_ + w;
    const size_t here = std::min(span_, words_ - w);
    for (size_t i = 0; i < c_.n_channels; i++, x += words_, out += kLanes) {
      if (span_ == kLanes) {
        store(out, load_some(x, here));
      } else {
        std::fill_n(out, kLanes, 0);
        for (size_t a = 0; a < per_vector_; a++)
          store_some(out + a * span_, load_some(x, span_), span_);
      }
    }
    std::fill_n(out, (rows_ - c_.n_channels) * kLanes, 0);
  }

  void pack_weights(size_t neuron, size_t w, size_t channel, size_t m) const {
    uint64_t* out = weights_ + m * kChunk * kLanes;
    const size_t n_rows = std::min(kChunk, c_.n_channels - channel);
    const size_t here = std::min(span_, words_ - w);
    if (span_ < kLanes || neuron >= last_) std::fill_n(out, kChunk * kLanes, 0);
    for (size_t a = 0; a < per_vector_ && neuron + a < last_; a++) {
      const uint64_t* from = c_.weights + ((neuron + a) * c_.n_channels + channel) * words_ + w;
      if (span_ == kLanes)
        for (size_t i = 0; i < n_rows; i++)
          store(out + i * kLanes, load_some(from + i * words_, here));
      else
        for (size_t i = 0; i < n_rows; i++)
          store_some(out + i * kLanes + a * span_, load_some(from + i * words_, span_), span_);
    }
  }

  // Past the last channel the spikes are 0, whatever the weights.
  void count(const Weights& weights, const uint64_t* x, size_t image, size_t channel) const {
    x += channel * kLanes;
    const size_t n_rows = std::min(kChunk, rows_ - channel);
    const size_t n_real = std::min(n_rows, c_.n_channels - channel);
    Counters<kSide, kChunkPlanes> counters;
    size_t row = 0;
    const auto term = [&](size_t t, U(&out)[kSide]) {
      const U spikes = load(x + (row + t) * kLanes);
#pragma GCC unroll 2
      for (size_t m = 0; m < kSide; m++)
        out[m] = spikes & load(weights.rows[m] + (row + t) * weights.stride);
    };
    for (; row + 8 < n_real; row += 16) counters.template add<3>(term);
    if (row < n_real) counters.template add<2>(term);
#pragma GCC unroll 2
    for (int m = 0; m < kSide; m++) counters.add_to(total_of(image, size_t(m)), n_planes_, m);
  }

  void expand(const uint64_t* planes, size_t neuron, size_t w, size_t image) const {
    for (size_t a = 0; a < per_vector_ && neuron + a < last_; a++) {
      uint32_t* out = c_.out + (image * c_.n_neurons + neuron + a) * c_.length + 64 * w;
      for (size_t i = 0; i < std::min(span_, words_ - w); i++) {
        const uint64_t steps = c_.length - 64 * (w + i);
        uint32_t last[64];
        expand_counts(planes + a * span_ + i, kLanes, n_planes_, steps < 64 ? last : out + 64 * i);
        if (steps < 64) std::copy_n(last, steps, out + 64 * i);
      }
    }
  }

  const ChannelCounts& c_;
  size_t last_, words_, end_, span_, per_vector_;
  int n_planes_;
  size_t rows_, vectors_, images_, steps_;
  uint64_t* weights_;
  uint64_t* totals_;
  uint64_t* x_;
};

}  // namespace

void channel_counts(const ChannelCounts& c, const Part& part) {
  for (size_t row = part.first, next; row < part.last; row = next) {
    const size_t batch = row / c.n_neurons, first = row % c.n_neurons;
    next = std::min((batch + 1) * c.n_neurons, part.last);
    const Block block(c, first + (next - row), part);
    const size_t end = std::min((batch + 1) * kCountsBatch, c.n_batch);
    for (size_t image = batch * kCountsBatch; image < end; image += block.images())
      for (size_t w = part.first_word; w < part.last_word; w += block.words())
        block.run(first, w, image, std::min(block.images(), end - image));
  }
}

}  // namespace sc::SC_LEVEL
