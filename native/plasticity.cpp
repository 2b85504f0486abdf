// Layers whose weights change as they run. A step costs what its spikes do: only the weights of
// inputs with a spike are drawn, and only weights of inputs or neurons with one change. An input's
// weight bits are drawn for all of its spikes in a word of time; those that are still to come are
// drawn anew where a weight has changed and bits may change with it. Lanes are neurons, and inputs
// where a neuron learns.
#include <algorithm>
#include <bit>
#include <cmath>
#include <new>

#include "kernels.hpp"
#include "lif.hpp"

namespace sc::SC_LEVEL {
namespace {

// Number that all doubles of [0, 2**32] are whole numbers when added to, as code_of has it.
constexpr double kRound = 0x1.8p52;
constexpr uint64_t kSign = uint64_t{1} << 63;

inline U bits_of(F a) {
  double lanes[kLanes];
  storef(lanes, a);
  return load(reinterpret_cast<const uint64_t*>(lanes));
}
inline F number_of(U a) {
  uint64_t lanes[kLanes];
  store(lanes, a);
  return loadf(reinterpret_cast<const double*>(lanes));
}
// code_of of every lane.
inline U codes_of(F p) {
  return bits_of(p * set1f(0x1p32) + set1f(kRound)) - set1(std::bit_cast<uint64_t>(kRound));
}
inline uint64_t ones(uint64_t n) { return n < 64 ? (uint64_t{1} << n) - 1 : ~uint64_t{0}; }
inline bool any(U a) { return any_both(a, a); }

// Slice pairs that are compared with all weights of a row, before one looks which lanes are
// decided.
constexpr int kFirst = 2;
// Digits of a threshold: while they stay, a bit that they have decided does.
constexpr int kDigits = 8;
inline U first_digits(U threshold) { return threshold >> (32 - kDigits); }

class Plastic {
 public:
  Plastic(const PlasticLayer& l, const Part& part)
      : l_(l),
        r_(l.rule),
        n_(l.n),
        padded_((l.n + kDenseLanes - 1) / kDenseLanes * kDenseLanes),
        x_words_(words_for(l.n_in)),
        weight_key_(l.weight_key),
        noise_key_(l.noise_key),
        down_key_(l.move_keys[0]),
        up_key_(l.move_keys[1]),
        low_(r_.keeps_sign ? 0 : -r_.w_max) {
    double* at = l.state;
    const auto take = [&](size_t n) {
      double* taken = at;
      at += n;
      return taken;
    };
    v_ = take(n_);
    refractory_ = reinterpret_cast<uint64_t*>(take(n_));
    i_ = take(n_);
    before_ = reinterpret_cast<uint64_t*>(take(words_for(n_)));
    x_ = take(l.n_in);
    x2_ = take(l.n_in);
    y_ = take(n_);
    y2_ = take(n_);
    theta_ = take(n_);
    average_ = take(n_);
    w_ = take(l.n_in * n_);
    eligibility_ = r_.keep_eligibility != 0 ? take(l.n_in * n_) : nullptr;

    const size_t groups = l.n_lif == 1 ? 1 : (n_ + kLanes - 1) / kLanes;
    lifs_ = reinterpret_cast<Lif*>(part.scratch);
    for (size_t group = 0; group < groups; group++) {
      new (&lifs_[group]) Lif(l.lif, l.n_lif, group);
      has_noise_ = has_noise_ || lifs_[group].has_noise();
    }
    drawn_ = part.scratch + (l.n_lif == 1 ? 1 : padded_) * kLifWords;
    counts_ = drawn_ + padded_ * plastic_rows(l);
    noise_ = reinterpret_cast<float*>(counts_ + padded_);
    active_ = counts_ + 3 * padded_;
    needed_ = active_ + 64 * x_words_;
    is_drawn_ = needed_ + l.n_in + kDenseLanes;
    fired_ = is_drawn_ + l.n_in + kDenseLanes;
    traced_ = fired_ + words_for(n_);
    open_ = reinterpret_cast<uint8_t*>(traced_ + words_for(n_));
  }

  void run(size_t first_word, size_t last_word) {
    for (size_t w = first_word; w < last_word; w++) {
      const size_t words = words_for(l_.steps);
      for (size_t j = 0; j < n_; j++) l_.spikes[j * words + w] = 0;
      const uint64_t end = std::min<uint64_t>(64 * w + 64, l_.steps);
      for (uint64_t s = 64 * w; s < end;) {
        // Steps in one word of x and one word of absolute time.
        const uint64_t bit = l_.x_start + s, t = l_.first + s;
        const uint64_t n = std::min(end - s, std::min(64 - bit % 64, 64 - t % 64));
        find_active(bit, t % 64, n);
        for (uint64_t k = 0; k < n; k++) step(s + k, s == 64 * first_word && k == 0);
        s += n;
      }
    }
  }

 private:
  template <class Each>
  void each_group(Each&& each) const {
    for (size_t j = 0; j < n_; j += kLanes) each(j, std::min<size_t>(kLanes, n_ - j));
  }
  template <class Each>
  static void each_one(const uint64_t* bits, size_t words, Each&& each) {
    for (size_t word = 0; word < words; word++)
      for (uint64_t left = bits[word]; left != 0; left &= left - 1)
        each(64 * word + size_t(std::countr_zero(left)));
  }
  const Lif& lif_of(size_t j) const { return lifs_[l_.n_lif == 1 ? 0 : j / kLanes]; }

  // needed_[i]: steps of the word of time in which input i has a spike, from x bit `bit` on;
  // active_[k]: the inputs with a spike at bit k.
  void find_active(uint64_t bit, uint64_t start, uint64_t n) {
    std::fill_n(active_, 64 * x_words_, 0);
    std::fill_n(is_drawn_, l_.n_in, 0);
    const uint64_t* x = l_.x + bit / 64;
    for (size_t i = 0; i < l_.n_in; i++, x += l_.x_words) {
      const uint64_t word = (*x >> bit % 64 & ones(n)) << start;
      needed_[i] = word;
      for (uint64_t left = word; left != 0; left &= left - 1)
        active_[size_t(std::countr_zero(left)) * x_words_ + i / 64] |= uint64_t{1} << i % 64;
    }
    bias_is_drawn_ = false;
    bias_needed_ = ones(n) << start;
  }

  U neurons(size_t j) const { return l_.shared ? set1(0) : set1(j) + iota(); }
  F magnitude(F w) const { return r_.keeps_sign ? abs(w) : w; }
  F signed_as(F m, F w) const {
    if (!l_.has_signs || !r_.keeps_sign) return m;
    return number_of(bits_of(m) | (bits_of(w) & set1(kSign)));
  }

  // Lanes from here and there whose comparisons have begun. They go on side by side.
  template <class Draw>
  class Together {
   public:
    explicit Together(Draw draw) : draw_(draw) {}
    // Some lanes, with the number of each, below 2**32: where digits are, these bits are 0.
    void add(unsigned lanes, U at, const Comparator& comparator) {
      const U parts[kParts] = {comparator.digits() | at, comparator.held(), comparator.equal()};
      for (int part = 0; part < kParts; part++) store_lanes(parts_[part] + n_, lanes, parts[part]);
      n_ += size_t(std::popcount(lanes));
      if (n_ > kMany - kLanes) draw(n_ / kLanes * kLanes);
    }
    void finish() {
      // Lanes past the last have thresholds without digits, which are decided.
      for (auto& part : parts_) store(part + n_, set1(0));
      draw(n_);
    }

   private:
    static constexpr size_t kMany = 16 * kLanes;
    static constexpr int kParts = 3;
    void draw(size_t n) {
      for (size_t k = 0; k < n; k += kLanes) {
        const U first = load(parts_[0] + k), at = first & set1(0xFFFFFFFF);
        draw_(at, std::min<size_t>(kLanes, n - k),
              Comparator(first - at, load(parts_[1] + k), load(parts_[2] + k)));
      }
      for (auto& part : parts_) std::copy_n(part + n, n_ - n, part);
      n_ -= n;
    }

    Draw draw_;
    size_t n_ = 0;
    uint64_t parts_[kParts][kMany + kLanes];
  };
  static void store_at(uint64_t* out, size_t stride, const uint64_t* places, U a, size_t count) {
    uint64_t lanes[kLanes];
    store(lanes, a);
    for (size_t k = 0; k < count; k++) out[places[k] * stride] = lanes[k];
  }
  // Compares further digits, from slice pair m on, until the needed bits are decided.
  template <class Blocks>
  static U decided(const Blocks& blocks, int m, Comparator comparator, U needed) {
    for (; m < 16 && comparator.undecided(needed); m += 2) {
      U next[2][2];
      blocks.slices(m, next);  // a pair past the last meets no digit that is set
      for (const auto& pair : next)
        for (const U slice : pair) comparator.step(slice);
    }
    return comparator.less();
  }
  // Draws the bits of a row for neurons that are added, of which kFirstPairs pairs were compared.
  auto rest_of_row(uint64_t t, size_t row, uint64_t needed, uint8_t* open) const {
    return Together([=, this](U at, size_t count, Comparator comparator) {
      const U neuron = l_.shared ? set1(0) : at, all_needed = set1(needed);
      const Blocks blocks(weight_key_, S{t / 64}, S{row}, neuron);
      U next[kDigits / 2 - kFirst][2];
      blocks.slices(kFirst, next);
      for (const auto& pair : next)
        for (const U slice : pair) comparator.step(slice);
      uint64_t places[kLanes];
      store(places, at);
      if (open != nullptr) {
        unsigned lanes = comparator.open_lanes(all_needed);
        for (; lanes != 0; lanes &= lanes - 1) {
          const size_t j = places[std::countr_zero(lanes)];
          open[j / kLanes] |= uint8_t(1 << j % kLanes);
        }
      }
      const U word = decided(blocks, kDigits / 2, comparator, all_needed);
      store_at(drawn_ + row * padded_, 1, places, word, count);
    });
  }
  // Draws the bits of a row once more, for neurons that are added.
  auto drawing_of_row(uint64_t t, size_t row, uint64_t needed) const {
    return Together([=, this](U at, size_t count, const Comparator& comparator) {
      const Blocks blocks(weight_key_, S{t / 64}, S{row}, l_.shared ? set1(0) : at);
      uint64_t places[kLanes];
      store(places, at);
      const U word = decided(blocks, 0, comparator, set1(needed));
      store_at(drawn_ + row * padded_, 1, places, word, count);
    });
  }
  // Draws the bits of a neuron once more that are in `rest`, for inputs that are added.
  auto drawing_of_column(uint64_t t, size_t j, uint64_t rest) const {
    return Together([=, this](U at, size_t count, const Comparator& comparator) {
      const Blocks blocks(weight_key_, S{t / 64}, at, S{l_.shared ? 0 : j});
      uint64_t places[kLanes];
      store(places, at);
      const U word = decided(blocks, 0, comparator, gather(needed_, at) & set1(rest));
      store_at(drawn_ + j, padded_, places, word, count);
    });
  }

  // Draws the needed bits of a row, with the thresholds of a group of neurons from
  // threshold_of(first neuron, count). kFirst pairs of digits decide most lanes; those that are
  // left are drawn together. open[group]: lanes with needed bits that kDigits digits leave open.
  template <class Threshold>
  void draw_row(uint64_t t, size_t row, uint64_t needed, Threshold&& threshold_of,
                uint8_t* open) const {
    uint64_t* out = drawn_ + row * padded_;
    auto left = rest_of_row(t, row, needed, open);
    const U all_needed = set1(needed);
    if (open != nullptr) std::fill_n(open, (n_ + kLanes - 1) / kLanes, uint8_t{0});
    // In a copy of the key, which no store can change, what all groups have in common is made once.
    const PhiloxKey key = weight_key_;
    each_group([&](size_t j, size_t count) {
      Comparator comparator(threshold_of(j, count));
      const Blocks<S, S, U> blocks(key, S{t / 64}, S{row}, neurons(j));
      U first[kFirst][2];
      blocks.slices(0, first);
      for (const auto& pair : first)
        for (const U slice : pair) comparator.step(slice);
      store(out + j, comparator.less());
      left.add(comparator.open_lanes(all_needed), set1(j) + iota(), comparator);
    });
    left.finish();
  }
  void draw_codes(uint64_t t, size_t row, const int64_t* codes, uint64_t needed) const {
    draw_row(
        t, row, needed,
        [&](size_t j, size_t count) {
          const U code = load_some(reinterpret_cast<const uint64_t*>(codes) + j, count);
          const U sign = sign_mask(code);
          return (code ^ sign) - sign;
        },
        nullptr);
  }
  void draw_weights(uint64_t t, size_t i) const {
    const double* w = w_ + i * n_;
    draw_row(
        t, i, needed_[i] & ~ones(t % 64),
        [&](size_t j, size_t count) { return codes_of(abs(loadf_some(w + j, count))); },
        open_ + i * padded_);
    is_drawn_[i] = ~uint64_t{0};
  }

  // Adds bit k of a row to the counts; a weight's sign is that of signs[j].
  template <bool kSigned>
  void add(size_t row, int k, const uint64_t* signs) const {
    const uint64_t* drawn = drawn_ + row * padded_;
    each_group([&](size_t j, size_t count) {
      U bit = (load(drawn + j) >> k) & set1(1);
      if constexpr (kSigned) {
        const U sign = sign_mask(load_some(signs + j, count));
        bit = (bit ^ sign) - sign;
      }
      store(counts_ + j, load(counts_ + j) + bit);
    });
  }

  void count(uint64_t t) {
    std::fill_n(counts_, padded_, 0);
    const int k = int(t % 64);
    each_one(active_ + size_t(k) * x_words_, x_words_, [&](size_t i) {
      if (is_drawn_[i] == 0) draw_weights(t, i);
      if (l_.has_signs)
        add<true>(i, k, reinterpret_cast<const uint64_t*>(w_ + i * n_));
      else
        add<false>(i, k, nullptr);
    });
    size_t row = l_.n_in;
    if (l_.bias != nullptr) {
      if (!bias_is_drawn_) draw_codes(t, row, l_.bias, bias_needed_);
      bias_is_drawn_ = true;
      add<true>(row++, k, reinterpret_cast<const uint64_t*>(l_.bias));
    }
    if (l_.recurrent == nullptr) return;
    each_one(before_, words_for(n_), [&](size_t sender) {
      const int64_t* codes = l_.recurrent + sender * n_;
      draw_codes(t, row + sender, codes, uint64_t{1} << k);
      add<true>(row + sender, k, reinterpret_cast<const uint64_t*>(codes));
    });
  }

  // noise_[group][step % 4][lane]
  void make_noise(uint64_t t, bool first) const {
    if (t % 4 != 0 && !first) return;
    each_group([&](size_t j, size_t) {
      const NoiseLanes lanes[1] = {{noise_key_, set1(j) + iota()}};
      float z[1][4][kLanes];
      normal_block<1>(noise_key_, lanes, t / 4, z);
      std::copy_n(&z[0][0][0], 4 * kLanes, noise_ + 4 * j);
    });
  }

  // Steps the neurons; fired_ holds those that fire.
  void fire(uint64_t t) const {
    const U start = set1(kSign), next = start + set1(1);
    size_t n_before = 0;
    if (r_.inhibition != 0)
      for (size_t word = 0; word < words_for(n_); word++)
        n_before += size_t(std::popcount(before_[word]));
    std::fill_n(fired_, words_for(n_), 0);
    each_group([&](size_t j, size_t count) {
      F current = loadf_some(l_.gain + j, count) * to_double(load(counts_ + j));
      if (n_before != 0) {
        // Of the only neuron that has fired, no other has.
        U own = set1(0);
        if (n_before == 1) own = (set1(before_[j / 64]) >> int(j % 64)) & lane_bits();
        current = select(nonzero(own), current, current - set1f(r_.inhibition));
      }
      F v = loadf_some(v_ + j, count), i = loadf_some(i_ + j, count);
      const U refractory = load_some(refractory_ + j, count);
      U wakes = start + refractory;
      const F before = i;
      const Lif& lif = lif_of(j);
      v = select(nonzero(refractory), lif.resting(v), v);
      const auto advance = [&](const Lif& own) {
        if (!has_noise_ && !own.is_general())
          return own.template step<false, Form::kResting>(v, wakes, i, next, own.drive(current),
                                                          F{});
        if (!has_noise_)
          return own.template step<false, Form::kGeneral>(v, wakes, i, next, {current}, F{});
        const F z = widen(noise_ + 4 * j + t % 4 * kLanes);
        return own.template step<true, Form::kGeneral>(v, wakes, i, next, {current}, z);
      };
      const M spike =
          r_.adapts() ? advance(lif.raised(loadf_some(theta_ + j, count))) : advance(lif);
      storef_some(v_ + j, v, count);
      store_some(refractory_ + j, select(less(next, wakes), wakes - next, set1(0)), count);
      if (lif.has_synapse()) storef_some(i_ + j, lif.synaptic(before, i), count);
      uint64_t lanes[kLanes];
      store(lanes, or_where(spike, set1(0), set1(1)));
      for (size_t lane = 0; lane < count; lane++) fired_[j / 64] |= lanes[lane] << (j + lane) % 64;
    });
  }
  static U lane_bits() {
    uint64_t bits[kLanes];
    for (size_t lane = 0; lane < kLanes; lane++) bits[lane] = uint64_t{1} << lane;
    return load(bits);
  }

  static void scale(double* values, size_t n, double factor) {
    for (size_t i = 0; i < n; i++) values[i] *= factor;
  }

  void step(uint64_t s, bool first) {
    const uint64_t t = l_.first + s;
    const int k = int(t % 64);
    if (has_noise_) make_noise(t, first);
    count(t);
    fire(t);
    each_one(fired_, words_for(n_), [&](size_t j) {
      l_.spikes[j * words_for(l_.steps) + s / 64] |= uint64_t{1} << s % 64;
    });
    std::copy_n(fired_, words_for(n_), before_);
    if (r_.learns()) learn(t, k);
    if (eligibility_ != nullptr && l_.rewards != nullptr && l_.rewards[s] != 0)
      reward(l_.rewards[s], k);
    if (r_.period != 0) balance(t);
    if (r_.adapts()) {
      scale(theta_, n_, r_.keep_threshold);
      each_one(fired_, words_for(n_), [&](size_t j) { theta_[j] += r_.threshold_step; });
    }
  }

  void learn(uint64_t t, int k) {
    scale(x_, l_.n_in, r_.keep_plus);
    scale(y_, n_, r_.keep_minus);
    if (r_.triplet) {
      scale(x2_, l_.n_in, r_.keep_x);
      scale(y2_, n_, r_.keep_y);
    }
    if (eligibility_ != nullptr && k == 0) scale(eligibility_, l_.n_in * n_, l_.powers[64]);
    const uint64_t* active = active_ + size_t(k) * x_words_;
    const auto raise = [&](double* trace, size_t at) {
      trace[at] = r_.nearest ? 1.0 : trace[at] + 1.0;
    };
    find_traced();
    if (r_.a_minus != 0 || r_.a3_minus != 0)
      each_one(active, x_words_, [&](size_t i) { depress(t, k, i); });
    each_one(active, x_words_, [&](size_t i) {
      raise(x_, i);
      if (r_.triplet) raise(x2_, i);
    });
    each_one(fired_, words_for(n_), [&](size_t j) { potentiate(t, k, j); });
    each_one(fired_, words_for(n_), [&](size_t j) {
      raise(y_, j);
      if (r_.triplet) raise(y2_, j);
    });
  }

  // What is added to or, if not kUp, taken from a magnitude of a weight.
  template <bool kUp>
  F change(F m, F amount) const {
    if (!r_.soft) return amount;
    return amount * (kUp ? set1f(r_.w_max) - m : m - set1f(low_));
  }
  template <bool kUp>
  F changed(F m, F by) const {
    return clamp(kUp ? m + by : m - by, set1f(low_), set1f(r_.w_max));
  }
  // The same for a rule whose weights move by a level at a time.
  template <bool kUp, class Low, class High>
  F moved(F m, F amount, uint64_t t, Low low, High high) const {
    const F p = clamp(change<kUp>(m, amount), set1f(0), set1f(1));
    const uint64_t bit = uint64_t{1} << t % 64;
    const U moves =
        bernoulli_bits<4>(kUp ? up_key_ : down_key_, S{t / 64}, low, high, codes_of(p), set1(bit)) &
        set1(bit);
    return changed<kUp>(m, select(nonzero(moves), set1f(r_.level), set1f(0)));
  }

  // Groups with a neuron that has left a trace, without which weights stay as they are.
  void find_traced() const {
    std::fill_n(traced_, words_for(n_), 0);
    each_group([&](size_t j, size_t count) {
      if (any(load_some(reinterpret_cast<const uint64_t*>(y_) + j, count)))
        traced_[j / kLanes / 64] |= uint64_t{1} << j / kLanes % 64;
    });
  }
  template <class Each>
  void each_traced(Each&& each) const {
    each_one(traced_, words_for(n_), [&](size_t group) {
      each(group * kLanes, std::min<size_t>(kLanes, n_ - group * kLanes));
    });
  }

  // An input has a spike: its weights fall by the traces of the neurons.
  void depress(uint64_t t, int k, size_t i) {
    const double a = r_.triplet ? r_.a_minus + r_.a3_minus * x2_[i] : r_.a_minus;
    const F factor = set1f(a);
    if (eligibility_ != nullptr) {
      double* e = eligibility_ + i * n_;
      const F inverse = set1f(l_.powers[65 + k]);
      each_traced([&](size_t j, size_t count) {
        const F by = (loadf_some(y_ + j, count) * factor) * inverse;
        storef_some(e + j, loadf_some(e + j, count) - by, count);
      });
      return;
    }
    double* row = w_ + i * n_;
    const uint64_t rest = needed_[i] & ~ones(uint64_t(k) + 1);
    uint8_t* open = open_ + i * padded_;
    auto again = drawing_of_row(t, i, rest);
    each_traced([&](size_t j, size_t count) {
      const F w = loadf_some(row + j, count), m = magnitude(w);
      const F amount = loadf_some(y_ + j, count) * factor;
      const F after = r_.level != 0 ? moved<false>(m, amount, t, S{i}, set1(j) + iota())
                                    : changed<false>(m, change<false>(m, amount));
      storef_some(row + j, signed_as(after, w), count);
      if (rest == 0) return;
      const U threshold = codes_of(abs(after)), change = threshold ^ codes_of(abs(m));
      const unsigned others = nonzero_lanes(first_digits(change));
      const unsigned lanes = others | (nonzero_lanes(change) & open[j / kLanes]);
      if (lanes == 0) return;
      again.add(lanes, set1(j) + iota(), Comparator(threshold));
      open[j / kLanes] |= uint8_t(others);
    });
    again.finish();
  }

  // A neuron fires: its weights rise by the traces of the inputs.
  void potentiate(uint64_t t, int k, size_t j) {
    const F factor = set1f(r_.triplet ? r_.a_plus + r_.a3_plus * y2_[j] : r_.a_plus);
    const F inverse = set1f(eligibility_ == nullptr ? 1.0 : l_.powers[65 + k]);
    const uint64_t rest = ~ones(uint64_t(k) + 1);
    // A sum with 0 leaves all but -0.0 as it is.
    const bool skips = r_.keeps_sign && eligibility_ == nullptr;
    auto again = drawing_of_column(t, j, rest);
    for (size_t i = 0; i < l_.n_in; i += kLanes) {
      const size_t count = std::min<size_t>(kLanes, l_.n_in - i);
      if (skips && !any(load_some(reinterpret_cast<const uint64_t*>(x_) + i, count))) continue;
      const F amount = loadf_some(x_ + i, count) * factor;
      double lanes[kLanes] = {};
      double* column = (eligibility_ != nullptr ? eligibility_ : w_) + i * n_ + j;
      for (size_t lane = 0; lane < count; lane++) lanes[lane] = column[lane * n_];
      const F w = loadf(lanes);
      if (eligibility_ != nullptr) {
        storef(lanes, w + amount * inverse);
        for (size_t lane = 0; lane < count; lane++) column[lane * n_] = lanes[lane];
        continue;
      }
      const F m = magnitude(w);
      const F after = r_.level != 0 ? moved<true>(m, amount, t, set1(i) + iota(), S{j})
                                    : changed<true>(m, change<true>(m, amount));
      storef(lanes, signed_as(after, w));
      for (size_t lane = 0; lane < count; lane++) column[lane * n_] = lanes[lane];
      const unsigned drawn = nonzero_lanes(load_some(needed_ + i, count) &
                                           load_some(is_drawn_ + i, count) & set1(rest));
      if (drawn == 0) continue;
      const U threshold = codes_of(abs(after)), change = threshold ^ codes_of(abs(m));
      unsigned others = nonzero_lanes(first_digits(change)) & drawn, open = 0;
      uint8_t* own = open_ + i * padded_ + j / kLanes;
      const uint8_t bit = uint8_t(1 << j % kLanes);
      for (unsigned left = drawn; left != 0; left &= left - 1) {
        const size_t lane = size_t(std::countr_zero(left));
        uint8_t& of_input = own[lane * padded_];
        if ((of_input & bit) != 0) open |= 1u << lane;
        if ((others >> lane & 1) != 0) of_input |= bit;
      }
      again.add(others | (nonzero_lanes(change) & drawn & open), set1(i) + iota(),
                Comparator(threshold));
    }
    again.finish();
  }

  // Weights are drawn anew when they are next needed.
  void forget_bits() { std::fill_n(is_drawn_, l_.n_in, 0); }

  void reward(double r, int k) {
    if (r_.total != 0) std::fill_n(average_, n_, 1.0);
    const F factor = set1f(r_.learning_rate * r * l_.powers[k]), none = set1f(0);
    for (size_t i = 0; i < l_.n_in; i++) {
      double* row = w_ + i * n_;
      const double* e = eligibility_ + i * n_;
      each_group([&](size_t j, size_t count) {
        const F w = loadf_some(row + j, count), m = magnitude(w);
        const F amount = loadf_some(e + j, count) * factor;
        const F up = changed<true>(m, change<true>(m, amount));
        const F down = changed<false>(m, change<false>(m, none - amount));
        storef_some(row + j, signed_as(select(at_least(amount, none), up, down), w), count);
      });
    }
    forget_bits();
  }

  void balance(uint64_t t) {
    if (r_.averages()) {
      scale(average_, n_, r_.keep_average);
      const double share = 1 - r_.keep_average;
      each_one(fired_, words_for(n_), [&](size_t j) { average_[j] += share; });
    } else {
      // Here 1 marks the neurons whose weights have changed since the last scaling.
      mark_changed(t);
    }
    if ((t + 1) % r_.period != 0) return;
    each_group([&](size_t j, size_t count) {
      double factors[kLanes];
      std::fill_n(factors, kLanes, 1.0);
      bool scales = false;
      if (r_.total != 0) {
        for (size_t lane = 0; lane < count; lane++) scales |= average_[j + lane] != 0;
        if (!scales) return;
        F sum = set1f(0);
        for (size_t i = 0; i < l_.n_in; i++) sum = sum + abs(loadf_some(w_ + i * n_ + j, count));
        double sums[kLanes];
        storef(sums, sum);
        for (size_t lane = 0; lane < count; lane++)
          if (average_[j + lane] != 0 && sums[lane] > 0) factors[lane] = r_.total / sums[lane];
        std::fill_n(average_ + j, count, 0.0);
      } else {
        for (size_t lane = 0; lane < count; lane++)
          factors[lane] = std::max(1 + r_.strength * (r_.goal - average_[j + lane]), 0.0);
      }
      const F factor = loadf(factors), most = set1f(r_.w_max), least = set1f(-r_.w_max);
      for (size_t i = 0; i < l_.n_in; i++) {
        double* w = w_ + i * n_ + j;
        storef_some(w, clamp(loadf_some(w, count) * factor, least, most), count);
      }
    });
    forget_bits();
  }
  // Weights have changed of neurons that have fired, and of those with a trace where an input has.
  void mark_changed(uint64_t t) {
    each_one(fired_, words_for(n_), [&](size_t j) { average_[j] = 1; });
    const uint64_t* active = active_ + t % 64 * x_words_;
    if (std::all_of(active, active + x_words_, [](uint64_t word) { return word == 0; })) return;
    if (!r_.learns()) return;
    each_traced([&](size_t j, size_t count) {
      const M traced = nonzero(load_some(reinterpret_cast<const uint64_t*>(y_) + j, count));
      const F marks = select(traced, set1f(1), loadf_some(average_ + j, count));
      storef_some(average_ + j, marks, count);
    });
  }

  const PlasticLayer& l_;
  const PlasticRule& r_;
  size_t n_, padded_, x_words_;
  PhiloxKey weight_key_, noise_key_, down_key_, up_key_;
  double low_;
  bool has_noise_ = false, bias_is_drawn_ = false;
  double *v_, *i_, *x_, *x2_, *y_, *y2_, *theta_, *average_, *w_, *eligibility_;
  uint64_t *refractory_, *before_;
  Lif* lifs_;
  uint64_t* drawn_;  // [row][padded]: bits of the weights in this word of time
  uint64_t* counts_;
  float* noise_;
  uint64_t *active_, *needed_, *is_drawn_, *fired_, *traced_;
  uint8_t* open_;  // [input][padded]: a group's lanes that the first digits of a number leave open
  uint64_t bias_needed_ = 0;
};

}  // namespace

void plastic(const PlasticLayer& l, const Part& part) {
  if (part.first < part.last) Plastic(l, part).run(part.first_word, part.last_word);
}

}  // namespace sc::SC_LEVEL
