// Gradients for training: neurons backwards through time, and the products of packed inputs.
#include <bit>
#include <cmath>
#include <new>

#include "floats.hpp"
#include "kernels.hpp"
#include "lif.hpp"

namespace sc::SC_LEVEL {
namespace {

// Gradients are in single precision, in plain loops over the neurons of a row, which compilers turn
// into vectors; potentials are those of the forward pass, to the last bit.
class Gradients {
 public:
  Gradients(const NeuronGradients& g, uint64_t* scratch)
      : g_(g),
        n_(g.n),
        stride_((g.n + kDenseLanes - 1) / kDenseLanes * kDenseLanes),
        n_lif_(g.n_lif == 1 ? 1 : (g.n + kLanes - 1) / kLanes),
        noise_key_(g.noise_key),
        lifs_(reinterpret_cast<Lif*>(scratch)) {
    for (size_t group = 0; group < n_lif_; group++) {
      new (&lifs_[group]) Lif(g.lif, g.n_lif, group);
      has_noise_ = has_noise_ || lifs_[group].has_noise();
      has_period_ = has_period_ || lifs_[group].has_period();
    }
    auto* next = reinterpret_cast<float*>(scratch + n_lif_ * kLifWords);
    const auto take = [&](size_t rows) {
      float* taken = next;
      next += rows * stride_;
      return taken;
    };
    for (float** p : {&leak_, &moves_, &rest_, &syn_keeps_, &width_, &height_, &stops_, &gain_,
                      &of_v_, &of_i_, &own_, &total_})
      *p = take(1);
    sums_ = take(kSums);
    over_ = take(g.steps);
    is_general_ = has_period_ || g.weights != nullptr || g.of_parameters != nullptr;
    for (size_t j = 0; j < g.n_lif; j++) is_general_ = is_general_ || g.lif[j].syn_leak != 0;
    if (is_general_) awake_ = take(g.steps);
    if (g.of_parameters != nullptr) {
      before_ = take(g.steps);
      synaptic_ = take(g.steps);
    }
    for (size_t j = 0; j < n_; j++) {
      const LifParameters& c = g.lif[g.n_lif == 1 ? 0 : j];
      const double wide = g.surrogate * (c.v_threshold - c.v_reset);
      const bool fires = std::isfinite(wide);
      leak_[j] = float(c.leak);
      moves_[j] = float(c.gain);
      rest_[j] = float(c.v_rest);
      syn_keeps_[j] = c.syn_leak != 0 ? float(1 - c.syn_leak) : 0.0f;
      width_[j] = fires ? float(wide) : 1.0f;
      height_[j] = fires ? float(wide) : 0.0f;
      stops_[j] = c.subtracts ? 0.0f : 1.0f;
      gain_[j] = float(g.gain[j]);
    }
  }

  void run(size_t row) const {
    size_t j = 0;
    if (n_lif_ == 1)
      for (; j + 4 * kLanes <= n_; j += 4 * kLanes) forward<4>(row, j);
    for (; j < n_; j += kLanes) forward<1>(row, j);
    std::copy_n(g_.of_potentials + row * n_, n_, of_v_);
    std::fill_n(of_i_, n_, 0.0f);
    std::fill_n(own_, n_, 0.0f);
    std::fill_n(sums_, kSums * stride_, 0.0f);
    std::fill_n(total_, n_, 0.0f);
    // Neurons that receive no spikes of each other go back block by block.
    const size_t block = g_.weights == nullptr ? kBlock : n_;
    for (size_t first = 0; first < n_; first += block) {
      const size_t last = std::min(first + block, n_);
      for (uint64_t t = g_.steps; t-- > 0;) {
        if (g_.weights != nullptr && t + 1 < g_.steps) add_own(row, t + 1);
        if (g_.of_parameters != nullptr)
          back<Step::kParameters>(row, t, first, last);
        else if (is_general_)
          back<Step::kGeneral>(row, t, first, last);
        else
          back<Step::kPlain>(row, t, first, last);
      }
    }
    if (g_.totals) std::copy_n(total_, n_, g_.of_drive + row * n_);
    std::copy_n(sums_, n_, g_.of_gain + row * n_);
    if (g_.of_parameters != nullptr)
      for (size_t k = 1; k < kSums; k++)
        std::copy_n(sums_ + k * stride_, n_, g_.of_parameters + (row * (kSums - 1) + k - 1) * n_);
  }

 private:
  static constexpr size_t kSums = 4;     // of the gain and three parameters
  static constexpr size_t kBlock = 256;  // neurons whose arrays fit the first-level cache

  size_t at(size_t row, uint64_t t) const { return (row * g_.steps + t) * n_; }

  // Runs G groups of neurons, and records x - v_threshold, and of each step the potential and the
  // current before it, and whether the neurons are awake.
  template <int G>
  void forward(size_t row, size_t j) const {
    if (has_noise_)
      forward<G, true>(row, j);
    else
      forward<G, false>(row, j);
  }
  template <int G, bool kNoise>
  void forward(size_t row, size_t j) const {
    const Lif& lif = lifs_[n_lif_ == 1 ? 0 : j / kLanes];
    if (lif.is_general() || before_ != nullptr)
      forward<G, kNoise, Form::kGeneral>(lif, row, j);
    else if (has_period_)
      forward<G, kNoise, Form::kResting>(lif, row, j);
    else
      forward<G, kNoise, Form::kPlain>(lif, row, j);
  }
  template <int G, bool kNoise, Form kForm>
  void forward(const Lif& lif, size_t row, size_t j) const {
    const U start = set1(uint64_t{1} << 63);
    F v[G], i[G], gain[G], threshold[G];
    U wakes[G];
    NoiseLanes lanes[G];
    alignas(64) float noise[G][4][kLanes];
    for (size_t g = 0; g < G; g++) {
      const size_t first = j + g * kLanes;
      i[g] = set1f(0);
      gain[g] = loadf_some(g_.gain + first, n_ - first);
      wakes[g] = start;
      lif.start(v[g], threshold[g]);
      if constexpr (kNoise) {
        uint64_t numbers[kLanes];
        for (size_t lane = 0; lane < kLanes; lane++) numbers[lane] = g_.noise_of(row, first + lane);
        lanes[g] = {noise_key_, load(numbers)};
      }
    }
    for (uint64_t t = 0; t < g_.steps; t++) {
      if (kNoise && t % 4 == 0) normal_block<G>(noise_key_, lanes, t / 4, noise);
      const U next = start + set1(t + 1);
#pragma GCC unroll 4
      for (size_t g = 0; g < G; g++) {
        const size_t first = j + g * kLanes, to = t * stride_ + first;
        const F z = kNoise ? widen(noise[g][t % 4]) : F{};
        const F sum = g_.shorts != nullptr
                          ? to_double(lengthen_some(g_.shorts + at(row, t) + first, n_ - first))
                          : widen_some(g_.drive + at(row, t) + first, n_ - first);
        const F current = gain[g] * sum;
        if (before_ != nullptr) {
          narrow(before_ + to, v[g]);
          narrow(synaptic_ + to, i[g]);
        }
        if (awake_ != nullptr)
          narrow(awake_ + to, select(less(wakes[g], next), set1f(1), set1f(0)));
        F x;
        const Drive drive = kForm == Form::kGeneral ? Drive{current} : lif.drive(current);
        lif.step<kNoise, kForm>(v[g], wakes[g], i[g], next, drive, z, &x);
        narrow(over_ + to, x - threshold[g]);
      }
    }
  }

  // own_ = the gradients of the spikes of the step before t, by the drive at t.
  void add_own(size_t row, uint64_t t) const {
    const float* of_drive = g_.of_drive + at(row, t);
    const float* weights = g_.weights + (g_.weight_steps == 1 ? 0 : t) * n_ * n_;
    std::fill_n(own_, n_, 0.0f);
    for (size_t k = 0; k < n_; k++, weights += n_)
      for (size_t j = 0; j < n_; j++) own_[j] += of_drive[k] * weights[j];
  }

  // What a step back has to look at.
  enum class Step {
    kPlain,       // neurons without any of the following
    kGeneral,     // or with synaptic currents, rest after spikes, spikes of each other
    kParameters,  // or with gradients of parameters
  };

  // One step back of some neurons.
  template <Step kStep>
  void back(uint64_t row, uint64_t t, size_t first, size_t last) const {
    if (g_.shorts != nullptr)
      back<kStep>(row, t, first, last, g_.shorts + at(row, t));
    else
      back<kStep>(row, t, first, last, g_.drive + at(row, t));
  }
  template <Step kStep, class Sum>
  void back(size_t row, uint64_t t, size_t first, size_t last, const Sum* drive) const {
    if (g_.totals) return back<kStep, true>(row, t, first, last, drive, total_);
    back<kStep, false>(row, t, first, last, drive, g_.of_drive + at(row, t));
  }
  template <Step kStep, bool kTotals, class Sum>
  void back(size_t row, uint64_t t, size_t first, size_t last, const Sum* drive,
            float* of_drive) const {
    constexpr bool kGeneral = kStep != Step::kPlain, kParameters = kStep == Step::kParameters;
    const float* spikes =
        g_.of_spikes + (row * g_.spike_steps + (g_.spike_steps == 1 ? 0 : t)) * n_;
    const size_t now = t * stride_;
    const float *over = over_ + now, *awakes = awake_ + (kGeneral ? now : 0);
    const float* before = before_ + (kParameters ? now : 0);
    const float* synaptic = synaptic_ + (kParameters ? now : 0);
    float *sum_gain = sums_, *sum_leak = sum_gain + stride_;
    float *sum_syn_leak = sum_leak + stride_, *sum_threshold = sum_syn_leak + stride_;
    // None of the arrays overlap.
#pragma GCC ivdep
    for (size_t j = first; j < last; j++) {
      const float awake = kGeneral ? awakes[j] : 1.0f;
      const float distance = width_[j] + std::fabs(over[j]);
      const float slope = awake * height_[j] / (distance * distance);
      const float by_spike = (kGeneral ? spikes[j] + own_[j] : spikes[j]) * slope;
      // A spike that sets the potential stops its gradient.
      const float left = over[j] >= 0.0f ? 1.0f - awake * stops_[j] : 1.0f;
      const float of_x = left * of_v_[j] + by_spike;
      const float moved = of_x * awake;
      float of_current = moved * moves_[j];
      if constexpr (kGeneral) of_i_[j] = of_current = of_current + of_i_[j] * syn_keeps_[j];
      of_drive[j] = (kTotals ? of_drive[j] : 0.0f) + of_current * gain_[j];
      sum_gain[j] += of_current * float(drive[j]);
      if constexpr (kParameters) {
        sum_leak[j] -= moved * (before[j] - rest_[j]);
        sum_syn_leak[j] -= of_current * synaptic[j];
        sum_threshold[j] -= by_spike;
      }
      of_v_[j] = of_x - moved * leak_[j];
    }
  }

  const NeuronGradients& g_;
  size_t n_, stride_, n_lif_;
  PhiloxKey noise_key_;
  bool has_noise_ = false, has_period_ = false, is_general_ = false;
  Lif* lifs_;
  float *leak_, *moves_, *rest_, *syn_keeps_, *width_, *height_, *stops_, *gain_;
  float *of_v_, *of_i_, *own_, *total_;
  float *sums_, *over_, *awake_ = nullptr, *before_ = nullptr, *synaptic_ = nullptr;
};

// Sums of rows for any four bits: table[16 * q + bits] for bits 4 * q to 4 * q + 3 of a word of
// n_bits. row(bit) is the row of a bit, of which there are `here` columns; the others are zero.
template <size_t kColumns, class Row>
inline void make_table(float* table, uint64_t n_bits, size_t here, Row&& row) {
  for (uint64_t first = 0; first < n_bits; first += 4, table += 16 * kColumns) {
    std::fill_n(table, kColumns, 0.0f);
    const uint64_t last = std::min<uint64_t>(n_bits - first, 4);
    for (uint64_t bit = 0; bit < last; bit++) {
      const float* added = row(first + bit);
      float* one = table + (size_t{1} << bit) * kColumns;
      std::copy_n(added, here, one);
      std::fill_n(one + here, kColumns - here, 0.0f);
      for (size_t below = 1; below < size_t{1} << bit; below++) {
        const float* __restrict without = table + below * kColumns;
        float* __restrict with = one + below * kColumns;
        for (size_t n = 0; n < kColumns; n++) with[n] = without[n] + one[n];
      }
    }
  }
}

}  // namespace

void neuron_gradients(const NeuronGradients& g, const Part& part) {
  const Gradients gradients(g, part.scratch);
  for (size_t row = part.first; row < part.last; row++) gradients.run(row);
}

namespace {

// A word of time of packed inputs in a row.
class InputWords {
 public:
  InputWords() = default;
  InputWords(const ProductGradients& g, size_t b, size_t w, uint64_t all)
      : words_(words_for(g.steps * g.x_bits)), n_places_(g.n_places), all_(all) {
    const bool whole = g.places == nullptr;
    x_ = g.x + (whole ? b * g.n_in : b / g.positions * g.n_places) * words_ + w;
    places_ = whole ? nullptr : g.places + b % g.positions * g.n_in;
  }

  uint64_t operator[](size_t i) const {
    const size_t at = places_ == nullptr ? i : size_t(places_[i]);
    if (places_ == nullptr || at < n_places_) return x_[at * words_] & all_;
    return at == n_places_ ? 0 : all_;
  }

 private:
  const uint64_t* x_;
  const int32_t* places_;
  size_t words_, n_places_;
  uint64_t all_;
};

// Adds the products of an input of a row. On narrow levels sums of more columns do not stay in
// registers.
template <size_t kColumns>
void add_row(float* sums, uint64_t word, const float* table) {
  float sum[kColumns];
  std::copy_n(sums, kColumns, sum);
  for (; word != 0; word >>= 4, table += 16 * kColumns) {
    const float* added = table + word % 16 * kColumns;
    for (size_t n = 0; n < kColumns; n++) sum[n] += added[n];
  }
  std::copy_n(sum, kColumns, sums);
}

// Adds the products of the inputs [first, last) at a word of time, of kRows rows of packed inputs
// under one look at the sums.
template <size_t kColumns, size_t kRows>
void add_products(const ProductGradients& g, size_t first, size_t last, size_t b, size_t w,
                  size_t n, float* sums, size_t columns, float* table) {
  const uint64_t n_bits = std::min<uint64_t>(g.steps * g.x_bits - 64 * w, 64);
  const size_t quads = (n_bits + 3) / 4, size = quads * 16 * kColumns;
  InputWords x[kRows];
  for (size_t r = 0; r < kRows; r++) {
    const size_t row = b + r, image = row / g.positions;
    x[r] = InputWords(g, row, w, last_word_mask(n_bits));
    const float* drive = g.of_drive + (image * g.steps * g.positions + row % g.positions) * g.n + n;
    make_table<kColumns>(table + r * size, n_bits, std::min(g.n - n, kColumns), [&](uint64_t bit) {
      const uint64_t at = 64 * w + bit;
      return drive + (g.x_bits == 1 ? at : at / g.x_bits) * g.positions * g.n;
    });
  }
  // Inputs with a spike are listed first: whether one has cannot be predicted.
  constexpr size_t kListed = 64;
  size_t at[kListed];
  uint64_t words[kListed][kRows];
  for (size_t begin = first; begin < last; begin += kListed) {
    size_t active = 0;
    for (size_t i = begin; i < std::min(begin + kListed, last); i++) {
      uint64_t any = 0;
      for (size_t r = 0; r < kRows; r++) any |= words[active][r] = x[r][i];
      at[active] = (i - first) * columns + n;
      active += any != 0;
    }
    if constexpr (kLanes < 8) {
      for (size_t k = 0; k < active; k++)
        for (size_t r = 0; r < kRows; r++)
          add_row<kColumns>(sums + at[k], words[k][r], table + r * size);
    } else {
      for (size_t k = 0; k < active; k++) {
        Floats sum[kColumns / kFloats];
        for (size_t v = 0; v < kColumns / kFloats; v++)
          sum[v] = load_floats(sums + at[k] + v * kFloats);
        for (size_t r = 0; r < kRows; r++) {
          const float* quad = table + r * size;
          for (uint64_t word = words[k][r], left = quads; left > 0; left--, word >>= 4) {
            const float* added = quad + word % 16 * kColumns;
            for (size_t v = 0; v < kColumns / kFloats; v++)
              sum[v] += load_floats(added + v * kFloats);
            quad += 16 * kColumns;
          }
        }
        for (size_t v = 0; v < kColumns / kFloats; v++)
          store_floats(sums + at[k] + v * kFloats, sum[v]);
      }
    }
  }
}

// The same for all columns.
template <size_t kRows>
void add_products(const ProductGradients& g, size_t first, size_t last, size_t b, size_t w,
                  float* sums, size_t columns, float* table) {
  constexpr size_t kWide = kGradientColumns, kNarrow = 16;
  size_t n = 0;
  for (; n + kWide <= columns; n += kWide)
    add_products<kWide, kRows>(g, first, last, b, w, n, sums, columns, table);
  for (; n + 2 * kNarrow <= columns; n += 2 * kNarrow)
    add_products<2 * kNarrow, kRows>(g, first, last, b, w, n, sums, columns, table);
  for (; n < columns; n += kNarrow)
    add_products<kNarrow, kRows>(g, first, last, b, w, n, sums, columns, table);
}

}  // namespace

void product_gradients(const ProductGradients& g, const Part& part) {
  constexpr size_t kNarrow = 16;
  const size_t columns = (g.n + kNarrow - 1) / kNarrow * kNarrow;
  const size_t words = words_for(g.steps * g.x_bits), inputs = gradient_inputs(columns);
  const bool short_words = gradient_tables(g) == 2;
  auto* sums = reinterpret_cast<float*>(part.scratch);
  float* table = sums + inputs * columns;
  for (size_t first = part.first; first < part.last; first += inputs) {
    const size_t last = std::min(first + inputs, part.last);
    std::fill_n(sums, inputs * columns, 0.0f);
    size_t b = 0;
    if (short_words)
      for (; b + 2 <= g.n_batch; b += 2)
        add_products<2>(g, first, last, b, 0, sums, columns, table);
    for (; b < g.n_batch; b++)
      for (size_t w = 0; w < words; w++)
        add_products<1>(g, first, last, b, w, sums, columns, table);
    for (size_t i = first; i < last; i++)
      std::copy_n(sums + (i - first) * columns, g.n, g.out + i * g.n);
  }
}

namespace {

template <class Real>
void codes_of(const Real* weights, const Codes& c, const Part& part) {
  constexpr size_t kRows = 16, kInputs = 32;
  int64_t block[kRows][kInputs];
  for (size_t first = part.first; first < part.last; first += kInputs) {
    const size_t inputs = std::min(kInputs, part.last - first);
    for (size_t n = 0; n < c.n; n += kRows) {
      const size_t rows = std::min(kRows, c.n - n);
      for (size_t j = 0; j < rows; j++) {
        const Real* row = weights + (n + j) * c.n_in + first;
        for (size_t i = 0; i < inputs; i++) block[j][i] = code_of(double(row[i]));
      }
      for (size_t i = 0; i < inputs; i++)
        for (size_t j = 0; j < rows; j++) c.out[(first + i) * c.n + n + j] = block[j][i];
    }
  }
}

}  // namespace

void codes(const Codes& c, const Part& part) {
  if (c.floats != nullptr)
    codes_of(c.floats, c, part);
  else
    codes_of(c.doubles, c, part);
}

}  // namespace sc::SC_LEVEL
