// The instruction sets of this machine and the number of threads: the two settings of the core.
#pragma once
#include <algorithm>
#include <system_error>
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
  for (size_t i = 1; i < n; i++) {
    const size_t first = items * i / n, last = items * (i + 1) / n;
    try {
      others.emplace_back(f, first, last);
    } catch (const std::system_error&) {  // no thread to be had: this one does the work
      f(first, last);
    }
  }
  f(size_t{0}, items / n);
  for (std::thread& other : others) other.join();
}

}  // namespace sc
