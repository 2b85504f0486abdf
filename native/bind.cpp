// The Python module _native. It converts arguments, allocates results, releases the GIL and splits
// the work over threads; nothing is computed here. Shapes are as _native.pyi says: the Python layer
// has checked them.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/array.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <atomic>
#include <cstring>
#include <memory>
#include <new>
#include <optional>

#include "dispatch.hpp"
#include "neuron.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace {

std::atomic<const sc::Kernels*> kernels{nullptr};
std::atomic<size_t> n_threads{1};

// Words or neuron steps below which a second thread costs more than it saves (some 20 us).
constexpr size_t kWordGrain = 8192;
constexpr size_t kStepGrain = 65536;
constexpr size_t kDotGrain = 262144;

template <class T, int N>
using In = nb::ndarray<const T, nb::ndim<N>, nb::c_contig, nb::device::cpu>;
template <class T, int N>
using InOut = nb::ndarray<T, nb::ndim<N>, nb::c_contig, nb::device::cpu>;
template <class T, int N>
using Out = nb::ndarray<nb::numpy, T, nb::ndim<N>>;

// Memory on a 64-byte boundary: a vector load never straddles two cache lines.
constexpr std::align_val_t kLine{64};
void release(void* p) noexcept { ::operator delete(p, kLine); }

template <class T, int N>
Out<T, N> allocate(const size_t (&shape)[N]) {
  size_t size = sizeof(T);
  for (const size_t n : shape) {
    if (n != 0 && size > SIZE_MAX / n) throw std::bad_alloc();
    size *= n;
  }
  void* data = ::operator new(size == 0 ? 1 : size, kLine);
  const nb::capsule owner(data, release);
  return Out<T, N>(data, N, shape, owner);
}

using Coefficients = std::array<double, 12>;

sc::LifCoefficients unpack(const Coefficients& c) {
  return {c[0],           c[1], c[2],      c[3],      c[4],  c[5],
          uint64_t(c[6]), c[7], c[8] != 0, c[9] != 0, c[10], c[11]};
}

Out<uint32_t, 2> philox(uint64_t key, In<uint32_t, 2> counters) {
  const size_t n = counters.shape(0);
  auto out = allocate<uint32_t, 2>({n, 4});
  kernels.load()->philox(key, counters.data(), out.data(), n);
  return out;
}

Out<double, 2> normal(uint64_t key, size_t n_neurons, uint64_t first_step, uint64_t steps) {
  auto out = allocate<double, 2>({n_neurons, size_t(steps)});
  double* data = out.data();
  {
    const nb::gil_scoped_release nogil;
    kernels.load()->normal(key, first_step, steps, data, n_neurons);
  }
  return out;
}

// Splits [0, items) over threads and runs f(first, last, scratch), each call with `words` words of
// scratch memory of its own.
template <class F>
void parallel_with_scratch(size_t items, size_t grain, size_t words, F&& f) {
  std::atomic<bool> no_memory{false};
  sc::parallel(items, grain, n_threads, [&](size_t first, size_t last) {
    const std::unique_ptr<void, decltype(&release)> scratch(
        ::operator new(sizeof(uint64_t) * words, kLine, std::nothrow), release);
    if (scratch)
      f(first, last, static_cast<uint64_t*>(scratch.get()));
    else
      no_memory = true;
  });
  if (no_memory) throw std::bad_alloc();
}

// Allocates the words of n streams and lets make(streams, first, last, scratch) fill ranges of
// them.
template <class Make>
Out<uint64_t, 2> encoded(In<uint64_t, 1> thresholds, uint64_t first_word, uint64_t length,
                         size_t scratch_words, Make&& make) {
  const size_t n = thresholds.shape(0), words = sc::words_for(length);
  auto out = allocate<uint64_t, 2>({n, words});
  const sc::Streams to{thresholds.data(), first_word, length, out.data()};
  if (n == 0) return out;
  const nb::gil_scoped_release nogil;
  parallel_with_scratch(
      n * words, kWordGrain, scratch_words,
      [&](size_t first, size_t last, uint64_t* scratch) { make(to, first, last, scratch); });
  return out;
}

Out<uint64_t, 3> encode(uint64_t key, In<uint64_t, 1> streams, In<uint64_t, 2> thresholds,
                        uint64_t first_word, uint64_t length) {
  const size_t n = streams.shape(0), n_rows = thresholds.shape(0), words = sc::words_for(length);
  auto out = allocate<uint64_t, 3>({n_rows, n, words});
  const sc::Encode e{
      key, streams.data(), n, n_rows, {thresholds.data(), first_word, length, out.data()}};
  if (n == 0 || n_rows == 0) return out;
  {
    const nb::gil_scoped_release nogil;
    const sc::Kernels* k = kernels;
    sc::parallel(n * words, std::max<size_t>(kWordGrain / n_rows, 64), n_threads,
                 [&](size_t first, size_t last) { k->encode(e, first, last); });
  }
  return out;
}

Out<uint64_t, 2> lfsr(int width, uint32_t feedback, In<uint64_t, 1> phases,
                      In<uint64_t, 1> thresholds, uint64_t first_word, uint64_t length) {
  const sc::Kernels* k = kernels;
  return encoded(thresholds, first_word, length, 0,
                 [&](const sc::Streams& to, size_t first, size_t last, uint64_t*) {
                   k->lfsr({width, feedback, phases.data(), to}, first, last);
                 });
}

Out<uint64_t, 2> digital(In<uint32_t, 2> columns, In<uint64_t, 1> matrices, In<uint32_t, 1> shifts,
                         In<uint64_t, 1> thresholds, uint64_t first_word, uint64_t length) {
  const sc::Kernels* k = kernels;
  return encoded(thresholds, first_word, length, 0,
                 [&](const sc::Streams& to, size_t first, size_t last, uint64_t*) {
                   k->digital({columns.data(), matrices.data(), shifts.data(), to}, first, last);
                 });
}

Out<uint64_t, 2> additive(uint64_t modulus, In<uint64_t, 1> steps, In<uint64_t, 1> offsets,
                          In<uint64_t, 1> thresholds, uint64_t first_word, uint64_t length) {
  const sc::Kernels* k = kernels;
  return encoded(thresholds, first_word, length, 0,
                 [&](const sc::Streams& to, size_t first, size_t last, uint64_t*) {
                   k->additive({modulus, steps.data(), offsets.data(), to}, first, last);
                 });
}

Out<uint64_t, 2> radical(In<uint64_t, 1> bases, In<uint64_t, 1> shifts, In<uint64_t, 1> thresholds,
                         uint64_t first_word, uint64_t length) {
  const size_t scratch_words = sc::radical_scratch(bases.data(), bases.shape(0));
  return encoded(thresholds, first_word, length, scratch_words,
                 [&](const sc::Streams& to, size_t first, size_t last, uint64_t* scratch) {
                   sc::radical({bases.data(), shifts.data(), to}, first, last, scratch);
                 });
}

Out<uint64_t, 2> permutation(uint64_t key, In<uint64_t, 1> streams, uint64_t period,
                             In<uint64_t, 1> thresholds, uint64_t first_word, uint64_t length) {
  const sc::Kernels* k = kernels;
  return encoded(thresholds, first_word, length, sc::permutation_scratch(period),
                 [&](const sc::Streams& to, size_t first, size_t last, uint64_t* scratch) {
                   k->permutation({key, streams.data(), period, to}, first, last, scratch);
                 });
}

Out<uint32_t, 2> uniform(uint64_t key, In<uint64_t, 1> streams, uint64_t first, uint64_t length) {
  const size_t n = streams.shape(0);
  auto out = allocate<uint32_t, 2>({n, size_t(length)});
  const sc::Uniform u{key, streams.data(), first, length, out.data()};
  {
    const nb::gil_scoped_release nogil;
    const sc::Kernels* k = kernels;
    sc::parallel(n, kWordGrain / std::max<uint64_t>(length, 1), n_threads,
                 [&](size_t first, size_t last) { k->uniform(u, first, last); });
  }
  return out;
}

Out<uint32_t, 3> channel_counts(In<uint64_t, 3> x, In<uint64_t, 3> weights, uint64_t length) {
  const size_t n_batch = x.shape(0), n = weights.shape(0), channels = weights.shape(1);
  auto out = allocate<uint32_t, 3>({n_batch, n, size_t(length)});
  if (channels == 0) std::memset(out.data(), 0, n_batch * n * length * sizeof(uint32_t));
  if (channels == 0 || n_batch == 0) return out;
  const sc::ChannelCounts c{x.data(), weights.data(), n_batch, n, channels, length, out.data()};
  {
    const nb::gil_scoped_release nogil;
    const sc::Kernels* k = kernels;
    const size_t words = n_batch * channels * sc::words_for(length);
    parallel_with_scratch(n, kWordGrain / std::max<size_t>(words, 1), sc::counts_scratch(c),
                          [&](size_t first, size_t last, uint64_t* scratch) {
                            k->channel_counts(c, first, last, scratch);
                          });
  }
  return out;
}

Out<int64_t, 2> dot(In<uint64_t, 2> x, In<uint64_t, 2> w) {
  const size_t n_x = x.shape(0), n_w = w.shape(0), words = x.shape(1);
  auto out = allocate<int64_t, 2>({n_x, n_w});
  const sc::Dot d{x.data(), w.data(), n_x, n_w, words, out.data()};
  {
    const nb::gil_scoped_release nogil;
    const sc::Kernels* k = kernels;
    const bool by_x = n_x > n_w;
    const size_t rest = (by_x ? n_w : n_x) * words;
    sc::parallel(by_x ? n_x : n_w, kDotGrain / std::max<size_t>(rest, 1), n_threads,
                 [&](size_t first, size_t last) {
                   if (by_x)
                     k->dot(d, first, last, 0, n_w);
                   else
                     k->dot(d, 0, n_x, first, last);
                 });
  }
  return out;
}

Out<uint64_t, 2> lif(const Coefficients& coefficients, uint64_t key, In<double, 2> currents,
                     uint64_t position, uint64_t first_step, uint64_t steps, InOut<double, 1> v,
                     InOut<uint64_t, 1> refractory, InOut<double, 1> i) {
  const size_t n = v.shape(0);
  auto out = allocate<uint64_t, 2>({n, sc::words_for(steps)});
  const size_t row_stride = currents.shape(0) == 1 ? 0 : currents.shape(1);
  const sc::LifPopulation p{unpack(coefficients),
                            key,
                            currents.data(),
                            row_stride,
                            currents.shape(1),
                            position,
                            first_step,
                            steps,
                            {v.data(), refractory.data(), i.data()},
                            out.data()};
  {
    const nb::gil_scoped_release nogil;
    const sc::Kernels* k = kernels;
    sc::parallel(n, kStepGrain / std::max<uint64_t>(steps, 1), n_threads,
                 [&](size_t first, size_t last) { k->lif(p, first, last); });
  }
  return out;
}

auto fixed_trace(const std::array<int64_t, 9>& c, In<int32_t, 2> counts, InOut<int32_t, 1> v,
                 InOut<uint64_t, 1> refractory, InOut<uint64_t, 2> saturations) {
  const size_t n = counts.shape(0), steps = counts.shape(1);
  auto potentials = allocate<int32_t, 2>({n, steps});
  auto spikes = allocate<uint64_t, 2>({n, sc::words_for(steps)});
  const sc::FixedTrace f{{c[0], c[1], int(c[2]), c[3], c[4], c[5] != 0, uint64_t(c[6]), c[7], c[8]},
                         counts.data(),
                         steps,
                         v.data(),
                         refractory.data(),
                         saturations.data(),
                         potentials.data(),
                         spikes.data()};
  {
    const nb::gil_scoped_release nogil;
    sc::parallel(n, kStepGrain / std::max<size_t>(steps, 1), n_threads,
                 [&](size_t first, size_t last) { sc::fixed_trace(f, first, last); });
  }
  return std::make_pair(potentials, spikes);
}

Out<uint64_t, 3> dense(const Coefficients& coefficients, uint64_t weight_key, uint64_t noise_key,
                       In<uint64_t, 3> x, In<int64_t, 2> weights,
                       std::optional<In<uint64_t, 3>> weight_bits, bool shared, double gain,
                       uint32_t positions, uint64_t first_word, uint64_t length, InOut<double, 2> v,
                       InOut<uint64_t, 2> refractory, InOut<double, 2> i) {
  const size_t n_batch = x.shape(0), n_in = weights.shape(0), n_out = weights.shape(1);
  auto out = allocate<uint64_t, 3>({n_batch, n_out, sc::words_for(length)});
  const sc::DenseLayer d{unpack(coefficients),
                         weight_key,
                         noise_key,
                         x.data(),
                         weights.data(),
                         weight_bits ? weight_bits->data() : nullptr,
                         shared,
                         gain,
                         n_batch,
                         n_in,
                         n_out,
                         positions,
                         first_word,
                         length,
                         {v.data(), refractory.data(), i.data()},
                         out.data()};
  {
    const nb::gil_scoped_release nogil;
    const sc::Kernels* k = kernels;
    // An item is a tile of neurons with a part of the batch; each part makes its weight bits anew.
    // Tiles are cut so that every thread has as many neurons.
    const size_t threads =
        n_batch * n_in * n_out * sc::words_for(length) < 2 * kWordGrain ? 1 : n_threads.load();
    const size_t rounds = (n_out + threads * sc::kTile - 1) / (threads * sc::kTile);
    const size_t share = (n_out + threads * rounds - 1) / (threads * rounds);
    const size_t tile = (share + sc::kDenseLanes - 1) / sc::kDenseLanes * sc::kDenseLanes;
    const size_t tiles = (n_out + tile - 1) / tile;
    const size_t parts = std::min(n_batch, (threads + tiles - 1) / tiles);
    const size_t items = tiles * parts;
    parallel_with_scratch(items, threads == 1 ? items : 1, sc::dense_scratch(d),
                          [&](size_t first, size_t last, uint64_t* scratch) {
                            for (size_t item = first; item < last; item++) {
                              const size_t j = item / parts * tile, part = item % parts;
                              k->dense(d, j, std::min(j + tile, n_out), n_batch * part / parts,
                                       n_batch * (part + 1) / parts, scratch);
                            }
                          });
  }
  return out;
}

Out<uint64_t, 3> recurrent(const Coefficients& coefficients, uint64_t noise_key,
                           In<double, 3> drive, In<double, 2> weights,
                           std::optional<In<uint64_t, 3>> weight_bits, double gain,
                           uint64_t first_word, InOut<double, 2> v, InOut<uint64_t, 2> refractory,
                           InOut<double, 2> i, InOut<uint64_t, 2> before) {
  const size_t n_batch = drive.shape(0), n = drive.shape(1), length = drive.shape(2);
  auto out = allocate<uint64_t, 3>({n_batch, n, sc::words_for(length)});
  const sc::RecurrentLayer r{unpack(coefficients),
                             noise_key,
                             drive.data(),
                             weights.data(),
                             weight_bits ? weight_bits->data() : nullptr,
                             gain,
                             n_batch,
                             n,
                             first_word,
                             length,
                             {v.data(), refractory.data(), i.data()},
                             before.data(),
                             out.data()};
  {
    const nb::gil_scoped_release nogil;
    const sc::Kernels* k = kernels;
    const size_t work = std::max<size_t>(n * sc::words_for(n) * length, 1);
    const size_t grain = kStepGrain / work, most = std::max<size_t>(n_batch, 1);
    parallel_with_scratch(n_batch, grain, sc::recurrent_scratch(r, most),
                          [&](size_t first, size_t last, uint64_t* scratch) {
                            k->recurrent(r, first, last, scratch);
                          });
  }
  return out;
}

Out<uint64_t, 3> machine(In<uint32_t, 2> table, size_t n_out, In<uint64_t, 3> inputs,
                         uint64_t length, InOut<uint32_t, 1> states) {
  const size_t n_rows = states.shape(0);
  auto out = allocate<uint64_t, 3>({n_out, n_rows, sc::words_for(length)});
  sc::Machine m{table.data(), table.shape(0), inputs.shape(0), n_out, n_rows,      inputs.data(),
                length,       states.data(),  out.data(),      1,     table.data()};
  m.steps = sc::machine_steps(m);
  const size_t room = m.steps > 1 ? 2 * sc::machine_entries(m) : 0;
  const auto composed = std::make_unique_for_overwrite<uint32_t[]>(room);
  {
    const nb::gil_scoped_release nogil;
    if (m.steps > 1) {
      sc::machine_compose(m, composed.get());
      m.composed = composed.get();
    }
    sc::parallel(n_rows, kStepGrain / std::max<uint64_t>(length, 1), n_threads,
                 [&](size_t first, size_t last) { sc::machine(m, first, last); });
  }
  return out;
}

Out<uint64_t, 2> integrate(In<uint64_t, 3> inputs, In<uint32_t, 3> numbers, int n_bits,
                           uint64_t length, InOut<uint32_t, 1> counters) {
  const size_t n_rows = counters.shape(0);
  auto out = allocate<uint64_t, 2>({n_rows, sc::words_for(length)});
  const sc::Integrator g{inputs.data(), numbers.data(), inputs.shape(0), numbers.shape(0), n_rows,
                         n_bits,        length,         counters.data(), out.data()};
  {
    const nb::gil_scoped_release nogil;
    sc::parallel(n_rows, kStepGrain / std::max<uint64_t>(length, 1), n_threads,
                 [&](size_t first, size_t last) { sc::integrate(g, first, last); });
  }
  return out;
}

Out<double, 2> moving_average(In<uint64_t, 2> x, double gain, uint64_t length, InOut<double, 1> y) {
  const size_t n_rows = y.shape(0);
  auto out = allocate<double, 2>({n_rows, size_t(length)});
  const sc::MovingAverage a{x.data(), gain, length, y.data(), out.data()};
  {
    const nb::gil_scoped_release nogil;
    sc::parallel(n_rows, kStepGrain / std::max<uint64_t>(length, 1), n_threads,
                 [&](size_t first, size_t last) { sc::moving_average(a, first, last); });
  }
  return out;
}

Out<uint64_t, 2> shuffle(In<uint64_t, 2> x, In<uint32_t, 2> numbers, uint64_t depth,
                         uint64_t length, InOut<uint64_t, 2> buffers) {
  const size_t n_rows = x.shape(0);
  auto out = allocate<uint64_t, 2>({n_rows, sc::words_for(length)});
  const sc::Shuffle s{x.data(), numbers.data(), depth, length, buffers.data(), out.data()};
  {
    const nb::gil_scoped_release nogil;
    sc::parallel(n_rows, kStepGrain / std::max<uint64_t>(length, 1), n_threads,
                 [&](size_t first, size_t last) { sc::shuffle(s, first, last); });
  }
  return out;
}

Out<uint64_t, 2> deposit(In<uint64_t, 2> x, In<uint64_t, 2> w, uint64_t length) {
  const size_t n_rows = x.shape(0), words = sc::words_for(length);
  auto out = allocate<uint64_t, 2>({n_rows, words});
  const sc::Deposit d{x.data(), w.data(), length, out.data()};
  {
    const nb::gil_scoped_release nogil;
    const sc::Kernels* k = kernels;
    sc::parallel(n_rows, kWordGrain / std::max<size_t>(words, 1), n_threads,
                 [&](size_t first, size_t last) { k->deposit(d, first, last); });
  }
  return out;
}

// The value of a number that is no float, or the error that says what is wrong with it.
double checked_current(nb::handle current) {
  return nb::cast<double>(
      nb::module_::import_("sc_neurocore._checks").attr("finite")("input_current", current));
}

int step(sc::Neuron& neuron, nb::handle input_current) {
  if (PyFloat_CheckExact(input_current.ptr())) {
    const double current = PyFloat_AS_DOUBLE(input_current.ptr());
    if (std::isfinite(current)) return neuron.step(current);
  }
  return neuron.step(checked_current(input_current));
}

Out<uint8_t, 1> run(sc::Neuron& neuron, In<double, 1> currents) {
  const size_t n = currents.shape(0);
  auto out = allocate<uint8_t, 1>({n});
  for (size_t t = 0; t < n; t++) out.data()[t] = uint8_t(neuron.step(currents.data()[t]));
  return out;
}

std::vector<std::string> isas() {
  std::vector<std::string> names;
  for (const sc::Kernels* k : sc::available_kernels()) names.emplace_back(k->name);
  return names;
}

void set_isa(const std::string& name) {
  for (const sc::Kernels* k : sc::available_kernels())
    if (name == k->name) kernels = k;
}

}  // namespace

NB_MODULE(_native, m) {
  nb::set_leak_warnings(false);  // an interpreter that stops with objects alive is no leak
  kernels = sc::available_kernels().back();

  m.def("isas", isas);
  m.def("isa", [] { return std::string(kernels.load()->name); });
  m.def("set_isa", set_isa, "name"_a);
  m.def("threads", [] { return n_threads.load(); });
  m.def("set_threads", [](size_t n) { n_threads = n; }, "n"_a);

  m.def("philox", philox, "key"_a, "counters"_a);
  m.def("normal", normal, "key"_a, "n_neurons"_a, "first_step"_a, "steps"_a);
  m.def("encode", encode, "key"_a, "streams"_a, "thresholds"_a, "first_word"_a, "length"_a);
  m.def("lfsr", lfsr, "width"_a, "feedback"_a, "phases"_a, "thresholds"_a, "first_word"_a,
        "length"_a);
  m.def("digital", digital, "columns"_a, "matrices"_a, "shifts"_a, "thresholds"_a, "first_word"_a,
        "length"_a);
  m.def("additive", additive, "modulus"_a, "steps"_a, "offsets"_a, "thresholds"_a, "first_word"_a,
        "length"_a);
  m.def("radical", radical, "bases"_a, "shifts"_a, "thresholds"_a, "first_word"_a, "length"_a);
  m.def("permutation", permutation, "key"_a, "streams"_a, "period"_a, "thresholds"_a,
        "first_word"_a, "length"_a);
  m.def("uniform", uniform, "key"_a, "streams"_a, "first"_a, "length"_a);
  m.def("channel_counts", channel_counts, "x"_a, "weights"_a, "length"_a);
  m.def("dot", dot, "x"_a, "w"_a);
  m.def("lif", lif, "coefficients"_a, "key"_a, "currents"_a, "position"_a, "first_step"_a,
        "steps"_a, "v"_a.noconvert(), "refractory"_a.noconvert(), "i"_a.noconvert());
  m.def("fixed_trace", fixed_trace, "coefficients"_a, "counts"_a, "v"_a, "refractory"_a,
        "saturations"_a);
  m.def("dense", dense, "coefficients"_a, "weight_key"_a, "noise_key"_a, "x"_a, "weights"_a,
        "weight_bits"_a.none(), "shared"_a, "gain"_a, "positions"_a, "first_word"_a, "length"_a,
        "v"_a.noconvert(), "refractory"_a.noconvert(), "i"_a.noconvert());
  m.def("recurrent", recurrent, "coefficients"_a, "noise_key"_a, "drive"_a, "weights"_a,
        "weight_bits"_a.none(), "gain"_a, "first_word"_a, "v"_a.noconvert(),
        "refractory"_a.noconvert(), "i"_a.noconvert(), "before"_a.noconvert());

  m.def("machine", machine, "table"_a, "n_out"_a, "inputs"_a, "length"_a, "states"_a.noconvert());
  m.def("integrate", integrate, "inputs"_a, "numbers"_a, "n_bits"_a, "length"_a,
        "counters"_a.noconvert());
  m.def("moving_average", moving_average, "x"_a, "gain"_a, "length"_a, "y"_a.noconvert());
  m.def("shuffle", shuffle, "x"_a, "numbers"_a, "depth"_a, "length"_a, "buffers"_a.noconvert());
  m.def("deposit", deposit, "x"_a, "w"_a, "length"_a);

  nb::class_<sc::Neuron>(m, "Neuron")
      .def(
          "__init__",
          [](sc::Neuron* self, const Coefficients& coefficients, uint64_t key) {
            new (self) sc::Neuron(unpack(coefficients), key);
          },
          "coefficients"_a, "key"_a)
      .def("step", step, "input_current"_a.none())
      .def("run", run, "currents"_a)
      .def("reset", &sc::Neuron::reset)
      .def("restore", &sc::Neuron::restore, "v"_a, "refractory"_a, "i"_a, "t"_a)
      .def_prop_ro("v", &sc::Neuron::v)
      .def_prop_ro("i", &sc::Neuron::i)
      .def_prop_ro("refractory", &sc::Neuron::refractory)
      .def_prop_ro("t", &sc::Neuron::t);
}
