// The kernels and the work that each accepts. A kernel runs a part of its work, so that every split
// over threads and time gives the same bits. It does no I/O, keeps no state and throws nothing.
// CONTRIBUTING.md, "Adding a kernel", lists the files to touch. bind.cpp fills these structs in the
// order of their fields, so new fields go last.
#pragma once
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace sc {

inline size_t words_for(uint64_t length) { return size_t((length + 63) / 64); }
inline uint64_t last_word_mask(uint64_t length) {
  return length % 64 == 0 ? ~uint64_t{0} : (uint64_t{1} << length % 64) - 1;
}

// A part of some work: the rows [first, last) at the words [first_word, last_word) of time. Rows
// are independent; a row's words run in order, and its state is in memory between two parts.
// Scratch memory belongs to the thread.
struct Part {
  size_t first, last;
  size_t first_word, last_word;
  uint64_t* scratch;
};

// round(p * 2**32), ties to even, of a magnitude up to 1: the last bits of a sum that has no room
// for more.
inline int64_t code_of(double p) {
  constexpr double kRound = 0x1.8p52;
  return std::bit_cast<int64_t>(p * 0x1p32 + kRound) - std::bit_cast<int64_t>(kRound);
}

// Philox4x32-10 of counters[s], four words each. A row is a counter.
struct Philox {
  uint64_t key;
  const uint32_t* counters;
  size_t n;
  uint32_t* out;
};

// out[s] = x * below % 2**64 / 2**32, where x is the first word of the counter (0, domain,
// streams[s]) and `below`, at most 2**32, is below[s], or below[0] for all streams. A row is a
// stream.
struct Draw {
  uint64_t key;
  uint32_t domain;
  const uint64_t* streams;
  size_t n;
  const uint64_t* below;
  size_t n_below;
  uint64_t* out;
};

// out[n][s] = normal sample first_step + s of neuron n. A row is a neuron.
struct Normal {
  uint64_t key;
  size_t n_neurons;
  uint64_t first_step, steps;
  double* out;
};

// Where the packed bits of n streams go: out[s][w] = word first_word + w of a stream that is 1
// where its number is below thresholds[s]; bits past length are 0. The kernels that fill them have
// one row per word.
struct Streams {
  size_t n;
  const uint64_t* thresholds;
  uint64_t first_word;
  uint64_t length;
  uint64_t* out;
};

// Independent uniform 32-bit numbers of stream streams[s]. Row r of n_rows has thresholds[r][s] and
// out[r][s] of its own; all rows see the same numbers.
//
// Without streams there is one row, s is row << 32 | lane of a matrix, and its density in [0, 1]
// stands for the threshold.
struct Encode {
  uint64_t key;
  const uint64_t* streams;
  size_t n_rows;
  Streams to;
  const double* densities = nullptr;
  size_t lanes = 0;

  uint64_t stream(size_t s) const {
    return streams != nullptr ? streams[s] : uint64_t{s / lanes} << 32 | s % lanes;
  }
  uint64_t threshold(size_t s) const {
    return densities == nullptr ? to.thresholds[s] : uint64_t(code_of(densities[s]));
  }
};

// Registers whose next bit is the parity of state & feedback, phases[s] steps after state 1, less
// than 2**width - 1; the number is the state less 1. With `zero`, for widths up to 16, state 0
// follows state 1, phases are less than 2**width, and the number is the state.
struct Lfsr {
  int width;
  uint32_t feedback;
  const uint64_t* phases;
  Streams to;
  bool zero;
};

// Numbers shifts[s] ^ the columns[matrices[s]][j] of all j for which bit j of t is 1.
struct Digital {
  const uint32_t* columns;  // [n_matrices][32]
  const uint64_t* matrices;
  const uint32_t* shifts;
  Streams to;
};

// Numbers (offsets[s] + t * steps[s]) % modulus.
struct Additive {
  uint64_t modulus;
  const uint64_t* steps;
  const uint64_t* offsets;
  Streams to;
};

// Numbers floor(2**32 * (the digits of t in bases[s], each plus that of shifts[s], reversed)).
struct Radical {
  const uint64_t* bases;
  const uint64_t* shifts;
  Streams to;
};

// Numbers that are ranks of the uniform numbers of one period.
struct Permutation {
  uint64_t key;
  const uint64_t* streams;
  uint64_t period;
  Streams to;
};

// out[s][k] = uniform 32-bit number first + k of stream streams[s]: those that Encode compares.
struct Uniform {
  uint64_t key;
  const uint64_t* streams;
  size_t n;
  uint64_t first, length;
  uint32_t* out;
};

// out[b][n][t] = ones at time t over the channels of x[b][i][w] & weights[n][i][w]. A row is a
// neuron under kCountsBatch images, the neurons of the first images first.
struct ChannelCounts {
  const uint64_t* x;
  const uint64_t* weights;
  size_t n_batch, n_neurons, n_channels;
  uint64_t length;
  uint32_t* out;
};

// Channels of a chunk, images of a block at most, words of their spikes that stay in the cache;
// words of scratch memory that all takes.
inline constexpr size_t kCountsBatch = 256;
inline constexpr size_t kCountsChunk = 112, kCountsImages = 64, kCountsSpikes = 65536;
inline size_t counts_rows(size_t n_channels) {  // whole chunks, at least one
  return n_channels == 0 ? kCountsChunk
                         : (n_channels + kCountsChunk - 1) / kCountsChunk * kCountsChunk;
}
inline size_t counts_scratch(const ChannelCounts& c) {
  const size_t rows = counts_rows(c.n_channels);
  return 8 * (2 * kCountsChunk + kCountsImages * 2 * 32) +
         (rows * 8 > kCountsSpikes ? rows * 8 : kCountsSpikes);
}

// out[i][j] = ones among x[i] & w[j], rows of n_words. Parts cut the larger of the two.
struct Dot {
  const uint64_t* x;
  const uint64_t* w;
  size_t n_x, n_w, n_words;
  int64_t* out;

  bool cuts_x() const { return n_x > n_w; }
};

// out[r] = ones of the n_words words of row r.
struct Ones {
  const uint64_t* x;
  size_t n_rows, n_words;
  int64_t* out;
};

// The LIF update as the kernels compute it, in this order of operations:
//   i <- (i - i * syn_leak) + I                                i = I where syn_leak is 0
//   v <- ((v - (v - v_rest) * leak) + gain * i) + noise_std * z
// A spike sets v to v_reset or, if `subtracts`, takes v_threshold - v_reset from it.
//
// In fixed point (`fixed`) all of these are integers but the leaks and the gain, a power of two;
// v_rest is 0 and there is no noise:
//   i <- clamp((i - floor(i * syn_leak)) + I)                  i and gain * i: I where syn_leak is
//   0 v <- clamp((v - floor(v * leak)) + floor(gain * i))        clamp(x): min(max(x, v_min),
//   v_max)
struct LifParameters {
  double leak, v_rest, gain, noise_std, v_threshold, v_reset;
  uint64_t refractory_period;
  double syn_leak;
  bool subtracts, fixed;
  double v_min, v_max;
};

// The state of neurons, updated in place. A neuron's i stays as it is where syn_leak is 0.
struct LifState {
  double* v;
  uint64_t* refractory;
  double* i;

  LifState from(size_t n) const { return {v + n, refractory + n, i + n}; }
};

// Independent neurons under given currents. Neuron n sees currents[n * row_stride + (position + k)
// % period] at step k and the noise of (n, first_step + k). Where rows differ, the potential of a
// neuron becomes NaN, and stays so, if one of the currents that it sees is not finite.
struct LifPopulation {
  LifParameters lif;
  uint64_t key;
  size_t n;
  const double* currents;
  size_t row_stride;
  uint64_t period, position;
  uint64_t first_step, steps;
  LifState state;
  uint64_t* spikes;  // [n][words_for(steps)]
};

// Integers of a neuron in fixed point: a single one adds `one`, a step leaks v * leak >>
// leak_shift. With a synaptic current (syn_leak not 0), `one` is added to it, it leaks in the same
// way, and the potential grows by i >> syn_fraction.
struct FixedNeuron {
  int64_t one, leak;
  int leak_shift;
  int64_t syn_leak;
  int syn_leak_shift, syn_fraction;
  int64_t threshold, reset;
  bool subtracts;
  uint64_t refractory_period;
  int64_t v_min, v_max;
};

// Neurons in fixed point under given counts, with what the kernels that fire do not tell: their
// potentials after each step, and how often a sum was below and above the word.
struct FixedTrace {
  const FixedNeuron* neurons;  // those of the first n_neurons rows, which repeat
  size_t n_neurons, n;
  const int32_t* counts;  // [n][steps]
  uint64_t steps;
  int32_t* v;             // [n], updated in place, as are the next
  uint64_t* refractory;   // [n]
  int32_t* i;             // [n]
  uint64_t* saturations;  // [n][2], added to
  int32_t* potentials;    // [n][steps]
  uint64_t* spikes;       // [n][words_for(steps)]
};

// How the dense kernel cuts its work: neurons in a tile at most, a multiple of the lanes of every
// level; inputs in a chunk; images in a block, so that their counts stay in the second-level cache;
// words that the list of the active inputs of one image takes.
inline constexpr size_t kTile = 128, kDenseChunk = 112, kDenseImages = 32;
inline constexpr size_t kDenseLanes = 8;  // of the widest level
inline constexpr size_t kDenseActive = 2 * (kDenseChunk + 8) + 3;

// Products of packed inputs with the bits of sign-magnitude weights, for one block of time. The
// kernels that count them have one row per tile of neurons and part of the batch.
struct Products {
  uint64_t weight_key;
  const uint64_t* x;            // [n_batch][n_in][words]
  const int64_t* weights;       // [n_in][n_out], sign times round(magnitude * 2**32)
  const uint64_t* weight_bits;  // [n_out][n_in][words], or null: Bernoulli, stream out << 32 | in,
  bool shared;                  // or stream `in` for all neurons
  size_t n_batch, n_in, n_out;
  uint64_t first_word, length;  // of the block
  // A row is a tile of that many neurons, at most kTile, under one of the parts of the batch.
  size_t tile = kTile, n_parts = 1;
};

// A dense layer: one bit of each product per time step. Row b is position b % positions of an
// image, whose noise is that of neuron out * positions + position.
struct DenseLayer {
  Products of;
  LifParameters lif;
  uint64_t noise_key;
  const double* gain;  // [n_out]
  uint32_t positions;
  LifState state;    // [n_batch][n_out]
  uint64_t* spikes;  // [n_batch][n_out][words]
};

// Sums of products per time step, with the signs of the weights: out[b][s][n]. Step s consists of
// the bits start + s * bits_per_step and those that follow; `of.length` ends with the last step. An
// input has bits_per_step bits per step too, or one that holds for all of them (x_bits = 1); bit
// x_start of its words, of which there are x_words, is the first of the block.
struct DenseSums {
  Products of;
  uint64_t bits_per_step, start;
  uint64_t x_bits, x_start;
  size_t x_words;
  double* out;  // [n_batch][steps][n_out]
  // The same instead of `out`, or null. Row b is position b % positions of an image:
  float* floats;  // [images][steps][positions][n_out]
  size_t positions = 1;
  int16_t* shorts = nullptr;  // the same in place of `floats`, or null
  // Input i of a position is places[position][i] of the n_places that an image has in x, or zero
  // if that is n_places, or always on if it is n_places + 1; null: x has the inputs of each row.
  const int32_t* places = nullptr;  // [positions][n_in]
  size_t n_places = 0;

  uint64_t steps() const { return (of.length - start) / bits_per_step; }
  const uint64_t* x_at(size_t row) const { return of.x + row * x_words; }
};

// Sums of the real weights of the inputs that have a spike, per time step, added in the order of
// the inputs, and the bias after them. A row is an image.
struct RealSums {
  const uint64_t* x;      // [n_batch][n_in][words]
  const double* weights;  // [n_in][n_out]
  const double* bias;     // [n_out], or null
  size_t n_batch, n_in, n_out;
  uint64_t length;
  double* out;  // [n_batch][length][n_out]
};

// The number of the noise of neuron j of an image: channel j % channels at a position.
inline uint64_t noise_of_image(size_t image, size_t j, size_t n, size_t channels, bool own) {
  return (own ? image * n : 0) + j % channels * (n / channels) + j / channels;
}

// Neurons under the sums of their inputs and, with recurrent weights, of their own spikes of the
// step before:
//   I = gain * (drive + sum of weights[k][j] * bits of weight_bits[j][k] * spike k of before)
// where a weight's bits count with its sign alone; without weight_bits it is a real number. Bit
// start + s * bits_per_step of weight_bits is the first of step s.
struct NeuronLayer {
  const LifParameters* lif;  // [n], or one for all neurons
  size_t n_lif;
  uint64_t noise_key;
  const double* drive;  // [n_batch][drive_steps][n]; a single step stands for all
  uint64_t drive_steps;
  const double* gain;           // [n]
  const double* weights;        // [n][n], a row a sending neuron, or null
  const uint64_t* weight_bits;  // [n][n][words], a row a receiving neuron, or null
  uint64_t bits_per_step, start;
  size_t n_batch, n;
  uint32_t positions;          // as in DenseLayer
  uint64_t first_step, steps;  // of the block
  LifState state;              // [n_batch][n]
  uint64_t* before;            // [n_batch][words_for(n)], updated in place; null without weights
  double* potentials;          // [n_batch][steps][n] after each step, or null
  uint64_t* spikes;            // [n_batch][n][words_for(steps)]
  // For training: the drive, in one of three types and in place of `drive`, to which the sums of
  // own spikes are added.
  float* floats = nullptr;
  double* doubles = nullptr;
  // A row is an image, of which neuron j is channel j % channels at a position; channels = 0 for
  // rows that are positions.
  size_t channels = 0;
  bool own_noise = false;  // whether each image has noise of its own
  int16_t* shorts = nullptr;

  size_t noise_rows(size_t n_rows) const {
    return own_noise || n_rows < positions ? n_rows : positions;
  }
  // The number of the noise of a neuron in a row.
  uint64_t noise_of(size_t row, size_t j) const {
    if (channels == 0) return j * positions + row % positions;
    return noise_of_image(row, j, n, channels, own_noise);
  }
};

// The gradients of neurons whose drive was given or recorded by NeuronLayer, by backpropagation
// through time. The slope of a spike by its potential x is that of a fast sigmoid,
//   width / (width + |x - v_threshold|)**2,  width = surrogate * (v_threshold - v_reset),
// and no gradient passes through a reset.
struct NeuronGradients {
  const LifParameters* lif;  // [n], or one for all neurons
  size_t n_lif;
  uint64_t noise_key;
  bool own_noise;
  size_t channels;  // as in NeuronLayer
  size_t n_batch, n;
  uint64_t steps;
  double surrogate;
  const float* drive;      // [n_batch][steps][n], all sums that entered
  const double* gain;      // [n]
  const float* of_spikes;  // [n_batch][spike_steps][n], the same at all steps if there is one
  uint64_t spike_steps;
  const float* of_potentials;  // [n_batch][n], of those after the last step
  // [weight_steps][n][n], a row a receiving neuron: what a spike adds to the drive of the next
  // step; null without own spikes.
  const float* weights;
  uint64_t weight_steps;
  float* of_drive;        // [n_batch][steps][n], or [n_batch][n] if `totals`
  float* of_gain;         // [n_batch][n], over the steps
  float* of_parameters;   // [n_batch][3][n]: of leak, syn_leak, v_threshold; or null
  const int16_t* shorts;  // the drive in place of `drive`, or null
  bool totals;            // whether of_drive is summed over the steps; not with own spikes

  uint64_t noise_of(size_t row, size_t j) const {
    return noise_of_image(row, j, n, channels, own_noise);
  }
};

// out[i][n] = sum over rows b and steps of of_drive[b][t][n] times the ones of x[b][i] at step t.
// Row b is position b % positions of an image.
struct ProductGradients {
  const float* of_drive;  // [images][steps][positions][n]
  const uint64_t* x;      // [n_batch][n_in][words_for(steps * x_bits)]
  uint64_t x_bits, steps;
  size_t n_batch, n_in, n;
  float* out;  // [n_in][n]
  size_t positions;
  const int32_t* places;  // as DenseSums has them, or null
  size_t n_places;
};

// Gradients of the inputs of a convolution from those of its sums:
//   out[row][pixel][c] = sum over positions, and the taps of their kernels that lie on the pixel,
//   of
//                        of_sums[row][position][n] * weights[row % n_weights][tap][n][c]
// Tap k of a position lies on pixel pixels[position][k], or on none if that is negative. A row is a
// time step of an image.
struct InputGradients {
  const float* of_sums;   // [n_rows][positions][n]
  const float* weights;   // [n_weights][taps][n][columns], columns of channels and zeros
  const int32_t* pixels;  // [positions][taps]
  size_t n_rows, n_weights, positions, taps, n, n_pixels, channels;
  float* out;  // [n_rows][n_pixels][channels]

  size_t columns() const { return (channels + kBlock - 1) / kBlock * kBlock; }
  static constexpr size_t kBlock = 16;
};

// out[i][n] = the weight of input i and neuron n as Products has it, from weights in [-1, 1] in one
// of two types. A row is an input.
struct Codes {
  const float* floats;    // [n][n_in], or null
  const double* doubles;  // the same
  size_t n_in, n;
  int64_t* out;
};

// The weight bits of a dense layer by time step: out[step][group][block][lane] holds those of 64
// inputs from 64 * block on, of neuron kDenseLanes * group + lane, at bit start + step of the
// block. Neither x nor n_batch of the products matter. A row is a group.
struct TurnedWeights {
  Products of;
  uint64_t start, steps;
  uint64_t* out;
};

// A dense layer of a chain. Lanes of neurons are those of TurnedWeights.
struct ChainLayer {
  size_t n_in, n_out;            // inputs with the one that is always on, which is the last
  bool always_on;                // whether there is one
  const uint64_t* weights;       // as TurnedWeights has them
  const uint64_t* signs;         // [groups][blocks][lanes], ones for negative weights
  const double* minus_negative;  // [groups][lanes], how many those are, as negative numbers
  const LifParameters* lif;      // [n_out], or one for all neurons
  size_t n_lif;
  uint64_t noise_key;
  const double* gain;  // [n_out]
  LifState state;      // [n_batch][n_out]
  const double* rest;  // [n_out], potentials to start from, or null: the state has them
  int64_t* ones;       // [n_counted][n_out], spikes are added to those of the first images

  size_t n_groups() const { return (n_out + kDenseLanes - 1) / kDenseLanes; }
  size_t n_blocks() const { return words_for(n_in); }
};

// Dense layers, each of which receives the spikes of the one before, and the first those of
// densities x, for some time steps of a word: few, or of few images. A row is an image.
struct Chain {
  const ChainLayer* layers;
  size_t n_layers, n_batch, n_in;
  uint64_t first, steps;
  const double* x;  // [n_batch][n_in]
  double levels;
  const uint32_t* numbers;  // [n_in][numbers_stride], or null: Bernoulli, stream `in`
  size_t numbers_stride;
  uint64_t input_key;
  size_t n_counted;
  // Bit l is set if layer l fires, the last bit if a density is not in [0, 1].
  std::atomic<uint64_t>* flags;

  size_t padded() const { return (n_in + 63) / 64 * 64; }
};

// Images that a chain runs side by side; words of scratch memory that one call takes.
inline constexpr size_t kChainImages = 8;
inline constexpr int kChainOutside = 63;
inline size_t chain_scratch(const Chain& c) {
  size_t most = 0;
  for (size_t l = 0; l < c.n_layers; l++)
    most = most > c.layers[l].n_blocks() ? most : c.layers[l].n_blocks();
  const size_t numbers = c.numbers == nullptr ? 0 : c.steps;
  const size_t frames = (c.steps * most * kChainImages + 7) / 8 * 8;
  return (numbers + kChainImages) * c.padded() + 2 * frames;
}

// How the weights of a layer change, with m = |w|, or m = w if signs may change; low = 0 or -w_max.
// In a step, traces decay first: x_i <- x_i * keep_plus, x2_i <- x2_i * keep_x for inputs, y_j and
// y2_j with keep_minus and keep_y for neurons. When the neurons have fired, in this order:
//   inputs i with a spike    down(m_ij, y_j * (a_minus + a3_minus * x2_i)) for all j
//                            x_i += 1, x2_i += 1              (= 1 if nearest)
//   neurons j with a spike   up(m_ij, x_i * (a_plus + a3_plus * y2_j)) for all i
//                            y_j += 1, y2_j += 1              (= 1 if nearest)
//   up(m, a): m + a * (w_max - m) if soft, else m + a;  down(m, a): m - a * (m - low), or m - a
// all within [low, w_max]. With `level`, what is added is that with the probability it would have
// been, from the bit of the step of stream j << 32 | i under move_keys. With `keep_eligibility`,
// e_ij takes a and -a in place of m, decays in every step, and a reward r changes the weights after
// it:
//   up(m, learning_rate * r * e), or down(m, -learning_rate * r * e) where that is negative
// Last, at steps t with (t + 1) % period == 0, the m of neuron j are scaled, up to w_max: by
// total / (their sum) if average_j = 1, which marks neurons that since then have fired, or had
// y_j != 0 when an input had a spike, or were rewarded; or by 1 + strength * (goal - average_j), at
// least 0, where in every step
//   average_j <- average_j * keep_average + (1 - keep_average) * spike
// Thresholds are theta_j higher; in every step theta_j <- theta_j * keep_threshold + threshold_step
// * spike. A current is `inhibition` lower if another neuron fired in the step before.
struct PlasticRule {
  double a_plus, a_minus, a3_plus, a3_minus;
  double keep_plus, keep_minus, keep_x, keep_y;
  double w_max;
  bool soft, nearest, keeps_sign, triplet;
  double level;
  double keep_eligibility, learning_rate;
  uint64_t period;
  double total, goal, strength, keep_average;
  double inhibition, threshold_step, keep_threshold;

  bool learns() const { return a_plus != 0 || a_minus != 0 || a3_plus != 0 || a3_minus != 0; }
  bool adapts() const { return threshold_step != 0; }
  bool averages() const { return period != 0 && total == 0; }
};

// A dense layer whose weights change as it runs, on one example. Its state is an array of doubles,
// updated in place: potentials, refractory steps, synaptic currents (each [n]), spikes of the step
// before [words_for(n)], x and x2 [n_in], y, y2, theta, average [n], weights [n_in][n], and, if
// rewarded, eligibility as it was at the last step t with t % 64 == 0 had it decayed since.
struct PlasticLayer {
  PlasticRule rule;
  const LifParameters* lif;  // [n], or one for all neurons
  size_t n_lif;
  uint64_t weight_key, noise_key, move_keys[2];
  const double* gain;  // [n]
  const uint64_t* x;   // [n_in][x_words]; bit x_start is the first
  size_t x_words;
  uint64_t x_start;
  size_t n_in, n;
  const int64_t* bias;       // [n], as Products has weights, or null: of stream n_in
  const int64_t* recurrent;  // [n][n], a row a sending neuron, or null: streams that follow
  bool shared;               // whether all neurons use the numbers of the first
  bool has_signs;            // whether a weight can be negative
  uint64_t first, steps;
  const double* rewards;  // [steps], or null
  const double* powers;   // [65], keep_eligibility to the power of the index, and 65 inverses
  double* state;
  uint64_t* spikes;  // [n][words_for(steps)]
};

inline size_t plastic_rows(const PlasticLayer& p) {
  return p.n_in + (p.bias != nullptr) + (p.recurrent != nullptr ? p.n : 0);
}

// Finite-state machines, one a row, of 1 to 8 inputs and 1 or 2 outputs. Entry [s][symbol] of the
// table is the next state | output 0 << 16 | output 1 << 17; the symbol is input 0 | input 1 << 1 |
// and so on.
struct Machine {
  const uint32_t* table;
  size_t n_states, n_in, n_out, n_rows;
  const uint64_t* inputs;  // [n_in][n_rows][words]
  uint64_t length;
  uint32_t* states;                                // [n_rows], updated in place
  uint64_t* out;                                   // [n_out][n_rows][words]
  std::unique_ptr<uint32_t[]> composed = nullptr;  // table of several steps per lookup, if made
  int steps = 1;
};

// Makes the table of as many steps per lookup as suit the machine and its work.
void machine_compose(Machine&);

// An operation of a circuit on the values of a step. Operand 1 is unused where the kind has one
// operand. A machine with one input has operand 1 = -1; its table is that of Machine, at `table`.
// One with more than two inputs, kWide, has their number as operand 1, and the values that they
// read in `tables`, just before its table.
struct CircuitStep {
  enum Kind : int32_t { kAnd, kOr, kXor, kNot, kMachine, kWide };
  int32_t kind, operand[2], result[2], table, machine;
};

// Circuits with feedback, one a row: gates, flip-flops and machines that advance together. The
// values of a step are the inputs, then what the steps and flip-flops write.
struct Circuit {
  const int32_t* steps;  // [n_steps] of CircuitStep, in an order in which operands come first
  size_t n_steps, n_values;
  const int32_t* outputs;  // [n_out], values
  const int32_t* holds;    // [n_flip_flops][2]: value that it writes, value that it holds next
  const uint32_t* tables;
  size_t n_in, n_out, n_flip_flops, n_rows;
  const uint64_t* inputs;  // [n_in][n_rows][words]
  uint64_t length;
  uint64_t* held;    // [words_for(n_rows)][n_flip_flops], updated in place: a row is a bit
  uint32_t* states;  // [n_machines][n_rows], updated in place
  uint64_t* out;     // [n_out][n_rows][words]
};

// Words of scratch memory that one call of the kernel of circuits needs.
inline size_t circuit_scratch(const Circuit& c) {
  return c.n_values + c.n_flip_flops + 64 * (c.n_in + c.n_out);
}

// Counters c of [0, 2**n_bits], one a row. With f = [r < c] (and [r' < c] if there are two numbers,
// r' the second) and g = f (and input 1 if there is one):
//   out = [r < c];  c <- min(c + input 0 - g, 2**n_bits)
// where r is the top n_bits of a number.
struct Integrator {
  const uint64_t* inputs;   // [n_in][n_rows][words]
  const uint32_t* numbers;  // [n_numbers][n_rows][length]
  size_t n_in, n_numbers, n_rows;
  int n_bits;  // 1 .. 31
  uint64_t length;
  uint32_t* counters;  // [n_rows], updated in place
  uint64_t* out;       // [n_rows][words]
};

// y <- y + (x - y) * gain; out[row][t] = y.
struct MovingAverage {
  const uint64_t* x;  // [n_rows][words]
  size_t n_rows;
  double gain;
  uint64_t length;
  double* y;    // [n_rows], updated in place
  double* out;  // [n_rows][length]
};

// Buffers of `depth` bits, one a row: at address (number * depth) >> 32 a bit leaves and x enters.
struct Shuffle {
  const uint64_t* x;  // [n_rows][words]
  size_t n_rows;
  const uint32_t* numbers;  // [n_rows][length]
  uint64_t depth, length;
  uint64_t* buffers;  // [n_rows][words_for(depth)], updated in place
  uint64_t* out;      // [n_rows][words]
};

// out = x with its k-th one replaced by bit k of w.
struct Deposit {
  const uint64_t *x, *w;  // [n_rows][words]
  size_t n_rows;
  uint64_t length;
  uint64_t* out;
};

// Products by conditional sampling. A shift register, at first 0, 1, 0, 1, ..., holds the last
// `depth` bits of y before the step, and c of them are 1. Number k, which counts the ones of x,
// says
//   z = [number k < thresholds[c]]
// and out = x and z or, if bipolar, where k also counts the zeros, out = [x = z].
struct InStream {
  const uint64_t *x, *y;  // [n_rows][words]
  size_t n_rows;
  const uint32_t* numbers;     // [n_rows][length]
  const uint64_t* thresholds;  // [depth + 1]
  uint64_t depth, length;
  bool bipolar;
  uint64_t* out;  // [n_rows][words]
};

// Longest period of a permutation whose lanes are streams.
inline constexpr uint64_t kShortPeriod = 2048;

// Words of scratch memory that one call of the permutation kernel needs: a pattern, and ten vectors
// for each word of a period or, if it is long, for each vector of its words.
inline size_t permutation_scratch(uint64_t period) {
  const size_t words = words_for(period), most_lanes = 8;
  return words + 3 + 10 * (period <= kShortPeriod ? words * most_lanes : words + most_lanes);
}

// Words of scratch memory that counting across n_in inputs needs.
inline size_t across_scratch(size_t n_in) {
  return words_for(n_in) * (65 * kTile + 64 * kDenseLanes);
}

// Words of scratch memory that one call of the kernels that count products needs.
inline size_t products_scratch(const Products& p) {
  const size_t chunks = (p.n_in + kDenseChunk - 1) / kDenseChunk;
  const size_t weights = 2 * (chunks * kDenseChunk + 1) + 2 * chunks;
  return kTile * (weights + kDenseImages * 33) + kDenseImages * kDenseActive +
         across_scratch(p.n_in);
}
// Those of the kernel that sums them, which also holds the inputs of a block of images and those of
// one image.
inline size_t sums_scratch(const DenseSums& d) {
  return kDenseImages * d.of.n_in + d.n_places + 2 + products_scratch(d.of);
}

// Words of the parameters of a group of neurons, in vectors.
inline constexpr size_t kLifWords = 16 * kDenseLanes;

// Words of scratch memory that one call of the kernel of neurons needs for that many rows: weight
// bits of 64 steps and their signs; noise, sums, spikes of a step and of a word of time.
inline size_t neurons_scratch(const NeuronLayer& l, size_t n_rows) {
  const size_t neurons = (l.n + kDenseLanes - 1) / kDenseLanes * kDenseLanes;
  const size_t words = l.weights == nullptr ? 0 : words_for(l.n);
  const size_t groups = l.n_lif == 1 ? 1 : neurons / kDenseLanes * 8;  // more on narrow levels
  return neurons * words * (l.weight_bits == nullptr ? 1 : 65) + groups * kLifWords +
         2 * neurons * l.noise_rows(n_rows) + n_rows * (words + 2 * neurons);
}

// Inputs of a part of the gradients of products; sums of a block of inputs; columns of its tables,
// which hold the sums of the drives of any of four bits.
inline constexpr size_t kGradientInputs = 32, kGradientSums = 16384, kGradientColumns = 64;
inline size_t gradient_inputs(size_t columns) {
  const size_t inputs = kGradientSums / columns;
  return inputs > kGradientInputs ? inputs : kGradientInputs;
}

inline size_t gradients_scratch(const NeuronGradients& g) {
  const size_t neurons = (g.n + kDenseLanes - 1) / kDenseLanes * kDenseLanes;
  const size_t groups = g.n_lif == 1 ? 1 : neurons;  // as many on the narrowest level
  return groups * kLifWords + (4 * size_t(g.steps) + 18) * neurons / 2;
}
// Words of scratch memory of the kernel of plastic layers: parameters, drawn words, counts, noise,
// active inputs by step, the steps for which rows are needed, and rows that are drawn.
inline size_t plastic_scratch(const PlasticLayer& p) {
  const size_t neurons = (p.n + kDenseLanes - 1) / kDenseLanes * kDenseLanes;
  const size_t groups = p.n_lif == 1 ? 1 : neurons;  // as many on the narrowest level
  return groups * kLifWords + neurons * (plastic_rows(p) + 3) + 64 * words_for(p.n_in) +
         2 * (p.n_in + kDenseLanes) + 2 * words_for(p.n);
}
inline size_t gradients_scratch(const ProductGradients& g) {
  const size_t columns = (g.n + 15) / 16 * 16;
  const size_t quads = std::min<size_t>(size_t(g.steps * g.x_bits + 3) / 4, 16);
  return (gradient_inputs(columns) * columns + quads * 16 * kGradientColumns) / 2 + 8;
}
// Rows of the gradients of inputs that share a set of weights and are added up side by side.
inline constexpr size_t kGradientRows = 8;
// Rows side by side; the taps on each pixel, as two numbers each, and where those of a pixel begin.
inline size_t gradients_scratch(const InputGradients& g) {
  return g.positions * g.n * kGradientRows / 2 + g.positions * g.taps + g.n_pixels / 2 + 2;
}

size_t radical_scratch(const uint64_t* bases, size_t n);

// Every kernel, by the name of its function and of its work. Those of the first list are compiled
// once per level, those of the second have one form for all levels. These lists are the only place
// that names a kernel for the tables and the scheduler. A kernel also needs an overload of split in
// schedule.cpp, and its file in CMakeLists.txt: in add_level if it is in the first list, in
// nanobind_add_module if it is in the second.
#define SC_LEVEL_KERNELS(K)              \
  K(philox, Philox)                      \
  K(draw, Draw)                          \
  K(normal, Normal)                      \
  K(encode, Encode)                      \
  K(uniform, Uniform)                    \
  K(lfsr, Lfsr)                          \
  K(digital, Digital)                    \
  K(additive, Additive)                  \
  K(permutation, Permutation)            \
  K(channel_counts, ChannelCounts)       \
  K(dot, Dot)                            \
  K(ones, Ones)                          \
  K(lif, LifPopulation)                  \
  K(dense, DenseLayer)                   \
  K(dense_sums, DenseSums)               \
  K(real_sums, RealSums)                 \
  K(neurons, NeuronLayer)                \
  K(turned, TurnedWeights)               \
  K(chain, Chain)                        \
  K(neuron_gradients, NeuronGradients)   \
  K(product_gradients, ProductGradients) \
  K(input_gradients, InputGradients)     \
  K(codes, Codes)                        \
  K(plastic, PlasticLayer)               \
  K(deposit, Deposit)
#define SC_COMMON_KERNELS(K)       \
  K(radical, Radical)              \
  K(machine, Machine)              \
  K(circuit, Circuit)              \
  K(integrate, Integrator)         \
  K(moving_average, MovingAverage) \
  K(shuffle, Shuffle)              \
  K(in_stream, InStream)           \
  K(fixed_trace, FixedTrace)

#define SC_DECLARE(kernel, Work) void kernel(const Work&, const Part&);
SC_COMMON_KERNELS(SC_DECLARE)

struct Kernels {
  const char* level;
#define SC_FIELD(kernel, Work) void (*kernel)(const Work&, const Part&);
  SC_LEVEL_KERNELS(SC_FIELD)
#undef SC_FIELD
};

}  // namespace sc

#ifdef SC_LEVEL
namespace sc::SC_LEVEL {
SC_LEVEL_KERNELS(SC_DECLARE)
}  // namespace sc::SC_LEVEL
#endif
#undef SC_DECLARE
