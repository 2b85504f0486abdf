// Rows that go through time together: where each step waits for the one before, the steps of other
// rows fill the wait.
#pragma once
#include <cstddef>
#include <type_traits>

namespace sc {

inline constexpr size_t kTogether = 8;

// Calls run(R, row) for groups of R = kTogether rows of [first, last), then for what is left with
// R = 1. R is a constant of the type.
template <class F>
void in_groups(size_t first, size_t last, F&& run) {
  for (; first + kTogether <= last; first += kTogether)
    run(std::integral_constant<size_t, kTogether>{}, first);
  for (; first < last; first++) run(std::integral_constant<size_t, 1>{}, first);
}

}  // namespace sc
