// Eight 64-bit lanes in AVX-512 registers (F, BW, DQ, VL, VPOPCNTDQ, VBMI2: Ice Lake, Zen 4 and
// newer).
#pragma once
#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "../normal_table.hpp"

namespace sc::SC_LEVEL {

inline constexpr int kLanes = 8;
inline constexpr bool kPopcounts = true;  // counts the ones of lanes in one instruction

struct U {
  __m512i v;
};
struct F {
  __m512d v;
};
struct M {
  __mmask8 v;
};

inline U load(const uint64_t* p) { return {_mm512_loadu_si512(p)}; }
inline void store(uint64_t* p, U a) { _mm512_storeu_si512(p, a.v); }
inline __mmask8 first_lanes(size_t count) {
  return count < kLanes ? __mmask8((1u << count) - 1) : __mmask8(0xFF);
}
inline U load_some(const uint64_t* p, size_t count) {
  return {_mm512_maskz_loadu_epi64(first_lanes(count), p)};
}
inline void store_some(uint64_t* p, U a, size_t count) {
  _mm512_mask_storeu_epi64(p, first_lanes(count), a.v);
}
inline U set1(uint64_t a) { return {_mm512_set1_epi64((long long)a)}; }
inline U iota() { return {_mm512_set_epi64(7, 6, 5, 4, 3, 2, 1, 0)}; }

inline U operator&(U a, U b) { return {_mm512_and_si512(a.v, b.v)}; }
inline U operator|(U a, U b) { return {_mm512_or_si512(a.v, b.v)}; }
inline U operator^(U a, U b) { return {_mm512_xor_si512(a.v, b.v)}; }
inline U operator+(U a, U b) { return {_mm512_add_epi64(a.v, b.v)}; }
inline U operator-(U a, U b) { return {_mm512_sub_epi64(a.v, b.v)}; }
inline U operator<<(U a, int n) { return {_mm512_slli_epi64(a.v, (unsigned)n)}; }
inline U operator>>(U a, int n) { return {_mm512_srli_epi64(a.v, (unsigned)n)}; }

// The last argument of ternarylogic is the truth table, indexed by the bits a b c.
inline U mul32(U a, U b) { return {_mm512_mul_epu32(a.v, b.v)}; }
inline U join32(U lo, U hi) {
  return {_mm512_mask_blend_epi32(0xAAAA, lo.v, _mm512_slli_epi64(hi.v, 32))};
}
inline U xor3(U a, U b, U c) { return {_mm512_ternarylogic_epi64(a.v, b.v, c.v, 0x96)}; }
inline U majority(U a, U b, U c) { return {_mm512_ternarylogic_epi64(a.v, b.v, c.v, 0xE8)}; }
inline U and_xor(U a, U b, U c) {
  __m512i products = _mm512_and_si512(a.v, b.v);
  asm("" : "+v"(products));  // as one instruction of three operands it takes longer
  return {_mm512_xor_si512(products, c.v)};
}
// The same for many side by side, where instructions count and not how long one takes.
inline U and_xor_aside(U a, U b, U c) { return {_mm512_ternarylogic_epi64(a.v, b.v, c.v, 0x6A)}; }
inline U equal_step(U eq, U r, U p) { return {_mm512_ternarylogic_epi64(eq.v, r.v, p.v, 0x90)}; }
inline U sign_mask(U a) { return {_mm512_srai_epi64(a.v, 63)}; }
inline U and_not(U a, U b) { return {_mm512_andnot_si512(b.v, a.v)}; }
inline U or_and_not(U a, U b, U c) { return {_mm512_ternarylogic_epi64(a.v, b.v, c.v, 0xF4)}; }
inline U bit_select(U mask, U yes, U no) {
  return {_mm512_ternarylogic_epi64(mask.v, yes.v, no.v, 0xCA)};
}
inline uint64_t sum_lanes(U a) { return uint64_t(_mm512_reduce_add_epi64(a.v)); }
inline U min(U a, U b) { return {_mm512_min_epu64(a.v, b.v)}; }
inline unsigned below_bits(U a, U b) { return _mm512_cmplt_epu64_mask(a.v, b.v); }
inline unsigned nonzero_lanes(U a) { return _mm512_test_epi64_mask(a.v, a.v); }
inline void store_lanes(uint64_t* p, unsigned lanes, U a) {
  _mm512_storeu_si512(p, _mm512_maskz_compress_epi64(__mmask8(lanes), a.v));
}
inline bool any_both(U a, U b) {
  return _mm512_mask_test_epi64_mask(_mm512_test_epi64_mask(a.v, a.v), b.v, b.v) != 0;
}

inline F loadf(const double* p) { return {_mm512_loadu_pd(p)}; }
inline void storef(double* p, F a) { _mm512_storeu_pd(p, a.v); }
inline F set1f(double a) { return {_mm512_set1_pd(a)}; }
inline F widen(const float* p) { return {_mm512_cvtps_pd(_mm256_loadu_ps(p))}; }
inline void narrow(float* p, F a) { _mm256_storeu_ps(p, _mm512_cvtpd_ps(a.v)); }
inline U lengthen(const int16_t* p) {
  return {_mm512_cvtepi16_epi64(_mm_loadu_si128((const __m128i*)p))};
}
inline void shorten(int16_t* p, U a) { _mm_storeu_si128((__m128i*)p, _mm512_cvtepi64_epi16(a.v)); }
inline F operator+(F a, F b) { return {_mm512_add_pd(a.v, b.v)}; }
inline F operator-(F a, F b) { return {_mm512_sub_pd(a.v, b.v)}; }
inline F operator*(F a, F b) { return {_mm512_mul_pd(a.v, b.v)}; }
inline F operator/(F a, F b) { return {_mm512_div_pd(a.v, b.v)}; }
inline F abs(F a) { return {_mm512_abs_pd(a.v)}; }
inline F floor(F a) {
  return {_mm512_roundscale_pd(a.v, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC)};
}
inline F clamp(F a, F low, F high) { return {_mm512_min_pd(_mm512_max_pd(a.v, low.v), high.v)}; }
inline F to_double(U a) { return {_mm512_cvtepi64_pd(a.v)}; }

// columns[k] = element k of each row.
inline void load_columns(const double* const (&rows)[kLanes], size_t at, F (&columns)[kLanes]) {
  __m512d pairs[kLanes];  // elements of one parity of two rows
  for (int i = 0; i < kLanes; i += 2) {
    const __m512d a = _mm512_loadu_pd(rows[i] + at), b = _mm512_loadu_pd(rows[i + 1] + at);
    pairs[i] = _mm512_unpacklo_pd(a, b);
    pairs[i + 1] = _mm512_unpackhi_pd(a, b);
  }
  for (int odd = 0; odd < 2; odd++) {
    const __m512d *low = pairs + odd, *high = pairs + 4 + odd;
    const __m512d low04 = _mm512_shuffle_f64x2(low[0], low[2], 0x88);
    const __m512d low26 = _mm512_shuffle_f64x2(low[0], low[2], 0xDD);
    const __m512d high04 = _mm512_shuffle_f64x2(high[0], high[2], 0x88);
    const __m512d high26 = _mm512_shuffle_f64x2(high[0], high[2], 0xDD);
    columns[odd] = {_mm512_shuffle_f64x2(low04, high04, 0x88)};
    columns[2 + odd] = {_mm512_shuffle_f64x2(low26, high26, 0x88)};
    columns[4 + odd] = {_mm512_shuffle_f64x2(low04, high04, 0xDD)};
    columns[6 + odd] = {_mm512_shuffle_f64x2(low26, high26, 0xDD)};
  }
}

inline M nonzero(U a) { return {_mm512_test_epi64_mask(a.v, a.v)}; }
inline M at_least(F a, F b) { return {_mm512_cmp_pd_mask(a.v, b.v, _CMP_GE_OQ)}; }
inline M at_least(F a, F b, M where) {
  return {_mm512_mask_cmp_pd_mask(where.v, a.v, b.v, _CMP_GE_OQ)};
}
inline M less(U a, U b) { return {_mm512_cmplt_epi64_mask(a.v, b.v)}; }
inline U or_where(M m, U a, U b) { return {_mm512_mask_or_epi64(a.v, m.v, a.v, b.v)}; }
inline F select(M m, F yes, F no) { return {_mm512_mask_blend_pd(m.v, no.v, yes.v)}; }
inline U select(M m, U yes, U no) { return {_mm512_mask_blend_epi64(m.v, no.v, yes.v)}; }

// out[t] = the number whose digit p is bit t of planes[p * stride], for 64 steps.
inline void expand_counts(const uint64_t* planes, size_t stride, int n_planes, uint32_t* out) {
  __m512i counts[4] = {};
  for (int p = 0; p < n_planes; p++) {
    const uint64_t bits = planes[size_t(p) * stride];
    const __m512i digit = _mm512_set1_epi32(int(1u << p));
#pragma GCC unroll 4
    for (int q = 0; q < 4; q++)
      counts[q] = _mm512_mask_or_epi32(counts[q], __mmask16(bits >> (16 * q)), counts[q], digit);
  }
  for (int q = 0; q < 4; q++) _mm512_storeu_si512(out + 16 * q, counts[q]);
}

// The standard normal values of the uniform 32-bit numbers in the low halves, in single precision.
// Pairs of vectors side by side hide the latency of the polynomial.
template <int N>
inline void normal(const U* numbers, float* out) {
  const __m512i low_halves =
      _mm512_set_epi32(30, 28, 26, 24, 22, 20, 18, 16, 14, 12, 10, 8, 6, 4, 2, 0);
  const __m512i sign = _mm512_set1_epi32(int(0x80000000u));
  __m512i u[N / 2], octave[N / 2];
  __m512 t[N / 2], z[N / 2];
#pragma GCC unroll 4
  for (int i = 0; i < N / 2; i++) {
    u[i] = _mm512_permutex2var_epi32(numbers[2 * i].v, low_halves, numbers[2 * i + 1].v);
    const __m512i tail = _mm512_add_epi32(_mm512_andnot_si512(sign, u[i]), _mm512_set1_epi32(1));
    const __m512i bits = _mm512_castps_si512(_mm512_cvtepu32_ps(tail));
    octave[i] = _mm512_srli_epi32(bits, 23);
    const __m512i mantissa = _mm512_ternarylogic_epi32(bits, _mm512_set1_epi32(0x7fffff),
                                                       _mm512_set1_epi32(0x3f800000), 0xEA);
    t[i] = _mm512_sub_ps(_mm512_castsi512_ps(mantissa), _mm512_set1_ps(1.5f));
  }
  // The permutation looks at the low five bits of the octave. Unrolled over k, this would fill the
  // registers with coefficients.
#pragma GCC unroll 4
  for (int i = 0; i < N / 2; i++)
    z[i] = _mm512_permutex2var_ps(_mm512_load_ps(kNormalTable[5]), octave[i],
                                  _mm512_load_ps(kNormalTable[5] + 16));
#pragma GCC unroll 1
  for (int k = 4; k >= 0; k--) {
    const __m512 low = _mm512_load_ps(kNormalTable[k]), high = _mm512_load_ps(kNormalTable[k] + 16);
#pragma GCC unroll 4
    for (int i = 0; i < N / 2; i++)
      z[i] = _mm512_add_ps(_mm512_mul_ps(z[i], t[i]), _mm512_permutex2var_ps(low, octave[i], high));
  }
#pragma GCC unroll 4
  for (int i = 0; i < N / 2; i++) {
    const __m512i signed_z = _mm512_ternarylogic_epi32(_mm512_castps_si512(z[i]), u[i], sign, 0x78);
    _mm512_storeu_ps(out + 2 * kLanes * i, _mm512_castsi512_ps(signed_z));
  }
}

// sum ^ addend in the lanes where word & bit is not 0.
inline U xor_where(U sum, U word, U bit, U addend) {
  return {_mm512_mask_xor_epi64(sum.v, _mm512_test_epi64_mask(word.v, bit.v), sum.v, addend.v)};
}

inline U popcount(U a) { return {_mm512_popcnt_epi64(a.v)}; }

// The 64 bits of high:low from bit n on.
inline U funnel(U low, U high, U n) { return {_mm512_shrdv_epi64(low.v, high.v, n.v)}; }
template <int n>
inline U funnel(U low, U high) {
  return {_mm512_shrdi_epi64(low.v, high.v, n)};
}
// What a - b borrows from the next digit, if c is borrowed from this one.
inline U borrow(U a, U b, U c) { return {_mm512_ternarylogic_epi64(c.v, a.v, b.v, 0xB2)}; }

inline U gather(const uint64_t* p, U index) { return {_mm512_i64gather_epi64(index.v, p, 8)}; }

inline U gather(const uint32_t* p, U index) {
  return {_mm512_cvtepu32_epi64(_mm512_i64gather_epi32(index.v, p, 4))};
}

}  // namespace sc::SC_LEVEL
