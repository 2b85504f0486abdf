// Vertical counters: bit plane p of a lane holds binary digit p of 64 counts, one a time step, so
// that a carry-save adder adds one product to all of them at once.
#pragma once
#include "simd.hpp"

namespace sc::SC_LEVEL {

inline void full_add(U& carry, U& sum, U a, U b) {
  const U old = sum;
  carry = majority(old, a, b);
  sum = xor3(old, a, b);
}

// M counters of P planes each, side by side: what a term of all of them needs is loaded once.
template <int M, int P>
class Counters {
 public:
  Counters() {
#pragma GCC unroll 8
    for (int p = 0; p < P; p++)
#pragma GCC unroll 2
      for (int m = 0; m < M; m++) planes_[p][m] = set1(0);
  }

  // Adds counter m to the n planes of a sum in memory, which has room for the result.
  void add_to(uint64_t* sum, int n, int m) const {
    U carry = set1(0);
    const auto add = [&](int p) {
      U plane = load(sum + p * kLanes);
      if (p < P) {
        full_add(carry, plane, planes_[p][m], carry);
      } else {
        const U next = plane & carry;
        plane = plane ^ carry;
        carry = next;
      }
      store(sum + p * kLanes, plane);
    };
#pragma GCC unroll 8
    for (int p = 0; p < P; p++)
      if (p < n) add(p);
    for (int p = P; p < n; p++) add(p);
  }

  // Adds 2 << Level terms: term(k, out) sets out[m] for counter m. They first meet in a tree of
  // full adders, so that the planes above it see one carry.
  template <int Level, class Term>
  [[gnu::always_inline]] void add(Term&& term) {
    U carry[M];
    add_tree<Level>(carry, 0, term);
#pragma GCC unroll 8
    for (int p = Level + 1; p < P; p++) {
#pragma GCC unroll 2
      for (int m = 0; m < M; m++) {
        const U next = planes_[p][m] & carry[m];
        planes_[p][m] = planes_[p][m] ^ carry[m];
        carry[m] = next;
      }
    }
  }

 private:
  template <int Level, class Term>
  [[gnu::always_inline]] void add_tree(U (&carry)[M], size_t first, Term&& term) {
    U a[M], b[M];
    if constexpr (Level == 0) {
      term(first, a);
      term(first + 1, b);
    } else {
      add_tree<Level - 1>(a, first, term);
      add_tree<Level - 1>(b, first + (size_t{1} << Level), term);
    }
#pragma GCC unroll 2
    for (int m = 0; m < M; m++) full_add(carry[m], planes_[Level][m], a[m], b[m]);
  }

  U planes_[P][M];
};

// Planes that hold counts up to n.
inline int planes_for(size_t n) {
  int planes = 0;
  while (n >> planes != 0) planes++;
  return planes;
}

// Exchanges bits of b whose bit s of a position is 0 with those of a where it is 1.
inline void exchange(U& a, U& b, int s) {
  const U low = set1(~uint64_t{0} / ((uint64_t{1} << s) + 1)), old = a;
  a = bit_select(low, old, b << s);
  b = bit_select(low, old >> s, b);
}

// The exchanges of eight rows that lie `apart` rows from one another in a matrix.
template <int apart>
inline void exchange_blocks(U (&rows)[8]) {
#pragma GCC unroll 3
  for (int s = 4; s > 0; s /= 2)
#pragma GCC unroll 8
    for (int r = 0; r < 8; r++)
      if ((r & s) == 0) exchange(rows[r], rows[r + s], s * apart);
}

// Turns kLanes matrices of 64 x 64 bits: bit i of row k of a lane becomes bit k of its row i.
// row(i) is read once, in any order; put(k, turned row).
template <class Row, class Put>
inline void turn_64(Row&& row, Put&& put) {
  uint64_t between[64][kLanes];
  U part[8];
#pragma GCC unroll 1
  for (size_t i = 0; i < 8; i++) {
#pragma GCC unroll 8
    for (size_t q = 0; q < 8; q++) part[q] = row(i + 8 * q);
    exchange_blocks<8>(part);
#pragma GCC unroll 8
    for (size_t q = 0; q < 8; q++) store(between[i + 8 * q], part[q]);
  }
#pragma GCC unroll 1
  for (size_t k = 0; k < 64; k += 8) {
#pragma GCC unroll 8
    for (size_t q = 0; q < 8; q++) part[q] = load(between[k + q]);
    exchange_blocks<1>(part);
#pragma GCC unroll 8
    for (size_t q = 0; q < 8; q++) put(k + q, part[q]);
  }
}

// Turns F planes into 64 counts a lane: afterwards the count of step t is in planes[t % F], in the
// F bits from F * (t / F) on. Each block of F x F bits is transposed (Warren: Hacker's Delight,
// 7-3).
template <int F>
inline void transpose_planes(U (&planes)[F]) {
#pragma GCC unroll 6
  for (int s = F / 2; s > 0; s /= 2)
#pragma GCC unroll 32
    for (int r = 0; r < F; r++)
      if ((r & s) == 0) exchange(planes[r], planes[r + s], s);
}

// The first F steps of turn_64, F a power of two up to 64: row(i) is read once for each i, and put
// gets the rows 0 .. F - 1. Rows i, i + F, ... lie side by side in words of F x F blocks.
template <int F, class Row, class Put>
inline void turn_first(Row&& row, Put&& put) {
  if constexpr (F == 64) {
    turn_64(row, put);
  } else {
    const U field = set1((uint64_t{1} << F) - 1);
    U planes[F];
#pragma GCC unroll 1
    for (size_t r = 0; r < F; r++) {
      U plane = row(r) & field;
#pragma GCC unroll 7
      for (int f = 1; f < 64 / F; f++) plane = plane | ((row(r + F * f) & field) << F * f);
      planes[r] = plane;
    }
    transpose_planes<F>(planes);
#pragma GCC unroll 1
    for (size_t k = 0; k < F; k++) put(k, planes[k]);
  }
}

// The same for a number of steps that is known when it runs; put may get more rows than that.
template <class Row, class Put>
inline void turn_steps(int steps, Row&& row, Put&& put) {
  if (steps <= 8) return turn_first<8>(row, put);
  if (steps <= 16) return turn_first<16>(row, put);
  if (steps <= 32) return turn_first<32>(row, put);
  turn_first<64>(row, put);
}

}  // namespace sc::SC_LEVEL
