// A dense layer, from packed spikes to packed spikes. Lanes are output neurons. The weight bits of
// a tile of neurons are made once a block of time and serve the whole batch.
//
// With product x & w, sign mask s (all ones for a negative weight) and n_neg negative weights among
// the inputs added up, positive - negative products = sum of ((x & w) ^ s) - n_neg: one counter
// serves both signs.
#include "counter.hpp"
#include "lif.hpp"

namespace sc::SC_LEVEL {
namespace {

// An input that has a spike in this word, and its row in the tile.
struct Active {
  uint64_t bits;
  uint64_t row;
};

class Tile {
 public:
  Tile(const DenseLayer& d, size_t first_out, size_t count, uint64_t* scratch)
      : d_(d),
        first_(first_out),
        count_(count),
        words_(words_for(d.length)),
        width_((count + kLanes - 1) / kLanes * kLanes),
        signs_(scratch),
        bits_(signs_ + (d.n_in + 1) * width_),
        active_(reinterpret_cast<Active*>(bits_ + (d.n_in + 1) * words_ * width_)) {
    make_weights();
  }

  void run(size_t batch, const Lif& lif, const PhiloxKey& noise_key) const {
    for (size_t w = 0; w < words_; w++) {
      const size_t n_active = find_active(batch, w);
      size_t j = 0;
      for (; j + 4 * kLanes <= width_; j += 4 * kLanes)
        run_groups<4>(batch, w, j, n_active, lif, noise_key);
      if (j + 2 * kLanes <= width_) {
        run_groups<2>(batch, w, j, n_active, lif, noise_key);
        j += 2 * kLanes;
      }
      if (j < width_) run_groups<1>(batch, w, j, n_active, lif, noise_key);
    }
  }

 private:
  // signs_[i][j] and bits_[w][i][j]; row n_in is all zeros and pads the list of active inputs.
  void make_weights() {
    const PhiloxKey key(d_.weight_key);
    for (size_t i = 0; i < d_.n_in; i++) {
      for (size_t j = 0; j < width_; j += kLanes) {
        uint64_t code[kLanes] = {}, stream[kLanes] = {};
        for (size_t l = 0; l < kLanes && j + l < count_; l++) {
          code[l] = uint64_t(d_.weights[(first_ + j + l) * d_.n_in + i]);
          stream[l] = uint64_t(first_ + j + l) << 32 | i;
        }
        const U sign = sign_mask(load(code));
        const U magnitude = (load(code) ^ sign) - sign;
        store(signs_ + i * width_ + j, sign);
        for (size_t w = 0; w < words_; w++) {
          uint64_t* out = bits_ + (w * (d_.n_in + 1) + i) * width_ + j;
          if (d_.weight_bits == nullptr) {
            store(out, bernoulli_word(key, set1(d_.first_word + w), load(stream), magnitude));
            continue;
          }
          for (size_t l = 0; l < kLanes; l++)
            out[l] =
                j + l < count_ ? d_.weight_bits[((first_ + j + l) * d_.n_in + i) * words_ + w] : 0;
        }
      }
    }
    for (size_t j = 0; j < width_; j++) {
      signs_[d_.n_in * width_ + j] = 0;
      for (size_t w = 0; w < words_; w++) bits_[(w * (d_.n_in + 1) + d_.n_in) * width_ + j] = 0;
    }
  }

  size_t find_active(size_t batch, size_t w) const {
    const uint64_t* x = d_.x + batch * d_.n_in * words_ + w;
    size_t n = 0;
    for (size_t i = 0; i < d_.n_in; i++) {
      active_[n] = {x[i * words_], i};
      n += x[i * words_] != 0;
    }
    while (n % 8 != 0) active_[n++] = {0, d_.n_in};
    return n;
  }

  template <int G>
  void run_groups(size_t batch, size_t w, size_t j, size_t n_active, const Lif& lif,
                  const PhiloxKey& noise_key) const {
    const int n_planes = planes_for(n_active);
    U planes[G][kMaxPlanes];
    F minus_negative[G];
    for (int g = 0; g < G; g++)
      minus_negative[g] = count_products(w, j + size_t(g) * kLanes, n_active, n_planes, planes[g]);
    F weight_of_plane[kMaxPlanes];
    for (int p = 0; p < n_planes; p++) weight_of_plane[p] = set1f(double(uint64_t{1} << p));

    LifGroups<G> groups{};
    double* v = d_.v + batch * d_.n_out + first_;
    uint64_t* refractory = d_.refractory + batch * d_.n_out + first_;
    for (int g = 0; g < G; g++) {
      const size_t at = j + size_t(g) * kLanes;
      double lane_v[kLanes] = {};
      uint64_t lane_refractory[kLanes] = {};
      for (size_t l = 0; l < kLanes && at + l < count_; l++) {
        lane_v[l] = v[at + l];
        lane_refractory[l] = refractory[at + l];
      }
      groups.v[g] = loadf(lane_v);
      groups.refractory[g] = load(lane_refractory);
      groups.neuron[g] = set1(first_ + at) + iota();
    }
    const F gain = set1f(d_.gain);
    const uint64_t left = d_.length - 64 * w;
    U spikes[G];
    lif_word(lif, noise_key, groups, 64 * (d_.first_word + w), left < 64 ? int(left) : 64, spikes,
             [&](int g, int k) {
               F count = minus_negative[g];
               for (int p = 0; p < n_planes; p++)
                 count = add_where_bit(count, planes[g][p], k, weight_of_plane[p]);
               return gain * count;
             });
    for (int g = 0; g < G; g++) {
      const size_t at = j + size_t(g) * kLanes;
      double lane_v[kLanes];
      uint64_t lane_refractory[kLanes], lane_spikes[kLanes];
      storef(lane_v, groups.v[g]);
      store(lane_refractory, groups.refractory[g]);
      store(lane_spikes, spikes[g]);
      for (size_t l = 0; l < kLanes && at + l < count_; l++) {
        v[at + l] = lane_v[l];
        refractory[at + l] = lane_refractory[l];
        d_.spikes[(batch * d_.n_out + first_ + at + l) * words_ + w] = lane_spikes[l];
      }
    }
  }

  F count_products(size_t w, size_t j, size_t n_active, int n_planes, U* planes) const {
    const uint64_t* bits = bits_ + w * (d_.n_in + 1) * width_ + j;
    const uint64_t* signs = signs_ + j;
    Counter counter(n_planes);
    U minus_negative = set1(0);
    for (size_t first = 0; first < n_active; first += 8) {
      counter.add8([&](size_t k) {
        const Active& active = active_[first + k];
        const U sign = load(signs + active.row * width_);
        minus_negative = minus_negative + sign;
        return and_xor(set1(active.bits), load(bits + active.row * width_), sign);
      });
    }
    for (int p = 0; p < n_planes; p++) planes[p] = counter.plane(p);
    return to_double(minus_negative);
  }

  const DenseLayer& d_;
  size_t first_, count_, words_, width_;
  uint64_t* signs_;
  uint64_t* bits_;
  Active* active_;
};

}  // namespace

void dense(const DenseLayer& d, size_t first_out, size_t last_out, size_t first_batch,
           size_t last_batch, uint64_t* scratch) {
  const Tile tile(d, first_out, last_out - first_out, scratch);
  const Lif lif(d.lif);
  const PhiloxKey noise_key(d.noise_key);
  for (size_t batch = first_batch; batch < last_batch; batch++) tile.run(batch, lif, noise_key);
}

}  // namespace sc::SC_LEVEL
