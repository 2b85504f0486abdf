// Two 64-bit lanes in the NEON registers of every 64-bit ARM processor.
#pragma once
#include <arm_neon.h>

#include <cstddef>
#include <cstdint>

#include "../normal_table.hpp"

namespace sc::SC_LEVEL {

inline constexpr int kLanes = 2;
inline constexpr bool kPopcounts = false;  // counts the ones of lanes in one instruction

struct U {
  uint64x2_t v;
};
struct F {
  float64x2_t v;
};
struct M {
  uint64x2_t v;
};

inline U load(const uint64_t* p) { return {vld1q_u64(p)}; }
inline void store(uint64_t* p, U a) { vst1q_u64(p, a.v); }
inline U set1(uint64_t a) { return {vdupq_n_u64(a)}; }
inline U iota() { return {vcombine_u64(vcreate_u64(0), vcreate_u64(1))}; }
inline U load_some(const uint64_t* p, size_t count) {
  if (count >= kLanes) return load(p);
  return {count == 0 ? vdupq_n_u64(0) : vcombine_u64(vld1_u64(p), vcreate_u64(0))};
}
inline void store_some(uint64_t* p, U a, size_t count) {
  if (count >= kLanes) return store(p, a);
  if (count != 0) vst1q_lane_u64(p, a.v, 0);
}

inline U operator&(U a, U b) { return {vandq_u64(a.v, b.v)}; }
inline U operator|(U a, U b) { return {vorrq_u64(a.v, b.v)}; }
inline U operator^(U a, U b) { return {veorq_u64(a.v, b.v)}; }
inline U operator+(U a, U b) { return {vaddq_u64(a.v, b.v)}; }
inline U operator-(U a, U b) { return {vsubq_u64(a.v, b.v)}; }
// Operators of the compiler, which know a constant n.
inline U operator<<(U a, int n) { return {a.v << set1(uint64_t(n)).v}; }
inline U operator>>(U a, int n) { return {a.v >> set1(uint64_t(n)).v}; }

inline U mul32(U a, U b) { return {vmull_u32(vmovn_u64(a.v), vmovn_u64(b.v))}; }
inline U join32(U lo, U hi) {
  return {
      vreinterpretq_u64_u32(vtrn1q_u32(vreinterpretq_u32_u64(lo.v), vreinterpretq_u32_u64(hi.v)))};
}
inline U bit_select(U mask, U yes, U no) { return {vbslq_u64(mask.v, yes.v, no.v)}; }
inline U xor3(U a, U b, U c) { return a ^ b ^ c; }
inline U majority(U a, U b, U c) { return bit_select(a ^ b, c, a); }  // a ^ b as in xor3
inline U and_xor(U a, U b, U c) { return (a & b) ^ c; }
inline U and_xor_aside(U a, U b, U c) { return and_xor(a, b, c); }
inline U and_not(U a, U b) { return {vbicq_u64(a.v, b.v)}; }
inline U or_and_not(U a, U b, U c) { return a | and_not(b, c); }
inline U equal_step(U eq, U r, U p) { return and_not(eq, r ^ p); }
inline U sign_mask(U a) { return {vcltzq_s64(vreinterpretq_s64_u64(a.v))}; }
inline uint64_t sum_lanes(U a) { return vaddvq_u64(a.v); }
inline U min(U a, U b) { return {vbslq_u64(vcltq_u64(a.v, b.v), a.v, b.v)}; }
inline unsigned below_bits(U a, U b) {
  const uint64x2_t below = vcltq_u64(a.v, b.v);
  return unsigned(vgetq_lane_u64(below, 0) & 1) | unsigned(vgetq_lane_u64(below, 1) & 2);
}
inline unsigned nonzero_lanes(U a) {
  const uint64x2_t set = vtstq_u64(a.v, a.v);
  return unsigned(vgetq_lane_u64(set, 0) & 1) | unsigned(vgetq_lane_u64(set, 1) & 2);
}
inline void store_lanes(uint64_t* p, unsigned lanes, U a) {
  p[0] = vgetq_lane_u64(a.v, 0);
  p[lanes & 1] = (lanes & 2) != 0 ? vgetq_lane_u64(a.v, 1) : p[0];
}
inline bool any_both(U a, U b) {
  const uint64x2_t both = vandq_u64(vtstq_u64(a.v, a.v), vtstq_u64(b.v, b.v));
  return vmaxvq_u32(vreinterpretq_u32_u64(both)) != 0;
}

inline F loadf(const double* p) { return {vld1q_f64(p)}; }
inline void storef(double* p, F a) { vst1q_f64(p, a.v); }
inline F set1f(double a) { return {vdupq_n_f64(a)}; }
inline F widen(const float* p) { return {vcvt_f64_f32(vld1_f32(p))}; }
inline void narrow(float* p, F a) { vst1_f32(p, vcvt_f32_f64(a.v)); }
inline U lengthen(const int16_t* p) {
  const int64_t lanes[kLanes] = {p[0], p[1]};
  return {vreinterpretq_u64_s64(vld1q_s64(lanes))};
}
inline void shorten(int16_t* p, U a) {
  p[0] = int16_t(vgetq_lane_u64(a.v, 0));
  p[1] = int16_t(vgetq_lane_u64(a.v, 1));
}
inline F operator+(F a, F b) { return {vaddq_f64(a.v, b.v)}; }
inline F operator-(F a, F b) { return {vsubq_f64(a.v, b.v)}; }
inline F operator*(F a, F b) { return {vmulq_f64(a.v, b.v)}; }
inline F operator/(F a, F b) { return {vdivq_f64(a.v, b.v)}; }
inline F abs(F a) { return {vabsq_f64(a.v)}; }
inline F floor(F a) { return {vrndmq_f64(a.v)}; }
inline F clamp(F a, F low, F high) { return {vminnmq_f64(vmaxnmq_f64(a.v, low.v), high.v)}; }
inline F to_double(U a) { return {vcvtq_f64_s64(vreinterpretq_s64_u64(a.v))}; }

// columns[k] = element k of each row.
inline void load_columns(const double* const (&rows)[kLanes], size_t at, F (&columns)[kLanes]) {
  const float64x2_t r0 = vld1q_f64(rows[0] + at), r1 = vld1q_f64(rows[1] + at);
  columns[0] = {vzip1q_f64(r0, r1)};
  columns[1] = {vzip2q_f64(r0, r1)};
}

inline M nonzero(U a) { return {vtstq_u64(a.v, a.v)}; }
inline M at_least(F a, F b) { return {vcgeq_f64(a.v, b.v)}; }
inline M at_least(F a, F b, M where) { return {vandq_u64(where.v, at_least(a, b).v)}; }
inline M less(U a, U b) {
  return {vcltq_s64(vreinterpretq_s64_u64(a.v), vreinterpretq_s64_u64(b.v))};
}
inline U or_where(M m, U a, U b) { return {vorrq_u64(a.v, vandq_u64(m.v, b.v))}; }
inline F select(M m, F yes, F no) { return {vbslq_f64(m.v, yes.v, no.v)}; }
inline U select(M m, U yes, U no) { return {vbslq_u64(m.v, yes.v, no.v)}; }

// out[t] = the number whose digit p is bit t of planes[p * stride], for 64 steps.
inline void expand_counts(const uint64_t* planes, size_t stride, int n_planes, uint32_t* out) {
  alignas(16) static constexpr uint32_t kBits[4][4] = {
      {1u << 0, 1u << 1, 1u << 2, 1u << 3},
      {1u << 4, 1u << 5, 1u << 6, 1u << 7},
      {1u << 8, 1u << 9, 1u << 10, 1u << 11},
      {1u << 12, 1u << 13, 1u << 14, 1u << 15},
  };
  for (int quarter = 0; quarter < 4; quarter++) {
    uint32x4_t counts[4] = {};
    for (int p = 0; p < n_planes; p++) {
      const uint32x4_t bits = vdupq_n_u32(uint32_t(planes[size_t(p) * stride] >> (16 * quarter)));
      const uint32x4_t digit = vdupq_n_u32(1u << p);
#pragma GCC unroll 4
      for (int q = 0; q < 4; q++) {
        const uint32x4_t one = vtstq_u32(bits, vld1q_u32(kBits[q]));
        counts[q] = vorrq_u32(counts[q], vandq_u32(one, digit));
      }
    }
    for (int q = 0; q < 4; q++) vst1q_u32(out + 16 * quarter + 4 * q, counts[q]);
  }
}

// A row is an octave: rows are loaded and turned, as nothing gathers.
struct NormalRows {
  alignas(32) float coefficients[32][8] = {};
};
inline constexpr NormalRows kNormalRows = [] {
  NormalRows rows;
  for (int k = 0; k < 6; k++)
    for (int octave = 0; octave < 32; octave++)
      rows.coefficients[octave][k] = kNormalTable[k][octave];
  return rows;
}();

// columns[k] = coefficient `first` + k of four octaves.
inline void load_coefficients(const uint32_t (&octaves)[4], int first, float32x4_t (&columns)[4]) {
  float64x2_t rows[4];
  for (int i = 0; i < 4; i++)
    rows[i] = vreinterpretq_f64_f32(vld1q_f32(kNormalRows.coefficients[octaves[i]] + first));
  for (int high = 0; high < 2; high++) {  // two coefficients of lanes 0 and 2, and of 1 and 3
    const float32x4_t even =
        vreinterpretq_f32_f64(high ? vzip2q_f64(rows[0], rows[2]) : vzip1q_f64(rows[0], rows[2]));
    const float32x4_t odd =
        vreinterpretq_f32_f64(high ? vzip2q_f64(rows[1], rows[3]) : vzip1q_f64(rows[1], rows[3]));
    columns[2 * high] = vtrn1q_f32(even, odd);
    columns[2 * high + 1] = vtrn2q_f32(even, odd);
  }
}

inline void normal(U a, U b, float* out) {
  const uint32x4_t u = vuzp1q_u32(vreinterpretq_u32_u64(a.v), vreinterpretq_u32_u64(b.v));
  const uint32x4_t sign = vdupq_n_u32(0x80000000u);
  const uint32x4_t tail = vaddq_u32(vbicq_u32(u, sign), vdupq_n_u32(1));
  const uint32x4_t bits = vreinterpretq_u32_f32(vcvtq_f32_u32(tail));
  uint32_t octaves[4];
  vst1q_u32(octaves, vandq_u32(vshrq_n_u32(bits, 23), vdupq_n_u32(31)));
  const uint32x4_t mantissa =
      vorrq_u32(vandq_u32(bits, vdupq_n_u32(0x7fffff)), vdupq_n_u32(0x3f800000));
  const float32x4_t t = vsubq_f32(vreinterpretq_f32_u32(mantissa), vdupq_n_f32(1.5f));
  float32x4_t low[4], high[4];
  load_coefficients(octaves, 0, low);
  load_coefficients(octaves, 4, high);
  float32x4_t z = vaddq_f32(vmulq_f32(high[1], t), high[0]);
  for (int k = 3; k >= 0; k--) z = vaddq_f32(vmulq_f32(z, t), low[k]);
  const uint32x4_t signed_z = veorq_u32(vreinterpretq_u32_f32(z), vandq_u32(u, sign));
  vst1q_f32(out, vreinterpretq_f32_u32(signed_z));
}

// The standard normal values of the uniform 32-bit numbers in the low halves, in single precision.
template <int N>
inline void normal(const U* numbers, float* out) {
  for (int i = 0; i < N; i += 2) normal(numbers[i], numbers[i + 1], out + kLanes * i);
}

// sum ^ addend in the lanes where word & bit, a single bit, is not 0.
inline U xor_where(U sum, U word, U bit, U addend) {
  return sum ^ (addend & U{vtstq_u64(word.v, bit.v)});
}

inline U popcount(U a) {
  return {vpaddlq_u32(vpaddlq_u16(vpaddlq_u8(vcntq_u8(vreinterpretq_u8_u64(a.v)))))};
}

// The 64 bits of high:low from bit n on.
inline U funnel(U low, U high, U n) {
  const int64x2_t left = vsubq_s64(vdupq_n_s64(64), vreinterpretq_s64_u64(n.v));
  const int64x2_t right = vnegq_s64(vreinterpretq_s64_u64(n.v));
  return {vorrq_u64(vshlq_u64(low.v, right), vshlq_u64(high.v, left))};
}
template <int n>
inline U funnel(U low, U high) {
  if constexpr (n == 0) return low;
  return {vsliq_n_u64(vshrq_n_u64(low.v, n ? n : 1), high.v, (64 - n) % 64)};
}
// What a - b borrows from the next digit, if c is borrowed from this one.
inline U borrow(U a, U b, U c) { return {vbslq_u64(veorq_u64(a.v, b.v), b.v, c.v)}; }

inline U gather(const uint64_t* p, U index) {
  const uint64_t lanes[kLanes] = {p[vgetq_lane_u64(index.v, 0)], p[vgetq_lane_u64(index.v, 1)]};
  return load(lanes);
}

inline U gather(const uint32_t* p, U index) {
  const uint64_t lanes[kLanes] = {p[vgetq_lane_u64(index.v, 0)], p[vgetq_lane_u64(index.v, 1)]};
  return load(lanes);
}

}  // namespace sc::SC_LEVEL
