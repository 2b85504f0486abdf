// A dense layer: products are counted for many images at a time while the weight bits of a chunk of
// inputs are in the first-level cache, then the neurons of a tile fire, or the sums of their time
// steps are stored; or, where most inputs are active and the level counts ones fast, across inputs.
// Lanes are neurons.
#include <algorithm>
#include <bit>

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

// Where at least this share of inputs (in sixteenths) is active in a word of 64 steps, counts are
// taken across inputs, if the level has a population count that is worth it. That takes as long as
// the steps there are, so a share of a word needs a share of these inputs.
constexpr size_t kMostlyActive = 6;

// Images up to which only the weight bits that they look at are made.
constexpr size_t kFewImages = 4;

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

// A word of time of a batch of inputs: that of input i of image b is at[b * image + i * input].
struct InputWords {
  const uint64_t* at;
  size_t image, input;

  InputWords from(size_t b) const { return {at + b * image, image, input}; }
};

// Counts the products of a tile of neurons.
class Tile {
 public:
  Tile(const Products& p, size_t first_out, size_t count, uint64_t* scratch)
      : d_(p),
        first_(first_out),
        count_(count),
        words_(words_for(p.length)),
        n_groups_(groups_for(count)),
        n_planes_(planes_for(p.n_in)),
        rows_((p.n_in + kChunk - 1) / kChunk * kChunk + 1),
        signs_(scratch),
        bits_(signs_ + rows_ * kTile),
        masks_(bits_ + rows_ * kTile),
        totals_(masks_ + rows_ / kChunk * kMaskWords * kTile),
        negatives_(totals_ + kDenseImages * size_t(n_planes_) * kTile),
        active_(reinterpret_cast<Active*>(negatives_ + kDenseImages * kTile)),
        across_(p.n_in, scratch + products_scratch(p) - across_scratch(p.n_in)) {}

  size_t first() const { return first_; }
  size_t count() const { return count_; }
  size_t n_groups() const { return n_groups_; }
  int n_planes() const { return n_planes_; }
  size_t lanes_of(size_t group) const { return std::min<size_t>(kLanes, count_ - group * kLanes); }
  const Across& across() const { return across_; }

  // The planes of the counts of a group under an image of the last block, and the number of
  // negative weights, by which the counts are too large.
  template <int N>
  U counts(size_t image, size_t group, U (&planes)[N]) const {
    const uint64_t* total = total_of(image, group);
    for (int p = 0; p < N; p++) planes[p] = p < n_planes_ ? load(total + p * kLanes) : set1(0);
    return load(negative_of(image, group));
  }

  // Counts the products of one word of time after the other. inputs(w, first, last) are those of
  // images; counted(first, n, w) takes the counts of images, and turned(first, n, w) those of n
  // images, at most kLanes, from the Across.
  template <class Inputs, class Counted, class Turned>
  void run(const Part& part, size_t first_batch, size_t last_batch, Inputs&& inputs,
           Counted&& counted, Turned&& turned) const {
    bool signs = false;
    for (size_t w = part.first_word; w < part.last_word; w++) {
      if constexpr (kPopcounts) {
        const size_t n = std::min(last_batch - first_batch, kDenseImages);
        if (n >= kLanes && mostly_active(inputs(w, first_batch, first_batch + n), n, w)) {
          run_across(w, first_batch, last_batch, inputs, turned);
          continue;
        }
      }
      if (!signs) make_signs();
      signs = true;
      if (last_batch - first_batch <= kFewImages && d_.weight_bits == nullptr && !d_.shared)
        make_needed_bits(w, inputs(w, first_batch, last_batch), last_batch - first_batch);
      else
        make_bits(w);
      for (size_t first = first_batch; first < last_batch; first += kDenseImages) {
        const size_t last = std::min(first + kDenseImages, last_batch), n = last - first;
        const InputWords x = inputs(w, first, last);
        std::fill_n(totals_, n * size_t(n_planes_) * n_groups_ * kLanes, 0);
        std::fill_n(negatives_, n * n_groups_ * kLanes, 0);
        for (size_t chunk = 0; chunk * kChunk < d_.n_in; chunk++) count_chunk(chunk, x, n);
        counted(first, n, w);
      }
    }
  }

 private:
  // The strip of a group of neurons in signs_ or bits_: a vector for each input, and a row of zeros
  // at its end.
  uint64_t* strip(uint64_t* of, size_t group) const { return of + group * rows_ * kLanes; }
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

  template <class Inputs, class Turned>
  void run_across(size_t w, size_t first_batch, size_t last_batch, Inputs&& inputs,
                  Turned&& turned) const {
    const PhiloxKey key(d_.weight_key);
    const uint64_t steps = steps_of(w);
    const U needed = set1(steps < 64 ? (uint64_t{1} << steps) - 1 : ~uint64_t{0});
    const bool made = d_.weight_bits != nullptr || d_.shared;
    if (made) make_bits(w);
    for (size_t group = 0; group < n_groups_; group++) {
      const U neuron = set1(first_ + group * kLanes) + iota();
      across_.turn_weights(
          group, int(steps),
          [&](size_t i) {
            if (made) return load(strip(bits_, group) + i * kLanes);
            return bernoulli_bits<4>(key, S{d_.first_word + w}, S{i}, neuron, magnitude(i, group),
                                     needed);
          },
          [&](size_t i) { return code(i, group); });
    }
    for (size_t block = first_batch; block < last_batch; block += kDenseImages) {
      const size_t last = std::min(block + kDenseImages, last_batch);
      const InputWords x = inputs(w, block, last);
      for (size_t first = block; first < last; first += kLanes) {
        const size_t n = std::min<size_t>(last - first, kLanes);
        across_.turn_inputs(x.from(first - block).at, n, x.image, x.input, int(steps));
        turned(first, n, w);
      }
    }
  }
  uint64_t steps_of(size_t w) const { return std::min<uint64_t>(d_.length - 64 * w, 64); }

  void make_bits(size_t w) const {
    if (d_.weight_bits != nullptr) return copy_bits(w);
    const PhiloxKey key(d_.weight_key);
    const S word{d_.first_word + w};
    if (d_.shared) return make_shared_bits(key, word);
    const U needed = set1(last_word_mask(steps_of(w)));
    for (size_t i = 0; i < d_.n_in; i++) {
      for (size_t group = 0; group < n_groups_; group++) {
        const U neuron = set1(first_ + group * kLanes) + iota(), weight = magnitude(i, group);
        store(strip(bits_, group) + i * kLanes,
              steps_of(w) < 64 ? bernoulli_bits<4>(key, word, S{i}, neuron, weight, needed)
                               : bernoulli_word(key, word, S{i}, neuron, weight));
      }
    }
  }

  // Only those that n images look at: bits of active inputs at their spikes.
  void make_needed_bits(size_t w, const InputWords& words, size_t n) const {
    const PhiloxKey key(d_.weight_key);
    const S word{d_.first_word + w};
    for (size_t i = 0; i < d_.n_in; i++) {
      uint64_t needed = 0;
      for (size_t image = 0; image < n; image++) needed |= words.from(image).at[i * words.input];
      for (size_t group = 0; group < n_groups_; group++) {
        U bits = set1(0);
        if (needed != 0) {
          const U neuron = set1(first_ + group * kLanes) + iota();
          bits = bernoulli_bits<kFirstPairs>(key, word, S{i}, neuron, magnitude(i, group),
                                             set1(needed));
        }
        store(strip(bits_, group) + i * kLanes, bits);
      }
    }
  }

  // Magnitudes of the weights of input i, 0 to 2**32.
  U magnitude(size_t i, size_t group) const {
    const U weight = code(i, group), sign = sign_mask(weight);
    return (weight ^ sign) - sign;
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
  void count_chunk(size_t chunk, const InputWords& words, size_t n) const {
    const size_t lists = (n + kSide - 1) / kSide;
    for (size_t list = 0; list < lists; list++)
      find_active(chunk, words, list * kSide, n, active_[list]);
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

  void find_active(size_t chunk, const InputWords& words, size_t image, size_t n,
                   Active& active) const {
    const size_t first = chunk * kChunk, last = std::min(first + kChunk, d_.n_in);
    const uint64_t* x[kSide];
    uint64_t exists[kSide];
    for (size_t m = 0; m < kSide; m++) {
      exists[m] = image + m < n ? ~uint64_t{0} : 0;
      x[m] = words.from(image + m < n ? image + m : image).at;
    }
    size_t count = 0;
    for (size_t word = 0; word < kMaskWords; word++) {
      const size_t from = first + 64 * word, to = std::min(from + 64, last);
      uint64_t mask = 0;
      for (size_t i = from; i < to; i++) {
        uint64_t any = 0;
        for (size_t m = 0; m < kSide; m++) {
          const uint64_t spikes = x[m][i * words.input] & exists[m];
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

  // Whether counting across inputs pays at word w for n images, judged by one in kLanes.
  bool mostly_active(const InputWords& words, size_t n, size_t w) const {
    size_t active = 0, looked_at = 0;
    for (size_t image = 0; image < n; image += kLanes) {
      const uint64_t* x = words.from(image).at;
      for (size_t i = 0; i < d_.n_in; i++) active += x[i * words.input] != 0;
      looked_at += d_.n_in;
    }
    return 16 * 64 * active >= kMostlyActive * steps_of(w) * looked_at;
  }

  const Products& d_;
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

// Fires the neurons of a tile.
class Firing {
 public:
  Firing(const DenseLayer& d, const Tile& tile)
      : d_(d), tile_(tile), words_(words_for(d.of.length)), lif_(d.lif), noise_key_(d.noise_key) {}

  // n images side by side, at most kLanes, counted across inputs.
  void fire_images(size_t batch, size_t n, size_t w) const {
    for (size_t group = 0; group < tile_.n_groups(); group++) {
      const size_t first = tile_.first() + group * kLanes, count = tile_.lanes_of(group);
      const auto at = [&](size_t image) { return (batch + image) * d_.of.n_out + first; };
      LifGroups<kLanes> images;
      for (size_t m = 0; m < kLanes; m++)
        images.load_group(m, d_.state.from(m < n ? at(m) : 0), first, m < n ? count : 0,
                          d_.positions, (batch + m) % d_.positions);
      const F gain = loadf_some(d_.gain + first, count);
      const F minus_negative = to_double(set1(0) - tile_.across().negative(group));
      U counts[kLanes], spikes[kLanes];
      lif_word(lif_, noise_key_, images, step_of(w), steps_of(w), spikes, [&](int m, int k) {
        if (m == 0) tile_.across().count(group, size_t(k), counts);
        return gain * (to_double(counts[m]) + minus_negative);
      });
      for (size_t m = 0; m < n; m++) {
        images.store_group(m, d_.state.from(at(m)), count);
        store_apart(d_.spikes + at(m) * words_ + w, words_, spikes[m], count);
      }
    }
  }

  void fire(size_t batch, size_t image, size_t w) const {
    size_t group = 0;
    for (; group + 4 <= tile_.n_groups(); group += 4) fire_groups<4>(batch, image, w, group);
    if (group + 2 <= tile_.n_groups()) {
      fire_groups<2>(batch, image, w, group);
      group += 2;
    }
    if (group < tile_.n_groups()) fire_groups<1>(batch, image, w, group);
  }

 private:
  uint64_t step_of(size_t w) const { return 64 * (d_.of.first_word + w); }
  int steps_of(size_t w) const { return int(std::min<uint64_t>(d_.of.length - 64 * w, 64)); }

  template <int G>
  void fire_groups(size_t batch, size_t image, size_t w, size_t group) const {
    if (tile_.n_planes() <= 8)
      fire_fields<G, 8>(batch, image, w, group);
    else if (tile_.n_planes() <= 16)
      fire_fields<G, 16>(batch, image, w, group);
    else
      fire_fields<G, 32>(batch, image, w, group);
  }

  // Steps G groups of neurons through a word of time; a count takes N bits.
  template <int G, int N>
  void fire_fields(size_t batch, size_t image, size_t w, size_t group) const {
    const size_t first = tile_.first() + group * kLanes, count = tile_.count() - group * kLanes;
    U counts[G][N];
    F gain[G], minus_negative[G];
    for (size_t g = 0; g < G; g++) {
      const U negative = tile_.counts(image, group + g, counts[g]);
      transpose_planes<N>(counts[g]);
      minus_negative[g] = to_double(set1(0) - negative);
      gain[g] = loadf_some(d_.gain + first + g * kLanes, tile_.lanes_of(group + g));
    }
    LifGroups<G> groups;
    const LifState state = d_.state.from(batch * d_.of.n_out + first);
    groups.load(state, first, count, d_.positions, batch % d_.positions);
    const U field = set1((uint64_t{1} << N) - 1);
    U spikes[G];
    lif_word(lif_, noise_key_, groups, step_of(w), steps_of(w), spikes, [&](int g, int k) {
      const U ones = (counts[g][k % N] >> (k / N * N)) & field;
      return gain[g] * (to_double(ones) + minus_negative[g]);
    });
    groups.store(state, count);
    uint64_t* out = d_.spikes + (batch * d_.of.n_out + first) * words_ + w;
    for (size_t g = 0; g < G; g++)
      store_apart(out + g * kLanes * words_, words_, spikes[g], tile_.lanes_of(group + g));
  }

  const DenseLayer& d_;
  const Tile& tile_;
  size_t words_;
  Lif lif_;
  PhiloxKey noise_key_;
};

// Adds the counts of a tile to the sums of time steps.
class Sums {
 public:
  Sums(const DenseSums& d, const Tile& tile, uint64_t* scratch) : d_(d), tile_(tile), x_(scratch) {}

  // The inputs at word w of time, their bits outside of the block 0.
  InputWords inputs(size_t w, size_t first, size_t last) const {
    const size_t n_in = d_.of.n_in;
    if (d_.places == nullptr) {
      // Bits of a word are those of the inputs if both begin together.
      if (d_.x_bits == d_.bits_per_step && d_.start == 0 && d_.x_start == 0)
        return {d_.x_at(first * n_in) + w, n_in * d_.x_words, d_.x_words};
      read_words(w, d_.x_at(first * n_in), (last - first) * n_in, x_);
      return {x_, n_in, 1};
    }
    uint64_t* image = x_ + kDenseImages * n_in;
    image[d_.n_places] = 0;
    image[d_.n_places + 1] = ones(std::min<uint64_t>(64, d_.of.length - 64 * w));
    for (size_t row = first; row < last; row++) {
      const size_t position = row % d_.positions;
      if (row == first || position == 0)
        read_words(w, d_.x_at(row / d_.positions * d_.n_places), d_.n_places, image);
      const int32_t* places = d_.places + position * n_in;
      uint64_t* out = x_ + (row - first) * n_in;
      for (size_t i = 0; i < n_in; i++) out[i] = image[places[i]];
    }
    return {x_, n_in, 1};
  }

  void add(size_t batch, size_t image, size_t w) const {
    if (tile_.n_planes() <= 8)
      add_fields<8>(batch, image, w);
    else if (tile_.n_planes() <= 16)
      add_fields<16>(batch, image, w);
    else
      add_fields<32>(batch, image, w);
  }

  // Those of n images side by side, at most kLanes, counted across inputs.
  void add_images(size_t batch, size_t n, size_t w) const {
    size_t rows[kLanes];
    for (size_t m = 0; m < n; m++) rows[m] = row_of(batch + m);
    for (size_t group = 0; group < tile_.n_groups(); group++) {
      const U negative = tile_.across().negative(group);
      each_step(w, [&](uint64_t s, bool first, int begin, int end) {
        U sums[kLanes], counts[kLanes];
        for (U& sum : sums) sum = minus(negative, end - begin);
        for (int k = begin; k < end; k++) {
          tile_.across().count(group, size_t(k), counts);
          for (int m = 0; m < kLanes; m++) sums[m] = sums[m] + counts[m];
        }
        for (size_t m = 0; m < n; m++) put(rows[m], s, group, first, sums[m]);
      });
    }
  }

 private:
  void read_words(size_t w, const uint64_t* x, size_t n, uint64_t* out) const {
    const uint64_t begin = std::max<uint64_t>(64 * w, d_.start);
    const uint64_t end = std::min<uint64_t>(64 * w + 64, d_.of.length);
    const bool same = d_.x_bits == d_.bits_per_step;
    if (same && d_.start == 0 && d_.x_start == 0)
      for (size_t i = 0; i < n; i++) out[i] = x[i * d_.x_words + w];
    else
      for (size_t i = 0; i < n; i++, x += d_.x_words)
        out[i] = same ? bits(x, begin, end) : spikes(x, begin, end);
  }

  // 64 bits of a row from any position on, zeros past its ends.
  uint64_t read(const uint64_t* x, int64_t at) const {
    const auto word = [&](int64_t i) {
      return i >= 0 && size_t(i) < d_.x_words ? x[i] : uint64_t{0};
    };
    const int64_t i = at >= 0 ? at / 64 : -((63 - at) / 64);
    const int shift = int(at - 64 * i);
    return shift == 0 ? word(i) : word(i) >> shift | word(i + 1) << (64 - shift);
  }
  static uint64_t ones(uint64_t n) { return n < 64 ? (uint64_t{1} << n) - 1 : ~uint64_t{0}; }

  uint64_t bits(const uint64_t* x, uint64_t begin, uint64_t end) const {
    const uint64_t at = begin - d_.start + d_.x_start;
    return (read(x, int64_t(at)) & ones(end - begin)) << begin % 64;
  }

  // Each spike holds for the bits of its step.
  uint64_t spikes(const uint64_t* x, uint64_t begin, uint64_t end) const {
    const uint64_t s = (begin - d_.start) / d_.bits_per_step, base = begin / 64 * 64;
    const uint64_t last = (end - 1 - d_.start) / d_.bits_per_step;
    uint64_t left = read(x, int64_t(d_.x_start + s)) & ones(last - s + 1), word = 0;
    for (; left != 0; left &= left - 1) {
      const uint64_t from = d_.start + (s + uint64_t(std::countr_zero(left))) * d_.bits_per_step;
      const uint64_t low = std::max(from, begin), high = std::min(from + d_.bits_per_step, end);
      word |= ones(high - low) << (low - base);
    }
    return word;
  }

  // f(step, whether it begins in word w, its bits of the word: the first, the one past the last)
  template <class Step>
  void each_step(size_t w, Step&& f) const {
    const uint64_t base = 64 * w, end = std::min<uint64_t>(base + 64, d_.of.length);
    for (uint64_t bit = std::max(base, d_.start); bit < end;) {
      const uint64_t s = (bit - d_.start) / d_.bits_per_step;
      const uint64_t from = d_.start + s * d_.bits_per_step;
      const uint64_t next = std::min(from + d_.bits_per_step, end);
      f(s, from >= base, int(bit - base), int(next - base));
      bit = next;
    }
  }

  static U minus(U count, int times) { return set1(0) - mul32(count, set1(uint64_t(times))); }

  // Where the sums of a row begin.
  size_t row_of(size_t batch) const {
    if (d_.positions == 1) return batch * d_.steps() * d_.of.n_out;
    const size_t image = batch / d_.positions, position = batch % d_.positions;
    return (image * d_.steps() * d_.positions + position) * d_.of.n_out;
  }

  template <int N>
  void add_fields(size_t batch, size_t image, size_t w) const {
    const size_t row = row_of(batch);
    for (size_t group = 0; group < tile_.n_groups(); group++) {
      U counts[N];
      const U negative = tile_.counts(image, group, counts);
      if (d_.bits_per_step >= kFewSteps) {
        each_step(w, [&](uint64_t s, bool first, int begin, int end) {
          const U mask = set1(ones(uint64_t(end - begin)) << begin);
          U sum = minus(negative, end - begin);
          for (int p = 0; p < tile_.n_planes(); p++) sum = sum + (popcount(counts[p] & mask) << p);
          put(row, s, group, first, sum);
        });
        continue;
      }
      transpose_planes<N>(counts);
      const U field = set1((uint64_t{1} << N) - 1);
      each_step(w, [&](uint64_t s, bool first, int begin, int end) {
        U sum = minus(negative, end - begin);
        for (int k = begin; k < end; k++) sum = sum + ((counts[k % N] >> (k / N * N)) & field);
        put(row, s, group, first, sum);
      });
    }
  }

  void put(size_t row, uint64_t s, size_t group, bool first, U sum) const {
    const size_t count = tile_.lanes_of(group);
    const size_t at = row + s * d_.positions * d_.of.n_out + tile_.first() + group * kLanes;
    if (d_.shorts != nullptr) {
      int16_t* out = d_.shorts + at;
      return shorten_some(out, first ? sum : sum + lengthen_some(out, count), count);
    }
    const F added = to_double(sum);
    if (d_.floats != nullptr) {
      float* out = d_.floats + at;
      return narrow_some(out, first ? added : widen_some(out, count) + added, count);
    }
    double* out = d_.out + at;
    storef_some(out, first ? added : loadf_some(out, count) + added, count);
  }

  // From as many bits per step on the planes are summed by their population counts.
  static constexpr uint64_t kFewSteps = 8;

  const DenseSums& d_;
  const Tile& tile_;
  uint64_t* x_;
};

// Calls f(tile, first and last image) for the rows of a part.
template <class F>
void each_tile(const Products& p, const Part& part, uint64_t* scratch, F&& f) {
  for (size_t row = part.first; row < part.last; row++) {
    const size_t first = row / p.n_parts * p.tile, batch = row % p.n_parts;
    const Tile tile(p, first, std::min(p.tile, p.n_out - first), scratch);
    f(tile, p.n_batch * batch / p.n_parts, p.n_batch * (batch + 1) / p.n_parts);
  }
}

}  // namespace

void dense(const DenseLayer& d, const Part& part) {
  each_tile(d.of, part, part.scratch, [&](const Tile& tile, size_t first, size_t last) {
    const Firing firing(d, tile);
    const size_t words = words_for(d.of.length);
    tile.run(
        part, first, last,
        [&](size_t w, size_t b, size_t) {
          return InputWords{d.of.x + b * d.of.n_in * words + w, d.of.n_in * words, words};
        },
        [&](size_t b, size_t n, size_t w) {
          for (size_t image = 0; image < n; image++) firing.fire(b + image, image, w);
        },
        [&](size_t b, size_t n, size_t w) { firing.fire_images(b, n, w); });
  });
}

void dense_sums(const DenseSums& d, const Part& part) {
  uint64_t* x = part.scratch + products_scratch(d.of);
  each_tile(d.of, part, part.scratch, [&](const Tile& tile, size_t first, size_t last) {
    const Sums sums(d, tile, x);
    tile.run(
        part, first, last, [&](size_t w, size_t b, size_t end) { return sums.inputs(w, b, end); },
        [&](size_t b, size_t n, size_t w) {
          for (size_t image = 0; image < n; image++) sums.add(b + image, image, w);
        },
        [&](size_t b, size_t n, size_t w) { sums.add_images(b, n, w); });
  });
}

void real_sums(const RealSums& r, const Part& part) {
  const size_t words = words_for(r.length), n_out = r.n_out;
  for (size_t b = part.first; b < part.last; b++) {
    for (size_t w = part.first_word; w < part.last_word; w++) {
      const uint64_t first = 64 * w, steps = std::min<uint64_t>(64, r.length - first);
      double* __restrict sums = r.out + (b * r.length + first) * n_out;
      std::fill_n(sums, steps * n_out, 0.0);
      for (size_t i = 0; i < r.n_in; i++) {
        const double* weights = r.weights + i * n_out;
        uint64_t left = r.x[(b * r.n_in + i) * words + w];
        for (; left != 0; left &= left - 1) {
          double* __restrict sum = sums + size_t(std::countr_zero(left)) * n_out;
          for (size_t j = 0; j < n_out; j++) sum[j] += weights[j];
        }
      }
      if (r.bias == nullptr) continue;
      for (uint64_t k = 0; k < steps; k++)
        for (size_t j = 0; j < n_out; j++) sums[k * n_out + j] += r.bias[j];
    }
  }
}

}  // namespace sc::SC_LEVEL
