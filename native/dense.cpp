// A dense layer: products are counted for many images at a time while the weight bits of a chunk of
// inputs are in the first-level cache, then the neurons of a tile fire; or, where most inputs are
// active and the level counts ones fast, across inputs. Lanes are neurons.
#include <algorithm>

#include "across.hpp"
#include "counter.hpp"
#include "kernels.hpp"
#include "lif.hpp"

namespace sc::SC_LEVEL {
namespace {

// Inputs of a chunk: its products fill seven planes, its weights 14 kB of an AVX-512 group.
constexpr size_t kChunk = kDenseChunk;
constexpr int kChunkPlanes = 7;
static_assert(kChunk % 16 == 0 && kChunk < size_t{1} << kChunkPlanes);
constexpr size_t kMaskWords = (kChunk + 63) / 64;

// Images that are counted side by side: as many as the registers hold counters of.
constexpr int kSide = kLanes == 1 ? 1 : 2;

// Of kLanes images with at least this share of active inputs (in sixteenths) counts are taken
// across inputs, where the level has a population count that is worth it.
constexpr size_t kMostlyActive = 8;

// The inputs of a chunk that have a spike in one of kSide images: where the weights of each lie in
// the chunk, and the spikes. Padded with a row of zeros.
struct Active {
  uint64_t count;
  uint64_t mask[kMaskWords];
  uint64_t row[kChunk + 8];
  uint64_t x[kChunk + 8][kSide];
};
static_assert(sizeof(Active) / kSide <= sizeof(uint64_t) * kDenseActive);

size_t groups_for(size_t count) { return (count + kLanes - 1) / kLanes; }

class Tile {
 public:
  Tile(const DenseLayer& d, size_t first_out, size_t count, uint64_t* scratch)
      : d_(d),
        first_(first_out),
        count_(count),
        words_(words_for(d.length)),
        n_groups_(groups_for(count)),
        n_planes_(planes_for(d.n_in)),
        rows_((d.n_in + kChunk - 1) / kChunk * kChunk + 1),
        signs_(scratch),
        bits_(signs_ + rows_ * kTile),
        masks_(bits_ + rows_ * kTile),
        totals_(masks_ + rows_ / kChunk * kMaskWords * kTile),
        negatives_(totals_ + kDenseImages * size_t(n_planes_) * kTile),
        active_(reinterpret_cast<Active*>(negatives_ + kDenseImages * kTile)),
        across_(d.n_in, scratch + dense_scratch(d) - across_scratch(d.n_in)) {
    make_signs();
  }

  void run(size_t first_batch, size_t last_batch, const Part& part, const Lif& lif,
           const PhiloxKey& noise_key) const {
    for (size_t w = part.first_word; w < part.last_word; w++) {
      make_bits(w);
      bool turned = false;
      for (size_t block = first_batch; block < last_batch; block += kDenseImages) {
        size_t first = block;
        const size_t last = std::min(block + kDenseImages, last_batch);
        if constexpr (kPopcounts) {
          if (last - first >= kLanes && mostly_active(w, first, last)) {
            for (size_t group = 0; group < n_groups_ && !turned; group++)
              across_.turn_weights(group, strip(bits_, group), strip(signs_, group));
            turned = true;
            for (; first + kLanes <= last; first += kLanes) fire_images(first, w, lif, noise_key);
          }
        }
        const size_t n = last - first;
        std::fill_n(totals_, n * size_t(n_planes_) * n_groups_ * kLanes, 0);
        std::fill_n(negatives_, n * n_groups_ * kLanes, 0);
        for (size_t chunk = 0; chunk * kChunk < d_.n_in; chunk++) count_chunk(chunk, w, first, n);
        for (size_t image = 0; image < n; image++) fire(first + image, image, w, lif, noise_key);
      }
    }
  }

 private:
  // The strip of a group of neurons in signs_ or bits_: a vector for each input, and a row of zeros
  // at its end.
  uint64_t* strip(uint64_t* of, size_t group) const { return of + group * rows_ * kLanes; }
  size_t lanes_of(size_t group) const { return std::min<size_t>(kLanes, count_ - group * kLanes); }
  U code(size_t i, size_t group) const {
    const auto* weights = reinterpret_cast<const uint64_t*>(d_.weights);
    return load_some(weights + i * d_.n_out + first_ + group * kLanes, lanes_of(group));
  }
  uint64_t* mask_of(size_t chunk, size_t group) const {
    return masks_ + (chunk * n_groups_ + group) * kMaskWords * kLanes;
  }
  uint64_t* total_of(size_t image, size_t group) const {
    return totals_ + (image * n_groups_ + group) * size_t(n_planes_) * kLanes;
  }
  uint64_t* negative_of(size_t image, size_t group) const {
    return negatives_ + (image * n_groups_ + group) * kLanes;
  }

  // signs_: all ones for negative weights; masks_: the same, a bit for each input of a chunk.
  // Weights are read row by row, for they may be far apart.
  void make_signs() const {
    std::fill_n(signs_, rows_ * n_groups_ * kLanes, 0);
    std::fill_n(bits_, rows_ * n_groups_ * kLanes, 0);
    std::fill_n(masks_, rows_ / kChunk * kMaskWords * n_groups_ * kLanes, 0);
    for (size_t i = 0; i < d_.n_in; i++) {
      const size_t chunk = i / kChunk, at = i % kChunk;
      for (size_t group = 0; group < n_groups_; group++) {
        const U sign = sign_mask(code(i, group));
        store(strip(signs_, group) + i * kLanes, sign);
        uint64_t* mask = mask_of(chunk, group) + at / 64 * kLanes;
        store(mask, load(mask) | (sign & set1(uint64_t{1} << at % 64)));
      }
    }
  }

  void make_bits(size_t w) const {
    if (d_.weight_bits != nullptr) return copy_bits(w);
    const PhiloxKey key(d_.weight_key);
    const S word{d_.first_word + w};
    if (d_.shared) return make_shared_bits(key, word);
    for (size_t i = 0; i < d_.n_in; i++) {
      for (size_t group = 0; group < n_groups_; group++) {
        const U neuron = set1(first_ + group * kLanes) + iota();
        store(strip(bits_, group) + i * kLanes,
              bernoulli_word(key, word, S{i}, neuron, magnitude(i, group)));
      }
    }
  }

  // Magnitudes of the weights of input i, 0 to 2**32.
  U magnitude(size_t i, size_t group) const {
    const U sign = load(strip(signs_, group) + i * kLanes);
    return (code(i, group) ^ sign) - sign;
  }

  // All neurons compare with the same numbers: those of kLanes inputs are made side by side.
  void make_shared_bits(const PhiloxKey& key, S word) const {
    constexpr int kSlices = 16;  // decide all bits of a vector but for one in 128
    for (size_t first = 0; first < d_.n_in; first += kLanes) {
      const Blocks<S, U, S> blocks(key, word, set1(first) + iota(), S{0});
      uint64_t slices[kSlices][kLanes];
      for (int m = 0; m < kSlices / 2; m += 4) {
        U made[4][2];
        blocks.slices(m, made);
        for (int k = 0; k < 8; k++) store(slices[2 * m + k], made[k / 2][k % 2]);
      }
      for (size_t i = first; i < std::min(first + kLanes, d_.n_in); i++) {
        for (size_t group = 0; group < n_groups_; group++) {
          Comparator comparator(magnitude(i, group));
          int k = 0;
          const auto step_to = [&](int end) {
            for (; k < end; k++) comparator.step(set1(slices[k][i - first]));
          };
          step_to(12);
          if (comparator.undecided()) step_to(kSlices);
          const U bits = comparator.undecided()
                             ? bernoulli_word(key, word, S{i}, set1(0), magnitude(i, group))
                             : comparator.less();
          store(strip(bits_, group) + i * kLanes, bits);
        }
      }
    }
  }

  void copy_bits(size_t w) const {
    for (size_t j = 0; j < count_; j++) {
      const uint64_t* from = d_.weight_bits + (first_ + j) * d_.n_in * words_ + w;
      uint64_t* to = strip(bits_, j / kLanes) + j % kLanes;
      for (size_t i = 0; i < d_.n_in; i++) to[i * kLanes] = from[i * words_];
    }
  }

  // Adds the products of a chunk of inputs to the counts of n images.
  void count_chunk(size_t chunk, size_t w, size_t first_image, size_t n) const {
    const size_t lists = (n + kSide - 1) / kSide;
    for (size_t list = 0; list < lists; list++)
      find_active(chunk, w, first_image, list * kSide, n, active_[list]);
    for (size_t group = 0; group < n_groups_; group++) {
      const uint64_t* signs = strip(signs_, group) + chunk * kChunk * kLanes;
      const uint64_t* bits = strip(bits_, group) + chunk * kChunk * kLanes;
      for (size_t list = 0; list < lists; list++) {
        const Active& active = active_[list];
        Counters<kSide, kChunkPlanes> counters;
        size_t k = 0;
        const auto term = [&](size_t t, U(&out)[kSide]) {
          const size_t at = active.row[k + t];
          const U weight = load(bits + at), sign = load(signs + at);
          for (int m = 0; m < kSide; m++) out[m] = and_xor(set1(active.x[k + t][m]), weight, sign);
        };
        for (; k + 8 < active.count; k += 16) counters.template add<3>(term);
        if (k < active.count) counters.template add<2>(term);
        U negative = set1(0);
        for (size_t word = 0; word < kMaskWords; word++)
          negative = negative + popcount(load(mask_of(chunk, group) + word * kLanes) &
                                         set1(active.mask[word]));
#pragma GCC unroll 2
        for (int m = 0; m < kSide; m++) {
          const size_t image = list * kSide + size_t(m);
          if (image == n) break;
          counters.add_to(total_of(image, group), n_planes_, m);
          uint64_t* sum = negative_of(image, group);
          store(sum, load(sum) + negative);
        }
      }
    }
  }

  void find_active(size_t chunk, size_t w, size_t first_image, size_t image, size_t n,
                   Active& active) const {
    const size_t first = chunk * kChunk, last = std::min(first + kChunk, d_.n_in);
    const uint64_t* x[kSide];
    uint64_t exists[kSide];
    for (size_t m = 0; m < kSide; m++) {
      exists[m] = image + m < n ? ~uint64_t{0} : 0;
      const size_t row = first_image + (image + m < n ? image + m : image);
      x[m] = d_.x + row * d_.n_in * words_ + w;
    }
    size_t count = 0;
    for (size_t word = 0; word < kMaskWords; word++) {
      const size_t from = first + 64 * word, to = std::min(from + 64, last);
      uint64_t mask = 0;
      for (size_t i = from; i < to; i++) {
        uint64_t any = 0;
        for (size_t m = 0; m < kSide; m++) {
          const uint64_t spikes = x[m][i * words_] & exists[m];
          active.x[count][m] = spikes;
          any |= spikes;
        }
        active.row[count] = (i - first) * kLanes;
        mask |= uint64_t{any != 0} << (i - from);
        count += any != 0;
      }
      active.mask[word] = mask;
    }
    active.count = count;
    const size_t zeros = (rows_ - 1 - first) * kLanes;
    for (; count % 8 != 0; count++) {
      active.row[count] = zeros;
      for (size_t m = 0; m < kSide; m++) active.x[count][m] = 0;
    }
  }

  // Whether counting across inputs pays, judged by one image in kLanes.
  bool mostly_active(size_t w, size_t first, size_t last) const {
    size_t active = 0, looked_at = 0;
    for (size_t image = first; image < last; image += kLanes) {
      const uint64_t* x = d_.x + image * d_.n_in * words_ + w;
      for (size_t i = 0; i < d_.n_in; i++) active += x[i * words_] != 0;
      looked_at += d_.n_in;
    }
    return 16 * active >= kMostlyActive * looked_at;
  }

  // Counts across inputs and fires, kLanes images side by side.
  void fire_images(size_t batch, size_t w, const Lif& lif, const PhiloxKey& noise_key) const {
    across_.turn_inputs(d_.x + batch * d_.n_in * words_ + w, d_.n_in * words_, words_);
    const uint64_t left = d_.length - 64 * w;
    for (size_t group = 0; group < n_groups_; group++) {
      const size_t first = first_ + group * kLanes, count = lanes_of(group);
      const auto at = [&](size_t image) { return (batch + image) * d_.n_out + first; };
      LifGroups<kLanes> images;
      for (size_t m = 0; m < kLanes; m++)
        images.load_group(m, d_.state.from(at(m)), first, count, d_.positions,
                          (batch + m) % d_.positions);
      const F gain = set1f(d_.gain), minus_negative = to_double(set1(0) - across_.negative(group));
      U counts[kLanes], spikes[kLanes];
      lif_word(lif, noise_key, images, 64 * (d_.first_word + w), left < 64 ? int(left) : 64, spikes,
               [&](int m, int k) {
                 if (m == 0) across_.count(group, size_t(k), counts);
                 return gain * (to_double(counts[m]) + minus_negative);
               });
      for (size_t m = 0; m < kLanes; m++) {
        images.store_group(m, d_.state.from(at(m)), count);
        store_apart(d_.spikes + at(m) * words_ + w, words_, spikes[m], count);
      }
    }
  }

  void fire(size_t batch, size_t image, size_t w, const Lif& lif,
            const PhiloxKey& noise_key) const {
    size_t group = 0;
    for (; group + 4 <= n_groups_; group += 4)
      fire_groups<4>(batch, image, w, group, lif, noise_key);
    if (group + 2 <= n_groups_) {
      fire_groups<2>(batch, image, w, group, lif, noise_key);
      group += 2;
    }
    if (group < n_groups_) fire_groups<1>(batch, image, w, group, lif, noise_key);
  }

  template <int G>
  void fire_groups(size_t batch, size_t image, size_t w, size_t group, const Lif& lif,
                   const PhiloxKey& noise_key) const {
    if (n_planes_ <= 8)
      fire_fields<G, 8>(batch, image, w, group, lif, noise_key);
    else if (n_planes_ <= 16)
      fire_fields<G, 16>(batch, image, w, group, lif, noise_key);
    else
      fire_fields<G, 32>(batch, image, w, group, lif, noise_key);
  }

  // Steps G groups of neurons through a word of time; a count takes N bits.
  template <int G, int N>
  void fire_fields(size_t batch, size_t image, size_t w, size_t group, const Lif& lif,
                   const PhiloxKey& noise_key) const {
    U counts[G][N];
    F minus_negative[G];
    for (int g = 0; g < G; g++) {
      const uint64_t* total = total_of(image, group + size_t(g));
      for (int p = 0; p < N; p++) counts[g][p] = p < n_planes_ ? load(total + p * kLanes) : set1(0);
      transpose_planes<N>(counts[g]);
      minus_negative[g] = to_double(set1(0) - load(negative_of(image, group + size_t(g))));
    }
    LifGroups<G> groups;
    const size_t at = group * kLanes;
    const LifState state = d_.state.from(batch * d_.n_out + first_ + at);
    groups.load(state, first_ + at, count_ - at, d_.positions, batch % d_.positions);
    const F gain = set1f(d_.gain);
    const U field = set1((uint64_t{1} << N) - 1);
    const uint64_t left = d_.length - 64 * w;
    U spikes[G];
    lif_word(lif, noise_key, groups, 64 * (d_.first_word + w), left < 64 ? int(left) : 64, spikes,
             [&](int g, int k) {
               const U count = (counts[g][k % N] >> (k / N * N)) & field;
               return gain * (to_double(count) + minus_negative[g]);
             });
    groups.store(state, count_ - at);
    uint64_t* out = d_.spikes + (batch * d_.n_out + first_ + at) * words_ + w;
    for (size_t g = 0; g < G; g++)
      store_apart(out + g * kLanes * words_, words_, spikes[g], lanes_of(group + g));
  }

  const DenseLayer& d_;
  size_t first_, count_, words_, n_groups_;
  int n_planes_;
  size_t rows_;
  uint64_t* signs_;
  uint64_t* bits_;
  uint64_t* masks_;
  uint64_t* totals_;
  uint64_t* negatives_;
  Active* active_;
  Across across_;
};

}  // namespace

void dense(const DenseLayer& d, const Part& part) {
  const Lif lif(d.lif);
  const PhiloxKey noise_key(d.noise_key);
  for (size_t row = part.first; row < part.last; row++) {
    const size_t first = row / d.n_parts * d.tile, batch = row % d.n_parts;
    const Tile tile(d, first, std::min(d.tile, d.n_out - first), part.scratch);
    tile.run(d.n_batch * batch / d.n_parts, d.n_batch * (batch + 1) / d.n_parts, part, lif,
             noise_key);
  }
}

}  // namespace sc::SC_LEVEL
