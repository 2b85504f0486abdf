// Vertical counters: bit plane p of a lane holds binary digit p of 64 counts, one a time step, so
// that a carry-save adder adds one product to all of them at once.
#pragma once
#include "simd.hpp"

namespace sc::SC_LEVEL {

inline constexpr int kMaxPlanes = 40;

inline void full_add(U& carry, U& sum, U a, U b) {
  const U old = sum;
  carry = majority(old, a, b);
  sum = xor3(old, a, b);
}

class Counter {
 public:
  explicit Counter(int n_planes) : n_planes_(n_planes) {
    for (int p = 0; p < n_planes || p < 3; p++) plane_[p] = set1(0);
  }

  U plane(int p) const { return plane_[p]; }

  // Adds term(0) .. term(7).
  template <class Term>
  void add8(Term&& term) {
    U two_a, two_b, four_a, four_b, carry;
    full_add(two_a, plane_[0], term(0), term(1));
    full_add(two_b, plane_[0], term(2), term(3));
    full_add(four_a, plane_[1], two_a, two_b);
    full_add(two_a, plane_[0], term(4), term(5));
    full_add(two_b, plane_[0], term(6), term(7));
    full_add(four_b, plane_[1], two_a, two_b);
    full_add(carry, plane_[2], four_a, four_b);
    for (int p = 3; p < n_planes_; p++) {
      const U next = plane_[p] & carry;
      plane_[p] = plane_[p] ^ carry;
      carry = next;
    }
  }

 private:
  U plane_[kMaxPlanes];
  int n_planes_;
};

// Planes that hold counts up to n.
inline int planes_for(size_t n) {
  int planes = 0;
  while (n >> planes != 0) planes++;
  return planes;
}

}  // namespace sc::SC_LEVEL
