// Four 64-bit lanes in AVX2 registers.
#pragma once
#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "../normal_table.hpp"

namespace sc::SC_LEVEL {

inline constexpr int kLanes = 4;
inline constexpr bool kPopcounts = false;  // counts the ones of lanes in one instruction

struct U {
  __m256i v;
};
struct F {
  __m256d v;
};
struct M {
  __m256i v;
};

inline U load(const uint64_t* p) { return {_mm256_loadu_si256((const __m256i*)p)}; }
inline void store(uint64_t* p, U a) { _mm256_storeu_si256((__m256i*)p, a.v); }
inline __m256i first_lanes(size_t count) {
  return _mm256_cmpgt_epi64(_mm256_set1_epi64x((long long)count), _mm256_set_epi64x(3, 2, 1, 0));
}
inline U load_some(const uint64_t* p, size_t count) {
  return {_mm256_maskload_epi64((const long long*)p, first_lanes(count))};
}
inline void store_some(uint64_t* p, U a, size_t count) {
  _mm256_maskstore_epi64((long long*)p, first_lanes(count), a.v);
}
inline U set1(uint64_t a) { return {_mm256_set1_epi64x((long long)a)}; }
inline U iota() { return {_mm256_set_epi64x(3, 2, 1, 0)}; }

inline U operator&(U a, U b) { return {_mm256_and_si256(a.v, b.v)}; }
inline U operator|(U a, U b) { return {_mm256_or_si256(a.v, b.v)}; }
inline U operator^(U a, U b) { return {_mm256_xor_si256(a.v, b.v)}; }
inline U operator+(U a, U b) { return {_mm256_add_epi64(a.v, b.v)}; }
inline U operator-(U a, U b) { return {_mm256_sub_epi64(a.v, b.v)}; }
inline U operator<<(U a, int n) { return {_mm256_slli_epi64(a.v, n)}; }
inline U operator>>(U a, int n) { return {_mm256_srli_epi64(a.v, n)}; }

inline U mul32(U a, U b) { return {_mm256_mul_epu32(a.v, b.v)}; }
inline U join32(U lo, U hi) {
  return {_mm256_blend_epi32(lo.v, _mm256_slli_epi64(hi.v, 32), 0xAA)};
}
inline U xor3(U a, U b, U c) { return a ^ b ^ c; }
inline U majority(U a, U b, U c) { return (a & b) | (c & (a | b)); }
inline U and_xor(U a, U b, U c) { return (a & b) ^ c; }
inline U and_xor_aside(U a, U b, U c) { return and_xor(a, b, c); }
inline U equal_step(U eq, U r, U p) {
  return {_mm256_andnot_si256(_mm256_xor_si256(r.v, p.v), eq.v)};
}
inline U sign_mask(U a) { return {_mm256_cmpgt_epi64(_mm256_setzero_si256(), a.v)}; }
inline U and_not(U a, U b) { return {_mm256_andnot_si256(b.v, a.v)}; }
inline U or_and_not(U a, U b, U c) { return a | and_not(b, c); }
inline U bit_select(U mask, U yes, U no) { return (mask & yes) | and_not(no, mask); }
inline uint64_t sum_lanes(U a) {
  const __m128i half = _mm_add_epi64(_mm256_castsi256_si128(a.v), _mm256_extracti128_si256(a.v, 1));
  return uint64_t(_mm_cvtsi128_si64(half)) + uint64_t(_mm_extract_epi64(half, 1));
}
inline U min(U a, U b) {
  const __m256i bias = _mm256_set1_epi64x(INT64_MIN);
  const __m256i more = _mm256_cmpgt_epi64(_mm256_xor_si256(a.v, bias), _mm256_xor_si256(b.v, bias));
  return {_mm256_blendv_epi8(a.v, b.v, more)};
}
inline unsigned below_bits(U a, U b) {
  return unsigned(_mm256_movemask_pd(_mm256_castsi256_pd(_mm256_cmpgt_epi64(b.v, a.v))));
}
inline unsigned nonzero_lanes(U a) {
  const __m256i zero = _mm256_cmpeq_epi64(a.v, _mm256_setzero_si256());
  return unsigned(_mm256_movemask_pd(_mm256_castsi256_pd(zero))) ^ 0xFu;
}
inline void store_lanes(uint64_t* p, unsigned lanes, U a) {
  alignas(32) uint64_t each[kLanes];
  _mm256_store_si256((__m256i*)each, a.v);
  for (unsigned k = 0; k < kLanes; k++) {
    *p = each[k];
    p += lanes >> k & 1;
  }
}
inline bool any_both(U a, U b) {
  const __m256i zero = _mm256_setzero_si256();
  const __m256i either_zero =
      _mm256_or_si256(_mm256_cmpeq_epi64(a.v, zero), _mm256_cmpeq_epi64(b.v, zero));
  return _mm256_movemask_epi8(either_zero) != -1;
}

inline F loadf(const double* p) { return {_mm256_loadu_pd(p)}; }
inline void storef(double* p, F a) { _mm256_storeu_pd(p, a.v); }
inline F set1f(double a) { return {_mm256_set1_pd(a)}; }
inline F widen(const float* p) { return {_mm256_cvtps_pd(_mm_loadu_ps(p))}; }
inline void narrow(float* p, F a) { _mm_storeu_ps(p, _mm256_cvtpd_ps(a.v)); }
inline U lengthen(const int16_t* p) {
  return {_mm256_cvtepi16_epi64(_mm_loadl_epi64((const __m128i*)p))};
}
inline void shorten(int16_t* p, U a) {
  const __m256i low = _mm256_set1_epi64x(0x0908010009080100);
  const __m256i packed = _mm256_shuffle_epi8(a.v, low);
  const __m128i high = _mm256_extracti128_si256(packed, 1);
  _mm_storel_epi64((__m128i*)p, _mm_unpacklo_epi32(_mm256_castsi256_si128(packed), high));
}
inline F operator+(F a, F b) { return {_mm256_add_pd(a.v, b.v)}; }
inline F operator-(F a, F b) { return {_mm256_sub_pd(a.v, b.v)}; }
inline F operator*(F a, F b) { return {_mm256_mul_pd(a.v, b.v)}; }
inline F operator/(F a, F b) { return {_mm256_div_pd(a.v, b.v)}; }
inline F abs(F a) { return {_mm256_andnot_pd(_mm256_set1_pd(-0.0), a.v)}; }
inline F floor(F a) { return {_mm256_floor_pd(a.v)}; }
inline F clamp(F a, F low, F high) { return {_mm256_min_pd(_mm256_max_pd(a.v, low.v), high.v)}; }
inline F to_double(U a) {
  alignas(32) long long x[4];
  _mm256_store_si256((__m256i*)x, a.v);
  return {_mm256_set_pd(double(x[3]), double(x[2]), double(x[1]), double(x[0]))};
}

// columns[k] = element k of each row.
inline void load_columns(const double* const (&rows)[kLanes], size_t at, F (&columns)[kLanes]) {
  const __m256d r0 = _mm256_loadu_pd(rows[0] + at), r1 = _mm256_loadu_pd(rows[1] + at);
  const __m256d r2 = _mm256_loadu_pd(rows[2] + at), r3 = _mm256_loadu_pd(rows[3] + at);
  const __m256d low02 = _mm256_unpacklo_pd(r0, r1), low13 = _mm256_unpackhi_pd(r0, r1);
  const __m256d high02 = _mm256_unpacklo_pd(r2, r3), high13 = _mm256_unpackhi_pd(r2, r3);
  columns[0] = {_mm256_permute2f128_pd(low02, high02, 0x20)};
  columns[1] = {_mm256_permute2f128_pd(low13, high13, 0x20)};
  columns[2] = {_mm256_permute2f128_pd(low02, high02, 0x31)};
  columns[3] = {_mm256_permute2f128_pd(low13, high13, 0x31)};
}

inline M nonzero(U a) {
  const __m256i zero = _mm256_cmpeq_epi64(a.v, _mm256_setzero_si256());
  return {_mm256_xor_si256(zero, _mm256_set1_epi64x(-1))};
}
inline M at_least(F a, F b) { return {_mm256_castpd_si256(_mm256_cmp_pd(a.v, b.v, _CMP_GE_OQ))}; }
inline M at_least(F a, F b, M where) { return {_mm256_and_si256(where.v, at_least(a, b).v)}; }
inline M less(U a, U b) { return {_mm256_cmpgt_epi64(b.v, a.v)}; }
inline U or_where(M m, U a, U b) { return {_mm256_or_si256(a.v, _mm256_and_si256(m.v, b.v))}; }
inline F select(M m, F yes, F no) {
  return {_mm256_blendv_pd(no.v, yes.v, _mm256_castsi256_pd(m.v))};
}
inline U select(M m, U yes, U no) { return {_mm256_blendv_epi8(no.v, yes.v, m.v)}; }

// out[t] = the number whose digit p is bit t of planes[p * stride], for 64 steps.
inline void expand_counts(const uint64_t* planes, size_t stride, int n_planes, uint32_t* out) {
  const __m256i bit_of_lane = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
  for (int half = 0; half < 2; half++) {
    __m256i counts[4] = {};
    for (int p = 0; p < n_planes; p++) {
      const uint32_t bits = uint32_t(planes[size_t(p) * stride] >> (32 * half));
      const __m256i digit = _mm256_set1_epi32(int(1u << p));
#pragma GCC unroll 4
      for (int q = 0; q < 4; q++) {
        const __m256i bit = _mm256_and_si256(_mm256_set1_epi32(int(bits >> (8 * q))), bit_of_lane);
        const __m256i one = _mm256_cmpeq_epi32(bit, bit_of_lane);
        counts[q] = _mm256_or_si256(counts[q], _mm256_and_si256(one, digit));
      }
    }
    for (int q = 0; q < 4; q++) _mm256_storeu_si256((__m256i*)(out + 32 * half + 8 * q), counts[q]);
  }
}

// A row is an octave: loading rows and turning them is twice as fast as gathering.
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

// columns[k] = coefficient k of eight octaves.
inline void load_coefficients(__m256i octave, __m256 (&columns)[6]) {
  alignas(32) uint32_t octaves[8];
  _mm256_store_si256((__m256i*)octaves, octave);
  __m256 rows[2][4];  // four coefficients of lanes i and i + 4
  for (int i = 0; i < 4; i++) {
    const float* low = kNormalRows.coefficients[octaves[i]];
    const float* high = kNormalRows.coefficients[octaves[i + 4]];
    for (int half = 0; half < 2; half++)
      rows[half][i] = _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_load_ps(low + 4 * half)),
                                           _mm_load_ps(high + 4 * half), 1);
  }
  for (int half = 0; half < 2; half++) {
    const __m256* r = rows[half];
    const __m256 low01 = _mm256_unpacklo_ps(r[0], r[1]), low23 = _mm256_unpacklo_ps(r[2], r[3]);
    columns[4 * half] = _mm256_shuffle_ps(low01, low23, _MM_SHUFFLE(1, 0, 1, 0));
    columns[4 * half + 1] = _mm256_shuffle_ps(low01, low23, _MM_SHUFFLE(3, 2, 3, 2));
  }
  const __m256 high01 = _mm256_unpackhi_ps(rows[0][0], rows[0][1]);
  const __m256 high23 = _mm256_unpackhi_ps(rows[0][2], rows[0][3]);
  columns[2] = _mm256_shuffle_ps(high01, high23, _MM_SHUFFLE(1, 0, 1, 0));
  columns[3] = _mm256_shuffle_ps(high01, high23, _MM_SHUFFLE(3, 2, 3, 2));
}

inline void normal(U a, U b, float* out) {
  const __m256i u = _mm256_castps_si256(_mm256_shuffle_ps(
      _mm256_castsi256_ps(a.v), _mm256_castsi256_ps(b.v), _MM_SHUFFLE(2, 0, 2, 0)));
  const __m256i tail =
      _mm256_add_epi32(_mm256_and_si256(u, _mm256_set1_epi32(0x7fffffff)), _mm256_set1_epi32(1));
  // The conversion is signed, which only 2**31 notices: its sign is removed.
  const __m256i bits = _mm256_and_si256(_mm256_castps_si256(_mm256_cvtepi32_ps(tail)),
                                        _mm256_set1_epi32(0x7fffffff));
  const __m256i octave = _mm256_and_si256(_mm256_srli_epi32(bits, 23), _mm256_set1_epi32(31));
  const __m256i mantissa = _mm256_or_si256(_mm256_and_si256(bits, _mm256_set1_epi32(0x7fffff)),
                                           _mm256_set1_epi32(0x3f800000));
  const __m256 t = _mm256_sub_ps(_mm256_castsi256_ps(mantissa), _mm256_set1_ps(1.5f));
  __m256 columns[6];
  load_coefficients(octave, columns);
  __m256 z = columns[5];
  for (int k = 4; k >= 0; k--) z = _mm256_add_ps(_mm256_mul_ps(z, t), columns[k]);
  const __m256i sign = _mm256_and_si256(u, _mm256_set1_epi32(int(0x80000000u)));
  // The shuffle left a and b in turns, two lanes of each.
  const __m256i turns = _mm256_xor_si256(_mm256_castps_si256(z), sign);
  _mm256_storeu_si256((__m256i*)out, _mm256_permute4x64_epi64(turns, _MM_SHUFFLE(3, 1, 2, 0)));
}

// The standard normal values of the uniform 32-bit numbers in the low halves, in single precision.
template <int N>
inline void normal(const U* numbers, float* out) {
  for (int i = 0; i < N; i += 2) normal(numbers[i], numbers[i + 1], out + kLanes * i);
}

// sum ^ addend in the lanes where word & bit, a single bit, is not 0.
inline U xor_where(U sum, U word, U bit, U addend) {
  return sum ^ (addend & U{_mm256_cmpeq_epi64((word & bit).v, bit.v)});
}

// By the counts of four bits (Mula, Kurz, Lemire: Faster population counts using AVX2; 2018).
inline U popcount(U a) {
  const __m256i counts = _mm256_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4,  //
                                          0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4);
  const __m256i four = _mm256_set1_epi8(15);
  const __m256i low = _mm256_and_si256(a.v, four);
  const __m256i high = _mm256_and_si256(_mm256_srli_epi64(a.v, 4), four);
  const __m256i bytes =
      _mm256_add_epi8(_mm256_shuffle_epi8(counts, low), _mm256_shuffle_epi8(counts, high));
  return {_mm256_sad_epu8(bytes, _mm256_setzero_si256())};
}

// The 64 bits of high:low from bit n on.
inline U funnel(U low, U high, U n) {
  const __m256i rest = _mm256_sub_epi64(_mm256_set1_epi64x(64), n.v);
  return {_mm256_or_si256(_mm256_srlv_epi64(low.v, n.v), _mm256_sllv_epi64(high.v, rest))};
}
template <int n>
inline U funnel(U low, U high) {
  return low >> n | high << (64 - n);
}
// What a - b borrows from the next digit, if c is borrowed from this one.
inline U borrow(U a, U b, U c) { return (b & c) | and_not(b | c, a); }

inline U gather(const uint64_t* p, U index) {
  return {_mm256_i64gather_epi64((const long long*)p, index.v, 8)};
}

inline U gather(const uint32_t* p, U index) {
  return {_mm256_cvtepu32_epi64(_mm256_i64gather_epi32((const int*)p, index.v, 4))};
}

}  // namespace sc::SC_LEVEL
