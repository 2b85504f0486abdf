// Ones among the products at each time step. Lanes are words of time.
#include "counter.hpp"
#include "kernels.hpp"

namespace sc::SC_LEVEL {
namespace {

// Loads the words of a row that exist, and zeros for lanes past its end.
inline U load_row(const uint64_t* row, size_t here) {
  if (here == kLanes) return load(row);
  uint64_t lanes[kLanes] = {};
  for (size_t i = 0; i < here; i++) lanes[i] = row[i];
  return load(lanes);
}

}  // namespace

void channel_counts(const ChannelCounts& c, size_t first, size_t last) {
  const size_t words = words_for(c.length);
  const int n_planes = planes_for(c.n_channels);
  for (size_t n = first; n < last; n++) {
    const uint64_t* weights = c.weights + n * c.n_channels * words;
    for (size_t w = 0; w < words; w += kLanes) {
      const size_t here = words - w < kLanes ? words - w : kLanes;
      Counter counter(n_planes);
      for (size_t channel = 0; channel < c.n_channels; channel += 8) {
        counter.add8([&](size_t k) {
          const size_t i = channel + k;
          if (i >= c.n_channels) return set1(0);
          return load_row(c.x + i * words + w, here) & load_row(weights + i * words + w, here);
        });
      }
      for (int p = 0; p < n_planes; p++) {
        uint64_t plane[kLanes];
        store(plane, counter.plane(p));
        for (size_t i = 0; i < here; i++) {
          const uint64_t t0 = 64 * (w + i);
          const uint64_t steps = c.length - t0 < 64 ? c.length - t0 : 64;
          uint32_t* out = c.out + n * c.length + t0;
          if (p == 0)
            for (uint64_t t = 0; t < steps; t++) out[t] = uint32_t(plane[i] >> t & 1);
          else
            for (uint64_t t = 0; t < steps; t++) out[t] |= uint32_t(plane[i] >> t & 1) << p;
        }
      }
    }
  }
}

}  // namespace sc::SC_LEVEL
