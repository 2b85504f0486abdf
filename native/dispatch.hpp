// The instruction sets of this machine and the number of threads: the two settings of the core.
#pragma once
#include <algorithm>
#include <thread>
#include <vector>

#include "kernels.hpp"

namespace sc {

// The kernels of each level that this machine can run, from the most general to the fastest.
const std::vector<const Kernels*>& available_kernels();

// Runs f(first, last) on a split of [0, items) over at most `threads` threads, each with at least
// `grain` items. f must not throw.
template <class F>
void parallel(size_t items, size_t grain, size_t threads, F&& f) {
  const size_t n = std::max<size_t>(1, std::min(threads, items / std::max<size_t>(grain, 1)));
  std::vector<std::thread> others;
  for (size_t i = 1; i < n; i++) others.emplace_back(f, items * i / n, items * (i + 1) / n);
  f(size_t{0}, items / n);
  for (std::thread& other : others) other.join();
}

}  // namespace sc
