// The instruction sets of this machine, and the two settings of the core.
#pragma once
#include <atomic>
#include <cstddef>
#include <vector>

namespace sc {

struct Kernels;

// The kernels of each level that this machine can run, from the most general to the fastest.
const std::vector<const Kernels*>& available_kernels();

extern std::atomic<const Kernels*> kernels;  // in use: at first the fastest
extern std::atomic<size_t> n_threads;        // at most, of a call

}  // namespace sc
