// Rows that go through time together: where each step waits for the one before, the steps of other
// rows fill the wait.
#pragma once
#include <type_traits>

#include "kernels.hpp"

namespace sc {

// Calls run(R, row) for groups of R = 8, 4 and 1 rows of a part, the most first. R is a
// constant of its type.
template <class F>
void in_groups(const Part& part, F&& run) {
  size_t first = part.first;
  const size_t last = part.last;
  for (; first + 8 <= last; first += 8) run(std::integral_constant<size_t, 8>{}, first);
  for (; first + 4 <= last; first += 4) run(std::integral_constant<size_t, 4>{}, first);
  for (; first < last; first++) run(std::integral_constant<size_t, 1>{}, first);
}

}  // namespace sc
