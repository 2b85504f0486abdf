// Ones among the products at each time step, for a batch of inputs. Lanes are words of time. The
// weights of a chunk of channels are read once for all images of a block.
#include <algorithm>

#include "counter.hpp"
#include "kernels.hpp"

namespace sc::SC_LEVEL {
namespace {

constexpr size_t kChunk = kCountsChunk;
constexpr int kChunkPlanes = 7;
static_assert(kChunk % 16 == 0 && kChunk < size_t{1} << kChunkPlanes);

// Neurons that are counted side by side.
constexpr int kSide = kLanes == 8 ? 2 : 1;

class Block {
 public:
  Block(const ChannelCounts& c, uint64_t* scratch)
      : c_(c), words_(words_for(c.length)), n_planes_(planes_for(c.n_channels)), totals_(scratch) {}

  // Counts `kSide` neurons or one from `neuron` on, in the words from w on, for n images.
  template <int N>
  void run(size_t neuron, size_t w, size_t first_image, size_t n) const {
    const size_t lanes = std::min<size_t>(kLanes, words_ - w);
    std::fill_n(totals_, n * N * size_t(n_planes_) * kLanes, 0);
    for (size_t channel = 0; channel < c_.n_channels; channel += kChunk)
      for (size_t image = 0; image < n; image++)
        if (lanes == kLanes)
          count<N, true>(neuron, w, lanes, first_image, image, channel);
        else
          count<N, false>(neuron, w, lanes, first_image, image, channel);
    for (size_t image = 0; image < n; image++)
      for (int m = 0; m < N; m++)
        expand(total_of<N>(image, m), neuron + size_t(m), w, lanes, first_image + image);
  }

 private:
  template <int N>
  uint64_t* total_of(size_t image, int m) const {
    return totals_ + (image * N + size_t(m)) * size_t(n_planes_) * kLanes;
  }

  template <int N, bool Whole>
  void count(size_t neuron, size_t w, size_t lanes, size_t first_image, size_t image,
             size_t channel) const {
    const size_t n_rows = std::min(kChunk, c_.n_channels - channel);
    const uint64_t* x = c_.x + ((first_image + image) * c_.n_channels + channel) * words_ + w;
    const uint64_t* weights[N];
    for (int m = 0; m < N; m++)
      weights[m] = c_.weights + ((neuron + size_t(m)) * c_.n_channels + channel) * words_ + w;
    const auto word = [&](const uint64_t* rows, size_t row) {
      return Whole ? load(rows + row * words_) : load_some(rows + row * words_, lanes);
    };
    Counters<N, kChunkPlanes> counters;
    size_t row = 0;
    for (; row + 16 <= n_rows; row += 16) {
      counters.template add<3>([&](size_t t, U(&out)[N]) {
        const U spikes = word(x, row + t);
        for (int m = 0; m < N; m++) out[m] = spikes & word(weights[m], row + t);
      });
    }
    for (; row < n_rows; row += 4) {
      counters.template add<1>([&](size_t t, U(&out)[N]) {
        const bool exists = row + t < n_rows;
        const U spikes = exists ? word(x, row + t) : set1(0);
        for (int m = 0; m < N; m++) out[m] = exists ? spikes & word(weights[m], row + t) : set1(0);
      });
    }
    for (int m = 0; m < N; m++) {
      U planes[kChunkPlanes];
      for (int p = 0; p < kChunkPlanes; p++) planes[p] = counters.plane(m, p);
      add_planes(total_of<N>(image, m), n_planes_, planes, kChunkPlanes);
    }
  }

  void expand(const uint64_t* planes, size_t neuron, size_t w, size_t lanes, size_t image) const {
    uint32_t* out = c_.out + (image * c_.n_neurons + neuron) * c_.length + 64 * w;
    for (size_t i = 0; i < lanes; i++) {
      const uint64_t steps = c_.length - 64 * (w + i);
      if (steps >= 64) {
        expand_counts(planes + i, kLanes, n_planes_, out + 64 * i);
      } else {
        uint32_t last[64];
        expand_counts(planes + i, kLanes, n_planes_, last);
        std::copy_n(last, steps, out + 64 * i);
      }
    }
  }

  const ChannelCounts& c_;
  size_t words_;
  int n_planes_;
  uint64_t* totals_;
};

}  // namespace

void channel_counts(const ChannelCounts& c, size_t first, size_t last, uint64_t* scratch) {
  const Block block(c, scratch);
  for (size_t image = 0; image < c.n_batch; image += kCountsImages) {
    const size_t n = std::min(kCountsImages, c.n_batch - image);
    size_t neuron = first;
    for (; neuron + kSide <= last; neuron += kSide)
      for (size_t w = 0; w < words_for(c.length); w += kLanes)
        block.run<kSide>(neuron, w, image, n);
    for (; neuron < last; neuron++)
      for (size_t w = 0; w < words_for(c.length); w += kLanes) block.run<1>(neuron, w, image, n);
  }
}

}  // namespace sc::SC_LEVEL
