// The Python module _native: conversion of arguments, allocation of results, the GIL, and signals.
// Shapes are as _native.pyi says: the Python layer has checked them. Structs are filled in the
// order of their fields. Arguments that are updated in place are noconvert(), or a copy would be
// updated.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <new>
#include <optional>

#include "chain.hpp"
#include "dispatch.hpp"
#include "neuron.hpp"
#include "plastic.hpp"
#include "schedule.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace {

template <class T, int N>
using In = nb::ndarray<const T, nb::ndim<N>, nb::c_contig, nb::device::cpu>;
template <class T, int N>
using InOut = nb::ndarray<T, nb::ndim<N>, nb::c_contig, nb::device::cpu>;
template <class T, int N>
using Out = nb::ndarray<nb::numpy, T, nb::ndim<N>>;
using Words = In<uint64_t, 1>;
using Sums = nb::ndarray<nb::ndim<3>, nb::c_contig, nb::device::cpu>;  // shorts, floats or doubles
using Places = std::optional<In<int32_t, 2>>;
using OptionalBits = std::optional<In<uint64_t, 3>>;

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

// The data of an array if it has that type, or null.
template <class T, class Array>
T* of_type(const Array& array) {
  return array.dtype() == nb::dtype<std::remove_const_t<T>>() ? static_cast<T*>(array.data())
                                                              : nullptr;
}

void run_signal_handlers() {
  const nb::gil_scoped_acquire gil;
  if (PyErr_CheckSignals() != 0) throw nb::python_error();
}

template <class Work>
void run_without_gil(Work work) {
  const nb::gil_scoped_release nogil;
  sc::run(std::move(work));
}

template <class Array>
auto data_or_null(const std::optional<Array>& values) -> decltype(values->data()) {
  return values ? values->data() : nullptr;
}

sc::Products products(uint64_t weight_key, const In<uint64_t, 3>& x, const In<int64_t, 2>& weights,
                      const OptionalBits& weight_bits, bool shared, uint64_t first_word,
                      uint64_t length) {
  return {.weight_key = weight_key,
          .x = x.data(),
          .weights = weights.data(),
          .weight_bits = data_or_null(weight_bits),
          .shared = shared,
          .n_batch = x.shape(0),
          .n_in = weights.shape(0),
          .n_out = weights.shape(1),
          .first_word = first_word,
          .length = length};
}

// Allocates the words of n streams and fills them with the work that make(where they go) returns.
template <class Make>
Out<uint64_t, 2> encoded(const Words& thresholds, uint64_t first_word, uint64_t length,
                         Make&& make) {
  const size_t n = thresholds.shape(0);
  auto out = allocate<uint64_t, 2>({n, sc::words_for(length)});
  run_without_gil(make(sc::Streams{n, thresholds.data(), first_word, length, out.data()}));
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

// Steps from which a run releases the GIL: about 10 us.
constexpr size_t kLongRun = 4096;

Out<uint8_t, 1> run_neuron(sc::Neuron& neuron, In<double, 1> currents) {
  const size_t n = currents.shape(0);
  auto out = allocate<uint8_t, 1>({n});
  if (n < kLongRun) {
    neuron.run(currents.data(), n, out.data());
    return out;
  }
  // Other threads may step the neuron meanwhile: the last to write its state wins.
  sc::Neuron running = neuron;
  {
    const nb::gil_scoped_release nogil;
    running.run(currents.data(), n, out.data());
  }
  neuron = running;
  return out;
}

// The first fields of a NumPy array, which NumPy's binary interface fixes (PyArrayObject_fields of
// numpy/ndarraytypes.h).
struct NumpyArray {
  PyObject_HEAD void* data;
  int n_axes;
  Py_ssize_t *shape, *strides;
  PyObject *base, *dtype;
  int flags;

  static constexpr int kContiguous = 1;  // in the order of C
};

// An array of T, whose type and size the caller has checked; a contiguous copy if it is not. To ask
// an array for its memory by the protocol of buffers takes longer than a short run.
template <class T>
class Borrowed {
 public:
  explicit Borrowed(nb::handle array) : at_(of(array)) {
    static PyObject* const kArray =
        nb::object(nb::module_::import_("numpy").attr("ndarray")).release().ptr();
    if (reinterpret_cast<PyObject*>(Py_TYPE(array.ptr())) != kArray) throw nb::type_error("array");
    if ((at_->flags & NumpyArray::kContiguous) != 0) return;
    copy_ = nb::module_::import_("numpy").attr("ascontiguousarray")(array);
    at_ = of(copy_);
  }

  T* data() const { return static_cast<T*>(at_->data); }
  size_t size() const {
    size_t n = 1;
    for (int axis = 0; axis < at_->n_axes; axis++) n *= size_t(at_->shape[axis]);
    return n;
  }

 private:
  static const NumpyArray* of(nb::handle array) {
    return reinterpret_cast<const NumpyArray*>(array.ptr());
  }

  nb::object copy_;
  const NumpyArray* at_;
};

template <class Array>
auto copied(const Array& values) {
  return std::vector(values.data(), values.data() + values.size());
}

Out<uint64_t, 2> run_plastic(const sc::PlasticRunner& runner, std::optional<In<uint64_t, 2>> x,
                             std::optional<In<double, 1>> densities, uint64_t x_start,
                             uint64_t input_key, uint64_t first, uint64_t steps,
                             std::optional<In<double, 1>> rewards, InOut<double, 1> state) {
  auto spikes = allocate<uint64_t, 2>({runner.layer().n, sc::words_for(steps)});
  const double* of_steps = data_or_null(rewards);
  const nb::gil_scoped_release nogil;
  if (x)
    runner.run(x->data(), x->shape(1), x_start, first, steps, of_steps, state.data(),
               spikes.data());
  else
    runner.run(densities->data(), input_key, first, steps, of_steps, state.data(), spikes.data());
  return spikes;
}

// Products of a step from which a run of such a layer releases the GIL: about 20 us.
constexpr size_t kLongSteps = size_t{1} << 14;

// Does the same in a closed loop, on arrays whose types and sizes the caller has checked. Returns
// false, with nothing changed, if a density is not in [0, 1].
bool step_plastic(const sc::PlasticRunner& runner, uint64_t input_key, nb::handle x_array,
                  uint64_t first, uint64_t steps, nb::handle state_array, nb::handle counts_array,
                  nb::handle potentials_array) {
  const Borrowed<const double> x(x_array);
  const Borrowed<double> state(state_array), potentials(potentials_array);
  const Borrowed<int64_t> counts(counts_array);
  const auto& layer = runner.layer();
  for (size_t i = 0; i < layer.n_in; i++)
    if (!(x.data()[i] >= 0 && x.data()[i] <= 1)) return false;
  const auto run = [&] {
    runner.step(x.data(), input_key, first, steps, state.data(), counts.data(), potentials.data());
  };
  if (layer.n_in * layer.n * steps < kLongSteps) {
    run();
  } else {
    const nb::gil_scoped_release nogil;
    run();
  }
  return true;
}

using ChainBits = std::optional<std::vector<OptionalBits>>;

std::vector<const uint64_t*> pointers(const sc::ChainRunner& chain, const ChainBits& bits) {
  std::vector<const uint64_t*> at(chain.n_layers());
  if (bits)
    for (size_t l = 0; l < at.size(); l++) at[l] = data_or_null((*bits)[l]);
  return at;
}

// Products from which a run of a chain releases the GIL: about 20 us.
constexpr size_t kLongChain = size_t{1} << 23;

int run_chain(const sc::ChainRunner& chain, nb::handle x_array, double levels, uint64_t key,
              std::optional<In<uint32_t, 2>> numbers, uint64_t first, uint64_t steps,
              const ChainBits& bits, bool rest, bool explain, nb::handle state_array,
              nb::handle counts_array, nb::handle potentials_array) {
  const Borrowed<const double> x(x_array);
  const Borrowed<double> state(state_array), potentials(potentials_array);
  const Borrowed<int64_t> counts(counts_array);
  const size_t n_batch = x.size() / chain.n_in();
  const sc::ChainRunner::Inputs inputs{x.data(), n_batch, levels, key,
                                       numbers ? numbers->data() : nullptr};
  const std::vector<const uint64_t*> at = pointers(chain, bits);
  const auto run = [&] {
    return chain.run(inputs, first, steps, at, rest, explain, state.data(), counts.data(),
                     potentials.data());
  };
  if (chain.products() * n_batch * steps < kLongChain) return run();
  const nb::gil_scoped_release nogil;
  return run();
}

}  // namespace

NB_MODULE(_native, m) {
  nb::set_leak_warnings(false);  // an interpreter that stops with objects alive is no leak
  sc::poll = run_signal_handlers;

  m.def("isas", [] {
    std::vector<std::string> names;
    for (const sc::Kernels* k : sc::available_kernels()) names.emplace_back(k->level);
    return names;
  });
  m.def("isa", [] { return std::string(sc::kernels.load()->level); });
  m.def(
      "set_isa",
      [](const std::string& name) {
        for (const sc::Kernels* k : sc::available_kernels())
          if (name == k->level) sc::kernels = k;
      },
      "name"_a);
  m.def("threads", [] { return sc::n_threads.load(); });
  m.def("set_threads", [](size_t n) { sc::n_threads = n; }, "n"_a);

  m.def(
      "philox",
      [](uint64_t key, In<uint32_t, 2> counters) {
        const size_t n = counters.shape(0);
        auto out = allocate<uint32_t, 2>({n, 4});
        run_without_gil(sc::Philox{key, counters.data(), n, out.data()});
        return out;
      },
      "key"_a, "counters"_a);
  m.def(
      "draw",
      [](uint64_t key, uint32_t domain, Words streams, Words below) {
        const size_t n = streams.shape(0);
        auto out = allocate<uint64_t, 1>({n});
        run_without_gil(
            sc::Draw{key, domain, streams.data(), n, below.data(), below.shape(0), out.data()});
        return out;
      },
      "key"_a, "domain"_a, "streams"_a, "below"_a);
  m.def(
      "normal",
      [](uint64_t key, size_t n_neurons, uint64_t first_step, uint64_t steps) {
        auto out = allocate<double, 2>({n_neurons, size_t(steps)});
        run_without_gil(sc::Normal{key, n_neurons, first_step, steps, out.data()});
        return out;
      },
      "key"_a, "n_neurons"_a, "first_step"_a, "steps"_a);
  m.def(
      "encode",
      [](uint64_t key, Words streams, In<uint64_t, 2> thresholds, uint64_t first_word,
         uint64_t length) {
        const size_t n = streams.shape(0), n_rows = thresholds.shape(0);
        auto out = allocate<uint64_t, 3>({n_rows, n, sc::words_for(length)});
        const sc::Streams to{n, thresholds.data(), first_word, length, out.data()};
        run_without_gil(sc::Encode{key, streams.data(), n_rows, to});
        return out;
      },
      "key"_a, "streams"_a, "thresholds"_a, "first_word"_a, "length"_a);
  m.def(
      "encode_matrix",
      [](uint64_t key, In<double, 2> densities, uint64_t length) {
        const size_t n_rows = densities.shape(0), lanes = densities.shape(1);
        auto out = allocate<uint64_t, 3>({n_rows, lanes, sc::words_for(length)});
        const sc::Streams to{n_rows * lanes, nullptr, 0, length, out.data()};
        run_without_gil(sc::Encode{key, nullptr, 1, to, densities.data(), lanes});
        return out;
      },
      "key"_a, "densities"_a, "length"_a);
  m.def(
      "lfsr",
      [](int width, uint32_t feedback, Words phases, Words thresholds, uint64_t first_word,
         uint64_t length, bool zero) {
        return encoded(thresholds, first_word, length, [&](const sc::Streams& to) {
          return sc::Lfsr{width, feedback, phases.data(), to, zero};
        });
      },
      "width"_a, "feedback"_a, "phases"_a, "thresholds"_a, "first_word"_a, "length"_a, "zero"_a);
  m.def(
      "digital",
      [](In<uint32_t, 2> columns, Words matrices, In<uint32_t, 1> shifts, Words thresholds,
         uint64_t first_word, uint64_t length) {
        return encoded(thresholds, first_word, length, [&](const sc::Streams& to) {
          return sc::Digital{columns.data(), matrices.data(), shifts.data(), to};
        });
      },
      "columns"_a, "matrices"_a, "shifts"_a, "thresholds"_a, "first_word"_a, "length"_a);
  m.def(
      "additive",
      [](uint64_t modulus, Words steps, Words offsets, Words thresholds, uint64_t first_word,
         uint64_t length) {
        return encoded(thresholds, first_word, length, [&](const sc::Streams& to) {
          return sc::Additive{modulus, steps.data(), offsets.data(), to};
        });
      },
      "modulus"_a, "steps"_a, "offsets"_a, "thresholds"_a, "first_word"_a, "length"_a);
  m.def(
      "radical",
      [](Words bases, Words shifts, Words thresholds, uint64_t first_word, uint64_t length) {
        return encoded(thresholds, first_word, length, [&](const sc::Streams& to) {
          return sc::Radical{bases.data(), shifts.data(), to};
        });
      },
      "bases"_a, "shifts"_a, "thresholds"_a, "first_word"_a, "length"_a);
  m.def(
      "permutation",
      [](uint64_t key, Words streams, uint64_t period, Words thresholds, uint64_t first_word,
         uint64_t length) {
        return encoded(thresholds, first_word, length, [&](const sc::Streams& to) {
          return sc::Permutation{key, streams.data(), period, to};
        });
      },
      "key"_a, "streams"_a, "period"_a, "thresholds"_a, "first_word"_a, "length"_a);
  m.def(
      "uniform",
      [](uint64_t key, Words streams, uint64_t first, uint64_t length) {
        const size_t n = streams.shape(0);
        auto out = allocate<uint32_t, 2>({n, size_t(length)});
        run_without_gil(sc::Uniform{key, streams.data(), n, first, length, out.data()});
        return out;
      },
      "key"_a, "streams"_a, "first"_a, "length"_a);
  m.def(
      "channel_counts",
      [](In<uint64_t, 3> x, In<uint64_t, 3> weights, uint64_t length) {
        const size_t n_batch = x.shape(0), n = weights.shape(0);
        auto out = allocate<uint32_t, 3>({n_batch, n, size_t(length)});
        run_without_gil(sc::ChannelCounts{x.data(), weights.data(), n_batch, n, weights.shape(1),
                                          length, out.data()});
        return out;
      },
      "x"_a, "weights"_a, "length"_a);
  m.def(
      "dot",
      [](In<uint64_t, 2> x, In<uint64_t, 2> w) {
        const size_t n_x = x.shape(0), n_w = w.shape(0);
        auto out = allocate<int64_t, 2>({n_x, n_w});
        run_without_gil(sc::Dot{x.data(), w.data(), n_x, n_w, x.shape(1), out.data()});
        return out;
      },
      "x"_a, "w"_a);
  m.def(
      "ones",
      [](In<uint64_t, 2> x) {
        const size_t n = x.shape(0);
        auto out = allocate<int64_t, 1>({n});
        run_without_gil(sc::Ones{x.data(), n, x.shape(1), out.data()});
        return out;
      },
      "x"_a);
  m.def(
      "lif",
      [](const sc::LifParameters& parameters, uint64_t key, In<double, 2> currents,
         uint64_t position, uint64_t first_step, uint64_t steps, InOut<double, 1> v,
         InOut<uint64_t, 1> refractory, InOut<double, 1> i) {
        const size_t n = v.shape(0), period = currents.shape(1);
        const size_t row_stride = currents.shape(0) == 1 ? 0 : period;
        auto out = allocate<uint64_t, 2>({n, sc::words_for(steps)});
        run_without_gil(sc::LifPopulation{parameters,
                                          key,
                                          n,
                                          currents.data(),
                                          row_stride,
                                          period,
                                          position,
                                          first_step,
                                          steps,
                                          {v.data(), refractory.data(), i.data()},
                                          out.data()});
        return out;
      },
      "parameters"_a, "key"_a, "currents"_a, "position"_a, "first_step"_a, "steps"_a,
      "v"_a.noconvert(), "refractory"_a.noconvert(), "i"_a.noconvert());
  m.def(
      "fixed_trace",
      [](const std::vector<sc::FixedNeuron>& neurons, In<int32_t, 2> counts, InOut<int32_t, 1> v,
         InOut<uint64_t, 1> refractory, InOut<int32_t, 1> i, InOut<uint64_t, 2> saturations) {
        const size_t n = counts.shape(0), steps = counts.shape(1);
        auto potentials = allocate<int32_t, 2>({n, steps});
        auto spikes = allocate<uint64_t, 2>({n, sc::words_for(steps)});
        run_without_gil(sc::FixedTrace{neurons.data(), neurons.size(), n, counts.data(), steps,
                                       v.data(), refractory.data(), i.data(), saturations.data(),
                                       potentials.data(), spikes.data()});
        return std::make_pair(potentials, spikes);
      },
      "neurons"_a, "counts"_a, "v"_a, "refractory"_a, "i"_a, "saturations"_a);
  m.def(
      "fixed_learning",
      [](const sc::FixedNeuron& neuron, const sc::FixedRule& rule, bool learns, In<uint64_t, 2> x,
         In<uint32_t, 1> numbers, In<uint8_t, 2> negative, InOut<int32_t, 2> weights,
         InOut<int32_t, 1> v, InOut<uint64_t, 1> refractory, InOut<int32_t, 1> pre,
         InOut<int32_t, 1> post, InOut<uint64_t, 1> shift_register, bool history) {
        const size_t n = weights.shape(0), n_in = weights.shape(1), steps = numbers.shape(0);
        auto potentials = allocate<int32_t, 2>({n, steps});
        auto each = allocate<int32_t, 3>({history ? steps : 0, n, n_in});
        auto spikes = allocate<uint64_t, 2>({n, sc::words_for(steps)});
        run_without_gil(sc::FixedLearning{neuron, rule, n_in, n, steps, learns, x.data(),
                                          numbers.data(), negative.data(), weights.data(), v.data(),
                                          refractory.data(), pre.data(), post.data(),
                                          shift_register.data(), potentials.data(),
                                          history ? each.data() : nullptr, spikes.data()});
        return std::make_tuple(potentials, spikes, each);
      },
      "neuron"_a, "rule"_a, "learns"_a, "x"_a, "numbers"_a, "negative"_a, "weights"_a.noconvert(),
      "v"_a.noconvert(), "refractory"_a.noconvert(), "pre"_a.noconvert(), "post"_a.noconvert(),
      "shift_register"_a.noconvert(), "history"_a);
  m.def(
      "dense",
      [](const sc::LifParameters& parameters, uint64_t weight_key, uint64_t noise_key,
         In<uint64_t, 3> x, In<int64_t, 2> weights, OptionalBits weight_bits, bool shared,
         In<double, 1> gain, uint32_t positions, uint64_t first_word, uint64_t length,
         InOut<double, 2> v, InOut<uint64_t, 2> refractory, InOut<double, 2> i) {
        const sc::Products of =
            products(weight_key, x, weights, weight_bits, shared, first_word, length);
        auto out = allocate<uint64_t, 3>({of.n_batch, of.n_out, sc::words_for(length)});
        run_without_gil(sc::DenseLayer{of,
                                       parameters,
                                       noise_key,
                                       gain.data(),
                                       positions,
                                       {v.data(), refractory.data(), i.data()},
                                       out.data()});
        return out;
      },
      "parameters"_a, "weight_key"_a, "noise_key"_a, "x"_a, "weights"_a, "weight_bits"_a.none(),
      "shared"_a, "gain"_a, "positions"_a, "first_word"_a, "length"_a, "v"_a.noconvert(),
      "refractory"_a.noconvert(), "i"_a.noconvert());
  m.def(
      "dense_sums",
      [](uint64_t weight_key, In<uint64_t, 3> x, uint64_t x_bits, uint64_t x_start,
         In<int64_t, 2> weights, OptionalBits weight_bits, bool shared, uint64_t bits_per_step,
         uint64_t first_word, uint64_t start, uint64_t length) {
        const sc::Products of =
            products(weight_key, x, weights, weight_bits, shared, first_word, length);
        sc::DenseSums sums{of, bits_per_step, start, x_bits, x_start, x.shape(2), nullptr, nullptr};
        auto out = allocate<double, 3>({of.n_batch, size_t(sums.steps()), of.n_out});
        sums.out = out.data();
        run_without_gil(sums);
        return out;
      },
      "weight_key"_a, "x"_a, "x_bits"_a, "x_start"_a, "weights"_a, "weight_bits"_a.none(),
      "shared"_a, "bits_per_step"_a, "first_word"_a, "start"_a, "length"_a);
  m.def(
      "training_sums",
      [](uint64_t weight_key, In<uint64_t, 3> x, uint64_t x_bits, In<int64_t, 2> weights,
         OptionalBits weight_bits, uint64_t bits_per_step, uint64_t steps,
         const Places& places) -> nb::object {
        sc::Products of =
            products(weight_key, x, weights, weight_bits, false, 0, steps * bits_per_step);
        const size_t n_images = x.shape(0), positions = places ? places->shape(0) : 1;
        of.n_batch = n_images * positions;
        sc::DenseSums sums{of,
                           bits_per_step,
                           0,
                           x_bits,
                           0,
                           x.shape(2),
                           nullptr,
                           nullptr,
                           positions,
                           nullptr,
                           data_or_null(places),
                           x.shape(1)};
        const auto run = [&]<class T>(T* sc::DenseSums::* where) {
          auto out = allocate<T, 3>({n_images, size_t(steps), positions * of.n_out});
          sums.*where = out.data();
          run_without_gil(sums);
          return nb::cast(out);
        };
        // Sums of a layer's own spikes may be added.
        if ((of.n_in + of.n_out) * bits_per_step <= INT16_MAX) return run(&sc::DenseSums::shorts);
        return run(&sc::DenseSums::floats);
      },
      "weight_key"_a, "x"_a, "x_bits"_a, "weights"_a, "weight_bits"_a.none(), "bits_per_step"_a,
      "steps"_a, "places"_a.none());
  m.def(
      "real_sums",
      [](In<uint64_t, 3> x, In<double, 2> weights, std::optional<In<double, 1>> bias,
         uint64_t length) {
        const size_t n_batch = x.shape(0), n_out = weights.shape(1);
        auto out = allocate<double, 3>({n_batch, size_t(length), n_out});
        run_without_gil(sc::RealSums{x.data(), weights.data(), bias ? bias->data() : nullptr,
                                     n_batch, weights.shape(0), n_out, length, out.data()});
        return out;
      },
      "x"_a, "weights"_a, "bias"_a.none(), "length"_a);
  m.def(
      "neurons",
      [](const std::vector<sc::LifParameters>& parameters, uint64_t noise_key, In<double, 3> drive,
         In<double, 1> gain, std::optional<In<double, 2>> weights, OptionalBits weight_bits,
         uint64_t bits_per_step, uint64_t start, uint32_t positions, uint64_t first_step,
         uint64_t steps, InOut<double, 2> v, InOut<uint64_t, 2> refractory, InOut<double, 2> i,
         InOut<uint64_t, 2> before, bool traced) {
        const size_t n_batch = drive.shape(0), n = drive.shape(2);
        auto spikes = allocate<uint64_t, 3>({n_batch, n, sc::words_for(steps)});
        auto potentials = allocate<double, 3>({traced ? n_batch : 0, size_t(steps), n});
        run_without_gil(sc::NeuronLayer{parameters.data(),
                                        parameters.size(),
                                        noise_key,
                                        drive.data(),
                                        drive.shape(1),
                                        gain.data(),
                                        weights ? weights->data() : nullptr,
                                        data_or_null(weight_bits),
                                        bits_per_step,
                                        start,
                                        n_batch,
                                        n,
                                        positions,
                                        first_step,
                                        steps,
                                        {v.data(), refractory.data(), i.data()},
                                        before.data(),
                                        traced ? potentials.data() : nullptr,
                                        spikes.data()});
        return std::make_pair(spikes, potentials);
      },
      "parameters"_a, "noise_key"_a, "drive"_a, "gain"_a, "weights"_a.none(),
      "weight_bits"_a.none(), "bits_per_step"_a, "start"_a, "positions"_a, "first_step"_a,
      "steps"_a, "v"_a.noconvert(), "refractory"_a.noconvert(), "i"_a.noconvert(),
      "before"_a.noconvert(), "traced"_a);
  m.def(
      "training_neurons",
      [](const std::vector<sc::LifParameters>& parameters, uint64_t noise_key, bool own_noise,
         size_t channels, Sums drive, In<double, 1> gain, std::optional<In<double, 2>> weights,
         OptionalBits weight_bits, uint64_t bits_per_step, InOut<double, 2> v) {
        const size_t n_batch = drive.shape(0), n = drive.shape(2);
        const uint64_t steps = drive.shape(1);
        auto spikes = allocate<uint64_t, 3>({n_batch, n, sc::words_for(steps)});
        std::vector<uint64_t> refractory(n_batch * n);
        std::vector<uint64_t> before(weights ? n_batch * sc::words_for(n) : 0);
        std::vector<double> i(n_batch * n);
        auto* doubles = of_type<double>(drive);
        run_without_gil(sc::NeuronLayer{parameters.data(),
                                        parameters.size(),
                                        noise_key,
                                        doubles,
                                        steps,
                                        gain.data(),
                                        weights ? weights->data() : nullptr,
                                        data_or_null(weight_bits),
                                        bits_per_step,
                                        0,
                                        n_batch,
                                        n,
                                        1,
                                        0,
                                        steps,
                                        {v.data(), refractory.data(), i.data()},
                                        before.data(),
                                        nullptr,
                                        spikes.data(),
                                        of_type<float>(drive),
                                        doubles,
                                        channels,
                                        own_noise,
                                        of_type<int16_t>(drive)});
        return spikes;
      },
      "parameters"_a, "noise_key"_a, "own_noise"_a, "channels"_a, "drive"_a.noconvert(), "gain"_a,
      "weights"_a.none(), "weight_bits"_a.none(), "bits_per_step"_a, "v"_a.noconvert());
  m.def(
      "neuron_gradients",
      [](const std::vector<sc::LifParameters>& parameters, uint64_t noise_key, bool own_noise,
         size_t channels, double surrogate, Sums drive, In<double, 1> gain, In<float, 3> of_spikes,
         In<float, 2> of_potentials, std::optional<In<float, 3>> weights, bool parameters_too,
         bool totals) {
        const size_t n_batch = drive.shape(0), n = drive.shape(2);
        const uint64_t steps = drive.shape(1);
        auto of_drive = allocate<float, 3>({n_batch, totals ? 1 : size_t(steps), n});
        auto of_gain = allocate<float, 2>({n_batch, n});
        auto of_parameters = allocate<float, 3>({parameters_too ? n_batch : 0, 3, n});
        run_without_gil(sc::NeuronGradients{parameters.data(),
                                            parameters.size(),
                                            noise_key,
                                            own_noise,
                                            channels,
                                            n_batch,
                                            n,
                                            steps,
                                            surrogate,
                                            of_type<float>(drive),
                                            gain.data(),
                                            of_spikes.data(),
                                            of_spikes.shape(1),
                                            of_potentials.data(),
                                            weights ? weights->data() : nullptr,
                                            weights ? weights->shape(0) : 0,
                                            of_drive.data(),
                                            of_gain.data(),
                                            parameters_too ? of_parameters.data() : nullptr,
                                            of_type<int16_t>(drive),
                                            totals});
        return std::make_tuple(of_drive, of_gain, of_parameters);
      },
      "parameters"_a, "noise_key"_a, "own_noise"_a, "channels"_a, "surrogate"_a, "drive"_a,
      "gain"_a, "of_spikes"_a, "of_potentials"_a, "weights"_a.none(), "parameters_too"_a,
      "totals"_a);
  m.def(
      "product_gradients",
      [](In<float, 3> of_drive, In<uint64_t, 3> x, uint64_t x_bits, const Places& places) {
        const size_t positions = places ? places->shape(0) : 1, n = of_drive.shape(2) / positions;
        const size_t n_in = places ? places->shape(1) : x.shape(1);
        auto out = allocate<float, 2>({n_in, n});
        run_without_gil(sc::ProductGradients{of_drive.data(), x.data(), x_bits, of_drive.shape(1),
                                             x.shape(0) * positions, n_in, n, out.data(), positions,
                                             data_or_null(places), x.shape(1)});
        return out;
      },
      "of_drive"_a, "x"_a, "x_bits"_a, "places"_a.none());
  m.def(
      "input_gradients",
      [](In<float, 2> of_sums, In<float, 4> weights, In<int32_t, 2> pixels, InOut<float, 3> out) {
        run_without_gil(sc::InputGradients{of_sums.data(), weights.data(), pixels.data(),
                                           of_sums.shape(0), weights.shape(0), pixels.shape(0),
                                           pixels.shape(1), weights.shape(2), out.shape(1),
                                           out.shape(2), out.data()});
      },
      "of_sums"_a, "weights"_a, "pixels"_a, "out"_a.noconvert());
  m.def(
      "codes",
      [](nb::ndarray<nb::ndim<2>, nb::c_contig, nb::device::cpu, nb::ro> weights) {
        const size_t n = weights.shape(0), n_in = weights.shape(1);
        auto out = allocate<int64_t, 2>({n_in, n});
        run_without_gil(sc::Codes{of_type<const float>(weights), of_type<const double>(weights),
                                  n_in, n, out.data()});
        return out;
      },
      "weights"_a);

  m.def(
      "machine",
      [](In<uint32_t, 2> table, size_t n_out, In<uint64_t, 3> inputs, uint64_t length,
         InOut<uint32_t, 1> states) {
        const size_t n_rows = states.shape(0);
        auto out = allocate<uint64_t, 3>({n_out, n_rows, sc::words_for(length)});
        run_without_gil(sc::Machine{table.data(), table.shape(0), inputs.shape(0), n_out, n_rows,
                                    inputs.data(), length, states.data(), out.data()});
        return out;
      },
      "table"_a, "n_out"_a, "inputs"_a, "length"_a, "states"_a.noconvert());
  m.def(
      "circuit",
      [](In<int32_t, 2> steps, size_t n_values, In<int32_t, 1> outputs, In<int32_t, 2> holds,
         In<uint32_t, 1> tables, In<uint64_t, 3> inputs, uint64_t length, InOut<uint64_t, 2> held,
         InOut<uint32_t, 2> states) {
        const size_t n_rows = states.shape(1);
        auto out = allocate<uint64_t, 3>({outputs.shape(0), n_rows, sc::words_for(length)});
        run_without_gil(sc::Circuit{steps.data(), steps.shape(0), n_values, outputs.data(),
                                    holds.data(), tables.data(), inputs.shape(0), outputs.shape(0),
                                    holds.shape(0), n_rows, inputs.data(), length, held.data(),
                                    states.data(), out.data()});
        return out;
      },
      "steps"_a, "n_values"_a, "outputs"_a, "holds"_a, "tables"_a, "inputs"_a, "length"_a,
      "held"_a.noconvert(), "states"_a.noconvert());
  m.def(
      "integrate",
      [](In<uint64_t, 3> inputs, In<uint32_t, 3> numbers, int n_bits, uint64_t length,
         InOut<uint32_t, 1> counters) {
        const size_t n_rows = counters.shape(0);
        auto out = allocate<uint64_t, 2>({n_rows, sc::words_for(length)});
        run_without_gil(sc::Integrator{inputs.data(), numbers.data(), inputs.shape(0),
                                       numbers.shape(0), n_rows, n_bits, length, counters.data(),
                                       out.data()});
        return out;
      },
      "inputs"_a, "numbers"_a, "n_bits"_a, "length"_a, "counters"_a.noconvert());
  m.def(
      "moving_average",
      [](In<uint64_t, 2> x, double gain, uint64_t length, InOut<double, 1> y) {
        const size_t n_rows = y.shape(0);
        auto out = allocate<double, 2>({n_rows, size_t(length)});
        run_without_gil(sc::MovingAverage{x.data(), n_rows, gain, length, y.data(), out.data()});
        return out;
      },
      "x"_a, "gain"_a, "length"_a, "y"_a.noconvert());
  m.def(
      "shuffle",
      [](In<uint64_t, 2> x, In<uint32_t, 2> numbers, uint64_t depth, uint64_t length,
         InOut<uint64_t, 2> buffers) {
        const size_t n_rows = x.shape(0);
        auto out = allocate<uint64_t, 2>({n_rows, sc::words_for(length)});
        run_without_gil(sc::Shuffle{x.data(), n_rows, numbers.data(), depth, length, buffers.data(),
                                    out.data()});
        return out;
      },
      "x"_a, "numbers"_a, "depth"_a, "length"_a, "buffers"_a.noconvert());
  m.def(
      "deposit",
      [](In<uint64_t, 2> x, In<uint64_t, 2> w, uint64_t length) {
        const size_t n_rows = x.shape(0);
        auto out = allocate<uint64_t, 2>({n_rows, sc::words_for(length)});
        run_without_gil(sc::Deposit{x.data(), w.data(), n_rows, length, out.data()});
        return out;
      },
      "x"_a, "w"_a, "length"_a);
  m.def(
      "in_stream",
      [](In<uint64_t, 2> x, In<uint64_t, 2> y, In<uint32_t, 2> numbers, In<uint64_t, 1> thresholds,
         uint64_t length, bool bipolar) {
        const size_t n_rows = x.shape(0);
        auto out = allocate<uint64_t, 2>({n_rows, sc::words_for(length)});
        run_without_gil(sc::InStream{x.data(), y.data(), n_rows, numbers.data(), thresholds.data(),
                                     thresholds.shape(0) - 1, length, bipolar, out.data()});
        return out;
      },
      "x"_a, "y"_a, "numbers"_a, "thresholds"_a, "length"_a, "bipolar"_a);

  using Rule = sc::PlasticRule;
  nb::class_<Rule>(m, "PlasticRule")
      .def(
          "__init__",
          [](Rule* self, double a_plus, double a_minus, double a3_plus, double a3_minus,
             double keep_plus, double keep_minus, double keep_x, double keep_y, double w_max,
             bool soft, bool nearest, bool keeps_sign, bool triplet, double level,
             double keep_eligibility, double learning_rate, uint64_t period, double total,
             double goal, double strength, double keep_average, double inhibition,
             double threshold_step, double keep_threshold) {
            *self = {a_plus,        a_minus,    a3_plus,        a3_minus,      keep_plus,
                     keep_minus,    keep_x,     keep_y,         w_max,         soft,
                     nearest,       keeps_sign, triplet,        level,         keep_eligibility,
                     learning_rate, period,     total,          goal,          strength,
                     keep_average,  inhibition, threshold_step, keep_threshold};
          },
          nb::kw_only(), "a_plus"_a = 0.0, "a_minus"_a = 0.0, "a3_plus"_a = 0.0, "a3_minus"_a = 0.0,
          "keep_plus"_a = 0.0, "keep_minus"_a = 0.0, "keep_x"_a = 0.0, "keep_y"_a = 0.0,
          "w_max"_a = 1.0, "soft"_a = false, "nearest"_a = false, "keeps_sign"_a = true,
          "triplet"_a = false, "level"_a = 0.0, "keep_eligibility"_a = 0.0, "learning_rate"_a = 0.0,
          "period"_a = 0, "total"_a = 0.0, "goal"_a = 0.0, "strength"_a = 0.0,
          "keep_average"_a = 0.0, "inhibition"_a = 0.0, "threshold_step"_a = 0.0,
          "keep_threshold"_a = 0.0)
      .def_ro("a_plus", &Rule::a_plus)
      .def_ro("a_minus", &Rule::a_minus)
      .def_ro("a3_plus", &Rule::a3_plus)
      .def_ro("a3_minus", &Rule::a3_minus)
      .def_ro("keep_plus", &Rule::keep_plus)
      .def_ro("keep_minus", &Rule::keep_minus)
      .def_ro("keep_x", &Rule::keep_x)
      .def_ro("keep_y", &Rule::keep_y)
      .def_ro("w_max", &Rule::w_max)
      .def_ro("soft", &Rule::soft)
      .def_ro("nearest", &Rule::nearest)
      .def_ro("keeps_sign", &Rule::keeps_sign)
      .def_ro("triplet", &Rule::triplet)
      .def_ro("level", &Rule::level)
      .def_ro("keep_eligibility", &Rule::keep_eligibility)
      .def_ro("learning_rate", &Rule::learning_rate)
      .def_ro("period", &Rule::period)
      .def_ro("total", &Rule::total)
      .def_ro("goal", &Rule::goal)
      .def_ro("strength", &Rule::strength)
      .def_ro("keep_average", &Rule::keep_average)
      .def_ro("inhibition", &Rule::inhibition)
      .def_ro("threshold_step", &Rule::threshold_step)
      .def_ro("keep_threshold", &Rule::keep_threshold);

  nb::class_<sc::FixedRule>(m, "FixedRule")
      .def(
          "__init__",
          [](sc::FixedRule* self, int64_t most, int weight_drop, int64_t one, int64_t trace_most,
             bool nearest, int64_t keep_plus, int64_t keep_minus, int keep_plus_shift,
             int keep_minus_shift, int64_t a_plus, int64_t a_minus, int a_plus_shift,
             int a_minus_shift, int64_t level, int trace_drop) {
            *self = {most,          weight_drop,     one,
                     trace_most,    nearest,         keep_plus,
                     keep_minus,    keep_plus_shift, keep_minus_shift,
                     a_plus,        a_minus,         a_plus_shift,
                     a_minus_shift, level,           trace_drop};
          },
          nb::kw_only(), "most"_a, "weight_drop"_a, "one"_a, "trace_most"_a, "nearest"_a,
          "keep_plus"_a, "keep_minus"_a, "keep_plus_shift"_a, "keep_minus_shift"_a, "a_plus"_a,
          "a_minus"_a, "a_plus_shift"_a, "a_minus_shift"_a, "level"_a = 0, "trace_drop"_a = 0);
  nb::class_<sc::PlasticRunner>(m, "PlasticRunner")
      .def(
          "__init__",
          [](sc::PlasticRunner* self, const sc::PlasticRule& rule,
             const std::vector<sc::LifParameters>& parameters,
             std::tuple<uint64_t, uint64_t, uint64_t, uint64_t> keys, size_t n_in,
             In<double, 1> gain, std::optional<In<int64_t, 1>> bias,
             std::optional<In<int64_t, 2>> recurrent, bool shared, bool has_signs,
             In<double, 1> powers) {
            const auto [weight_key, noise_key, down_key, up_key] = keys;
            new (self) sc::PlasticRunner(
                {.rule = rule,
                 .lif = parameters,
                 .weight_key = weight_key,
                 .noise_key = noise_key,
                 .move_keys = {down_key, up_key},
                 .n_in = n_in,
                 .gain = copied(gain),
                 .powers = copied(powers),
                 .bias = bias ? copied(*bias) : std::vector<int64_t>{},
                 .recurrent = recurrent ? copied(*recurrent) : std::vector<int64_t>{},
                 .shared = shared,
                 .has_signs = has_signs});
          },
          "rule"_a, "parameters"_a, "keys"_a, "n_in"_a, "gain"_a, "bias"_a.none(),
          "recurrent"_a.none(), "shared"_a, "has_signs"_a, "powers"_a)
      .def("run", run_plastic, "x"_a.none(), "densities"_a.none(), "x_start"_a, "input_key"_a,
           "first"_a, "steps"_a, "rewards"_a.none(), "state"_a.noconvert())
      .def("step", step_plastic, "input_key"_a, "x"_a, "first"_a, "steps"_a, "state"_a, "counts"_a,
           "potentials"_a);

  using Lif = sc::LifParameters;
  nb::class_<Lif>(m, "LIFParameters")
      .def(
          "__init__",
          [](Lif* self, double leak, double v_rest, double gain, double noise_std,
             double v_threshold, double v_reset, uint64_t refractory_period, double syn_leak,
             bool subtracts, bool fixed, double v_min, double v_max) {
            *self = {leak,     v_rest,    gain,  noise_std, v_threshold, v_reset, refractory_period,
                     syn_leak, subtracts, fixed, v_min,     v_max};
          },
          nb::kw_only(), "leak"_a, "v_rest"_a, "gain"_a, "noise_std"_a, "v_threshold"_a,
          "v_reset"_a, "refractory_period"_a, "syn_leak"_a, "subtracts"_a, "fixed"_a = false,
          "v_min"_a = 0.0, "v_max"_a = 0.0)
      .def_ro("leak", &Lif::leak)
      .def_ro("v_rest", &Lif::v_rest)
      .def_ro("gain", &Lif::gain)
      .def_ro("noise_std", &Lif::noise_std)
      .def_ro("v_threshold", &Lif::v_threshold)
      .def_ro("v_reset", &Lif::v_reset)
      .def_ro("refractory_period", &Lif::refractory_period)
      .def_ro("syn_leak", &Lif::syn_leak)
      .def_ro("subtracts", &Lif::subtracts)
      .def_ro("fixed", &Lif::fixed)
      .def_ro("v_min", &Lif::v_min)
      .def_ro("v_max", &Lif::v_max);

  using Fixed = sc::FixedNeuron;
  nb::class_<Fixed>(m, "FixedNeuron")
      .def(
          "__init__",
          [](Fixed* self, int64_t one, int64_t leak, int leak_shift, int64_t threshold,
             int64_t reset, bool subtracts, uint64_t refractory_period, int64_t v_min,
             int64_t v_max, int64_t syn_leak, int syn_leak_shift, int syn_fraction) {
            *self = {one,       leak,  leak_shift, syn_leak,          syn_leak_shift, syn_fraction,
                     threshold, reset, subtracts,  refractory_period, v_min,          v_max};
          },
          nb::kw_only(), "one"_a, "leak"_a, "leak_shift"_a, "threshold"_a, "reset"_a, "subtracts"_a,
          "refractory_period"_a, "v_min"_a, "v_max"_a, "syn_leak"_a = 0, "syn_leak_shift"_a = 0,
          "syn_fraction"_a = 0)
      .def_ro("one", &Fixed::one)
      .def_ro("leak", &Fixed::leak)
      .def_ro("leak_shift", &Fixed::leak_shift)
      .def_ro("syn_leak", &Fixed::syn_leak)
      .def_ro("syn_leak_shift", &Fixed::syn_leak_shift)
      .def_ro("syn_fraction", &Fixed::syn_fraction)
      .def_ro("threshold", &Fixed::threshold)
      .def_ro("reset", &Fixed::reset)
      .def_ro("subtracts", &Fixed::subtracts)
      .def_ro("refractory_period", &Fixed::refractory_period)
      .def_ro("v_min", &Fixed::v_min)
      .def_ro("v_max", &Fixed::v_max);

  nb::class_<sc::ChainRunner>(m, "Chain")
      .def(nb::init<>())
      .def(
          "add",
          [](sc::ChainRunner& chain, const std::vector<Lif>& parameters, uint64_t weight_key,
             uint64_t noise_key, In<int64_t, 2> weights, bool always_on, bool shared,
             In<double, 1> gain, In<double, 1> needed, In<double, 1> rest) {
            chain.add({parameters,
                       weight_key,
                       noise_key,
                       weights.data(),
                       weights.shape(0),
                       weights.shape(1),
                       always_on,
                       shared,
                       {gain.data(), gain.data() + gain.size()},
                       {needed.data(), needed.data() + needed.size()},
                       {rest.data(), rest.data() + rest.size()}});
          },
          "parameters"_a, "weight_key"_a, "noise_key"_a, "weights"_a.noconvert(), "always_on"_a,
          "shared"_a, "gain"_a, "needed"_a, "rest"_a, nb::keep_alive<1, 5>())
      .def(
          "keep",
          [](sc::ChainRunner& chain, uint64_t steps, const ChainBits& bits) {
            const std::vector<const uint64_t*> at = pointers(chain, bits);
            const nb::gil_scoped_release nogil;
            chain.keep(steps, at);
          },
          "steps"_a, "bits"_a.none())
      .def(
          "step",
          [](const sc::ChainRunner& chain, double levels, uint64_t key, nb::handle x,
             uint64_t first, uint64_t steps, nb::handle state, nb::handle counts,
             nb::handle potentials) {
            return run_chain(chain, x, levels, key, std::nullopt, first, steps, std::nullopt, false,
                             false, state, counts, potentials);
          },
          "levels"_a, "key"_a, "x"_a, "first"_a, "steps"_a, "state"_a, "counts"_a, "potentials"_a)
      .def("run", run_chain, "x"_a, "levels"_a, "key"_a, "numbers"_a.none(), "first"_a, "steps"_a,
           "bits"_a.none(), "rest"_a, "explain"_a, "state"_a, "counts"_a, "potentials"_a);

  nb::class_<sc::Neuron>(m, "Neuron")
      .def(nb::init<const Lif&, uint64_t>(), "parameters"_a, "key"_a)
      .def("step", step, "input_current"_a.none())
      .def("run", run_neuron, "currents"_a)
      .def("reset", &sc::Neuron::reset)
      .def("restore", &sc::Neuron::restore, "v"_a, "refractory"_a, "i"_a, "t"_a)
      .def_prop_ro("v", &sc::Neuron::v)
      .def_prop_ro("i", &sc::Neuron::i)
      .def_prop_ro("refractory", &sc::Neuron::refractory)
      .def_prop_ro("t", &sc::Neuron::t);
}
