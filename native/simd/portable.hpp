// One 64-bit lane in plain C++: the form that every machine has, and the meaning of the others.
#pragma once
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "../normal_table.hpp"

namespace sc::SC_LEVEL {

inline constexpr int kLanes = 1;
inline constexpr bool kPopcounts = false;  // counts the ones of lanes in one instruction

struct U {
  uint64_t v;
};
struct F {
  double v;
};
struct M {
  bool v;
};

inline U load(const uint64_t* p) { return {*p}; }
inline void store(uint64_t* p, U a) { *p = a.v; }
// The first lanes only; zeros in the others.
inline U load_some(const uint64_t* p, size_t count) { return {count == 0 ? 0 : *p}; }
inline void store_some(uint64_t* p, U a, size_t count) {
  if (count != 0) *p = a.v;
}
inline U set1(uint64_t a) { return {a}; }
inline U iota() { return {0}; }

inline U operator&(U a, U b) { return {a.v & b.v}; }
inline U operator|(U a, U b) { return {a.v | b.v}; }
inline U operator^(U a, U b) { return {a.v ^ b.v}; }
inline U operator+(U a, U b) { return {a.v + b.v}; }
inline U operator-(U a, U b) { return {a.v - b.v}; }
inline U operator<<(U a, int n) { return {a.v << n}; }
inline U operator>>(U a, int n) { return {a.v >> n}; }

inline U mul32(U a, U b) { return {uint64_t{uint32_t(a.v)} * uint32_t(b.v)}; }
inline U join32(U lo, U hi) { return {uint64_t{uint32_t(lo.v)} | hi.v << 32}; }
inline U xor3(U a, U b, U c) { return {a.v ^ b.v ^ c.v}; }
inline U majority(U a, U b, U c) { return {(a.v & b.v) | (c.v & (a.v | b.v))}; }
inline U and_xor(U a, U b, U c) { return {(a.v & b.v) ^ c.v}; }
inline U and_xor_aside(U a, U b, U c) { return and_xor(a, b, c); }
inline U equal_step(U eq, U r, U p) { return {eq.v & ~(r.v ^ p.v)}; }
inline U sign_mask(U a) { return {uint64_t(int64_t(a.v) >> 63)}; }
inline U and_not(U a, U b) { return {a.v & ~b.v}; }
inline U or_and_not(U a, U b, U c) { return {a.v | (b.v & ~c.v)}; }
inline U bit_select(U mask, U yes, U no) { return {(mask.v & yes.v) | (~mask.v & no.v)}; }
inline uint64_t sum_lanes(U a) { return a.v; }
inline U min(U a, U b) { return {a.v < b.v ? a.v : b.v}; }
inline unsigned below_bits(U a, U b) { return a.v < b.v; }
inline unsigned nonzero_lanes(U a) { return a.v != 0; }
inline void store_lanes(uint64_t* p, unsigned, U a) { *p = a.v; }
inline bool any_both(U a, U b) { return a.v != 0 && b.v != 0; }

inline F loadf(const double* p) { return {*p}; }
inline void storef(double* p, F a) { *p = a.v; }
inline F set1f(double a) { return {a}; }
inline F widen(const float* p) { return {double(*p)}; }
inline void narrow(float* p, F a) { *p = float(a.v); }
inline U lengthen(const int16_t* p) { return {uint64_t(int64_t{*p})}; }
inline void shorten(int16_t* p, U a) { *p = int16_t(a.v); }
inline F operator+(F a, F b) { return {a.v + b.v}; }
inline F operator-(F a, F b) { return {a.v - b.v}; }
inline F operator*(F a, F b) { return {a.v * b.v}; }
inline F operator/(F a, F b) { return {a.v / b.v}; }
inline F abs(F a) { return {std::fabs(a.v)}; }
inline F floor(F a) { return {std::floor(a.v)}; }
inline F clamp(F a, F low, F high) { return {std::fmin(std::fmax(a.v, low.v), high.v)}; }
inline F to_double(U a) { return {double(int64_t(a.v))}; }

// columns[k] = element k of each row.
inline void load_columns(const double* const (&rows)[kLanes], size_t at, F (&columns)[kLanes]) {
  columns[0] = {rows[0][at]};
}

inline M nonzero(U a) { return {a.v != 0}; }
inline M at_least(F a, F b) { return {a.v >= b.v}; }
inline M at_least(F a, F b, M where) { return {where.v && a.v >= b.v}; }
inline M less(U a, U b) { return {int64_t(a.v) < int64_t(b.v)}; }
inline U or_where(M m, U a, U b) { return {m.v ? a.v | b.v : a.v}; }
inline F select(M m, F yes, F no) { return m.v ? yes : no; }
inline U select(M m, U yes, U no) { return m.v ? yes : no; }

// out[t] = the number whose digit p is bit t of planes[p * stride], for 64 steps.
inline void expand_counts(const uint64_t* planes, size_t stride, int n_planes, uint32_t* out) {
  for (int t = 0; t < 64; t++) out[t] = uint32_t(planes[0] >> t & 1);
  for (int p = 1; p < n_planes; p++) {
    const uint64_t bits = planes[size_t(p) * stride];
    for (int t = 0; t < 64; t++) out[t] |= uint32_t(bits >> t & 1) << p;
  }
}

inline float normal(uint32_t u) {
  const float tail = float((u & 0x7fffffffu) + 1u);
  uint32_t bits;
  std::memcpy(&bits, &tail, 4);
  const uint32_t octave = bits >> 23 & 31, mantissa = (bits & 0x7fffffu) | 0x3f800000u;
  float t;
  std::memcpy(&t, &mantissa, 4);
  t = t - 1.5f;
  float z = kNormalTable[5][octave];
  for (int k = 4; k >= 0; k--) z = z * t + kNormalTable[k][octave];
  std::memcpy(&bits, &z, 4);
  bits ^= u & 0x80000000u;
  std::memcpy(&z, &bits, 4);
  return z;
}

// The standard normal values of the uniform 32-bit numbers in the low halves, in single precision.
template <int N>
inline void normal(const U* numbers, float* out) {
  for (int i = 0; i < N; i++) out[i] = normal(uint32_t(numbers[i].v));
}

// sum ^ addend in the lanes where word & bit, a single bit, is not 0.
inline U xor_where(U sum, U word, U bit, U addend) {
  return {sum.v ^ (addend.v & -uint64_t{(word.v & bit.v) != 0})};
}

inline U popcount(U a) { return {uint64_t(std::popcount(a.v))}; }

// The 64 bits of high:low from bit n on.
inline U funnel(U low, U high, U n) { return {low.v >> n.v | (high.v << 1) << (63 - n.v)}; }
template <int n>
inline U funnel(U low, U high) {
  return {low.v >> n | (high.v << 1) << (63 - n)};
}
// What a - b borrows from the next digit, if c is borrowed from this one.
inline U borrow(U a, U b, U c) { return {(b.v & c.v) | ((b.v | c.v) & ~a.v)}; }

inline U gather(const uint64_t* p, U index) { return {p[index.v]}; }

inline U gather(const uint32_t* p, U index) { return {p[index.v]}; }

}  // namespace sc::SC_LEVEL
