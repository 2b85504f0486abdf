// Dense layers one after the other, for few time steps or few images: at each time step, words hold
// the bits of 64 inputs, so that one population count takes as many products and the work is that
// of the steps there are. Lanes are neurons.
#include <algorithm>
#include <bit>

#include "counter.hpp"
#include "kernels.hpp"
#include "lif.hpp"

namespace sc::SC_LEVEL {
namespace {

constexpr size_t kVectors = kDenseLanes / kLanes;         // of a group of neurons
constexpr size_t kSide = kLanes == 8 ? kChainImages : 4;  // images that are counted side by side

// Neurons first .. first + count - 1, which a vector holds.
struct Vector {
  size_t first, count, at;

  Vector(size_t v, size_t n_out, size_t blocks)
      : first(v * kLanes),
        count(std::min<size_t>(kLanes, n_out - std::min(first, n_out))),
        at(v / kVectors * blocks * kDenseLanes + v % kVectors * kLanes) {}
};

size_t vectors_for(size_t n) { return (n + kLanes - 1) / kLanes; }

uint64_t ones(uint64_t n) { return n < 64 ? (uint64_t{1} << n) - 1 : ~uint64_t{0}; }

// Bit k of each lane.
uint64_t bits_at(U words, int k) { return below_bits(set1(0), (words >> k) & set1(1)); }

class WeightBits {
 public:
  WeightBits(const Products& p, size_t w, uint64_t needed)
      : p_(p), key_(p.weight_key), w_(w), needed_(set1(needed)) {}

  // Those of input i and a vector of neurons.
  U of(size_t i, const Vector& v) const {
    if (p_.weight_bits != nullptr) {
      const size_t words = words_for(p_.length);
      uint64_t lanes[kLanes] = {};
      for (size_t j = 0; j < v.count; j++)
        lanes[j] = p_.weight_bits[((v.first + j) * p_.n_in + i) * words + w_];
      return load(lanes);
    }
    const auto* weights = reinterpret_cast<const uint64_t*>(p_.weights);
    const U code = load_some(weights + i * p_.n_out + v.first, v.count), sign = sign_mask(code);
    const U neuron = set1(p_.shared ? 0 : v.first) + (p_.shared ? set1(0) : iota());
    return bernoulli_bits<4>(key_, S{p_.first_word + w_}, S{i}, neuron, (code ^ sign) - sign,
                             needed_);
  }

 private:
  const Products& p_;
  PhiloxKey key_;
  size_t w_;
  U needed_;
};

// Frames of N images: at[(step * blocks + block) * N + image] holds the bits of 64 inputs.
template <size_t N>
class Frames {
 public:
  Frames(uint64_t* at, size_t blocks) : at_(at), blocks_(blocks) {}

  void clear(uint64_t steps) const { std::fill_n(at_, steps * blocks_ * N, 0); }
  size_t stride() const { return blocks_ * N; }
  uint64_t* word(uint64_t k, size_t image, size_t input) const {
    return at_ + (k * blocks_ + input / 64) * N + image;
  }
  void put(uint64_t k, size_t image, size_t input, uint64_t bits) const {
    *word(k, image, input) |= bits << input % 64;
  }
  // The bits of kLanes inputs at all steps.
  void put_steps(size_t image, size_t input, U words, uint64_t steps) const {
    uint64_t* out = word(0, image, input);
    if constexpr (kLanes == 8 && std::endian::native == std::endian::little) {
      auto* byte = reinterpret_cast<unsigned char*>(out) + input / 8 % 8;
      for (uint64_t k = 0; k < steps; k++) byte[8 * k * stride()] = uint8_t(bits_at(words, int(k)));
    } else {
      for (uint64_t k = 0; k < steps; k++)
        out[k * stride()] |= bits_at(words, int(k)) << input % 64;
    }
  }

 private:
  uint64_t* at_;
  size_t blocks_;
};

class Images {
 public:
  Images(const Chain& c, uint64_t* scratch)
      : c_(c),
        key_(c.input_key),
        numbers_(scratch),
        thresholds_(numbers_ + (c.numbers == nullptr ? 0 : c.steps * c.padded())),
        frames_(thresholds_ + kChainImages * c.padded()),
        // Each half of what remains holds the frames of one layer.
        half_((chain_scratch(c) - size_t(frames_ - scratch)) / 2) {
    if (c.numbers == nullptr) return;
    for (uint64_t k = 0; k < c.steps; k++)
      for (size_t i = 0; i < c.padded(); i++)
        numbers_[k * c.padded() + i] =
            kWholeBits | (i < c.n_in ? c.numbers[i * c.numbers_stride + k] : 0);
  }

  template <size_t N>
  void run(size_t batch) {
    uint64_t* now = frames_;
    uint64_t* next = frames_ + half_;
    for (size_t m = 0; m < N; m++)
      if (!compare(batch + m, thresholds_ + m * c_.padded()))
        *c_.flags |= uint64_t{1} << kChainOutside;
    Frames<N> inputs(now, c_.layers[0].n_blocks());
    inputs.clear(c_.steps);
    encode(inputs);
    for (size_t l = 0; l < c_.n_layers; l++) {
      const ChainLayer& layer = c_.layers[l];
      if (layer.always_on)
        for (uint64_t k = 0; k < c_.steps; k++)
          for (size_t m = 0; m < N; m++)
            Frames<N>(now, layer.n_blocks()).put(k, m, layer.n_in - 1, 1);
      const bool last = l + 1 == c_.n_layers;
      Frames<N> spikes(next, last ? 0 : c_.layers[l + 1].n_blocks());
      if (!last) spikes.clear(c_.steps);
      if (fire_layer<N>(batch, l, now, last ? nullptr : &spikes)) *c_.flags |= uint64_t{1} << l;
      std::swap(now, next);
    }
  }

 private:
  // Makes the thresholds of an image, as the doubles kWhole + threshold; returns whether all
  // densities are in [0, 1].
  bool compare(size_t image, uint64_t* out) const {
    const double* x = c_.x + image * c_.n_in;
    const F levels = set1f(c_.levels), whole = set1f(kWhole);
    // The bits of a density are at most those of 1: this sum has a sign if they are more.
    const U to_sign = set1((uint64_t{1} << 63) - 1 - std::bit_cast<uint64_t>(1.0));
    U wrong = set1(0);
    for (size_t i = 0; i < c_.padded(); i += kLanes) {
      const size_t count = std::min<size_t>(kLanes, c_.n_in - std::min(i, c_.n_in));
      const F density = loadf_some(x + i, count);
      const U bits = load_some(reinterpret_cast<const uint64_t*>(x + i), count);
      wrong = wrong | bits | (bits + to_sign);
      storef(reinterpret_cast<double*>(out + i), density * levels + whole);
    }
    const U sign = sign_mask(wrong);
    return !any_both(sign, sign);
  }

  template <size_t N>
  void encode(Frames<N>& to) const {
    if (c_.numbers == nullptr) return encode_bernoulli(to);
    const size_t padded = c_.padded();
    const uint64_t steps = c_.steps;
    for (size_t m = 0; m < N; m++) {
      for (size_t first = 0; first < padded; first += 64) {
        U thresholds[64 / kLanes];
        for (size_t j = 0; j < 64 / kLanes; j++)
          thresholds[j] = load(thresholds_ + m * padded + first + j * kLanes);
        const uint64_t* numbers = numbers_ + first;
        uint64_t* out = to.word(0, m, first);
        for (uint64_t k = 0; k < steps; k++) {
          uint64_t word = 0;
#pragma GCC unroll 64
          for (size_t j = 0; j < 64 / kLanes; j++)
            word |= uint64_t{below_bits(load(numbers + j * kLanes), thresholds[j])} << j * kLanes;
          *out = word;
          numbers += padded;
          out += to.stride();
        }
      }
    }
  }

  template <size_t N>
  void encode_bernoulli(Frames<N>& to) const {
    const int start = int(c_.first % 64);
    const U needed = set1(ones(c_.steps) << start);
    for (size_t m = 0; m < N; m++) {
      for (size_t i = 0; i < c_.n_in; i += kLanes) {
        const U threshold = load(thresholds_ + m * c_.padded() + i) ^ set1(kWholeBits);
        const U bits =
            bernoulli_bits<4>(key_, S{c_.first / 64}, set1(i) + iota(), S{0}, threshold, needed);
        to.put_steps(m, i, bits >> start, c_.steps);
      }
    }
  }

  // N images side by side, or vectors of neurons of one image: 4, then 2, then 1.
  template <size_t N>
  bool fire_layer(size_t batch, size_t l, const uint64_t* frames, Frames<N>* spikes) const {
    const ChainLayer& layer = c_.layers[l];
    const PhiloxKey noise_key(layer.noise_key);
    const size_t n = vectors_for(layer.n_out);
    bool fired = false;
    size_t v = 0;
    const auto fire_some = [&]<size_t G>(const auto& lif_of) {
      for (; v + G <= n; v += G) {
        if (l == 0) ask_for_next<N>(batch, v, n);
        fired |= fire<N, G>(layer, lif_of(v), noise_key, batch, v, frames, spikes);
      }
    };
    if (layer.n_lif > 1) {
      fire_some.template operator()<1>([&](size_t at) { return Lif(layer.lif, layer.n_lif, at); });
      return fired;
    }
    const Lif lif(layer.lif[0]);
    const auto one = [&](size_t) -> const Lif& { return lif; };
    if constexpr (N == 1) {
      fire_some.template operator()<4>(one);
      fire_some.template operator()<2>(one);
    }
    fire_some.template operator()<1>(one);
    return fired;
  }

  // Asks for share v of n of the next densities.
  template <size_t N>
  void ask_for_next(size_t batch, size_t v, size_t n) const {
    if (N == 1 || batch + 2 * N > c_.n_batch) return;
    const size_t line = 64 / sizeof(double), total = N * c_.n_in;
    for (size_t i = total * v / n / line * line; i < total * (v + 1) / n; i += line)
      prefetch(c_.x + (batch + N) * c_.n_in, i);
  }

  // Steps G vectors of neurons from vector v on, under N images; one of the two is 1.
  template <size_t N, size_t G>
  bool fire(const ChainLayer& layer, const Lif& lif, const PhiloxKey& noise_key, size_t batch,
            size_t v, const uint64_t* frames, Frames<N>* spikes) const {
    const size_t blocks = layer.n_blocks(), stride = layer.n_groups() * blocks * kDenseLanes;
    size_t at[G];
    F gain[G], minus_negative[G];
    LifGroups<int(N * G)> groups;
    const auto state_of = [&](size_t m, const Vector& of) {
      return layer.state.from((batch + m) * layer.n_out + of.first);
    };
    for (size_t g = 0; g < G; g++) {
      const Vector of(v + g, layer.n_out, blocks);
      at[g] = of.at;
      gain[g] = loadf_some(layer.gain + of.first, of.count);
      minus_negative[g] = loadf(layer.minus_negative + of.first);
      for (size_t m = 0; m < N; m++) start_group(groups, m + g, layer, state_of(m, of), of);
    }
    U counts[N * G], words[N * G];
    for (U& count : counts) count = set1(0);
    lif_word(lif, noise_key, groups, c_.first, int(c_.steps), words, [&](int n, int k) {
      if (n == 0) {
        const uint64_t* weights = layer.weights + size_t(k) * stride;
        const uint64_t* x = frames + size_t(k) * blocks * N;
        U sums[N * G];  // in registers
#pragma GCC unroll 8
        for (size_t m = 0; m < N * G; m++) sums[m] = set1(0);
        for (size_t b = 0; b < blocks; b++) {
#pragma GCC unroll 4
          for (size_t g = 0; g < G; g++) {
            const U weight = load(weights + at[g] + b * kDenseLanes);
            const U sign = load(layer.signs + at[g] + b * kDenseLanes);
#pragma GCC unroll 8
            for (size_t m = 0; m < N; m++)
              sums[m + g] = sums[m + g] + popcount(and_xor_aside(set1(x[b * N + m]), weight, sign));
          }
        }
#pragma GCC unroll 8
        for (size_t m = 0; m < N * G; m++) counts[m] = sums[m];
      }
      const size_t g = G == 1 ? 0 : size_t(n);
      return gain[g] * (to_double(counts[n]) + minus_negative[g]);
    });
    U any = set1(0);
    for (size_t g = 0; g < G; g++) {
      const Vector of(v + g, layer.n_out, blocks);
      for (size_t m = 0; m < N; m++) {
        groups.store_group(m + g, state_of(m, of), of.count);
        any = any | put(layer, batch + m, m, of, words[m + g], spikes);
      }
    }
    return any_both(any, any);
  }

  template <int G>
  static void start_group(LifGroups<G>& groups, size_t g, const ChainLayer& layer,
                          const LifState& state, const Vector& of) {
    if (layer.rest == nullptr) return groups.load_group(g, state, of.first, of.count);
    groups.v[g] = loadf_some(layer.rest + of.first, of.count);
    groups.neuron[g] = set1(of.first) + iota();
    groups.refractory[g] = set1(0);
    groups.i[g] = set1f(0);
  }

  // Passes the spikes of a vector of neurons on, and counts them; returns them without those of
  // lanes past the last neuron.
  template <size_t N>
  U put(const ChainLayer& layer, size_t image, size_t m, const Vector& of, U words,
        Frames<N>* spikes) const {
    uint64_t lanes[kLanes];
    store(lanes, words);
    std::fill(lanes + of.count, lanes + kLanes, 0);
    words = load(lanes);
    if (spikes != nullptr) spikes->put_steps(m, of.first, words, c_.steps);
    if (image < c_.n_counted || spikes == nullptr) {
      auto* sums = reinterpret_cast<uint64_t*>(layer.ones + image * layer.n_out + of.first);
      store_some(sums, load_some(sums, of.count) + popcount(words), of.count);
    }
    return words;
  }

  const Chain& c_;
  PhiloxKey key_;
  uint64_t* numbers_;     // [steps][padded]
  uint64_t* thresholds_;  // [images][padded]
  uint64_t* frames_;
  size_t half_;

  // From here on doubles are whole numbers, which are their last bits.
  static constexpr double kWhole = 4503599627370496.0;
  static constexpr uint64_t kWholeBits = std::bit_cast<uint64_t>(kWhole);
};

}  // namespace

void turned(const TurnedWeights& t, const Part& part) {
  const size_t n_groups = (t.of.n_out + kDenseLanes - 1) / kDenseLanes;
  const size_t blocks = words_for(t.of.n_in);
  for (size_t w = part.first_word; w < part.last_word; w++) {
    const uint64_t begin = std::max<uint64_t>(64 * w, t.start);
    const uint64_t end = std::min<uint64_t>(64 * w + 64, t.start + t.steps);
    if (begin >= end) continue;
    const WeightBits bits(t.of, w, ones(end - begin) << begin % 64);
    for (size_t v = part.first * kVectors; v < part.last * kVectors; v++) {
      const Vector of(v, t.of.n_out, blocks);
      for (size_t block = 0; block < blocks; block++) {
        uint64_t rows[64][kLanes] = {};
        const size_t n = of.count == 0 ? 0 : std::min<size_t>(64, t.of.n_in - 64 * block);
        for (size_t i = 0; i < n; i++) store(rows[i], bits.of(64 * block + i, of));
        uint64_t* out = t.out + of.at + block * kDenseLanes;
        turn_64([&](size_t i) { return load(rows[i]); },
                [&](size_t k, U row) {
                  const uint64_t bit = 64 * w + k;
                  if (bit < begin || bit >= end) return;
                  store(out + (bit - t.start) * n_groups * blocks * kDenseLanes, row);
                });
      }
    }
  }
}

void chain(const Chain& c, const Part& part) {
  Images images(c, part.scratch);
  size_t batch = part.first;
  for (; batch + kSide <= part.last; batch += kSide) images.run<kSide>(batch);
  for (; batch < part.last; batch++) images.run<1>(batch);
}

}  // namespace sc::SC_LEVEL
