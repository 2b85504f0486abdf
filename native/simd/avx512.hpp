// Eight 64-bit lanes in AVX-512 registers (F, BW, DQ, VL, VPOPCNTDQ, VBMI2: Ice Lake, Zen 4 and
// newer).
#pragma once
#include <immintrin.h>

#include <cstddef>
#include <cstdint>

namespace sc::SC_LEVEL {

inline constexpr int kLanes = 8;

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
inline U and_xor(U a, U b, U c) { return {_mm512_ternarylogic_epi64(a.v, b.v, c.v, 0x6A)}; }
inline U less_step(U lt, U eq, U r, U p) {
  return {_mm512_ternarylogic_epi64(lt.v, eq.v, _mm512_andnot_si512(r.v, p.v), 0xF8)};
}
inline U equal_step(U eq, U r, U p) { return {_mm512_ternarylogic_epi64(eq.v, r.v, p.v, 0x90)}; }
inline U sign_mask(U a) { return {_mm512_srai_epi64(a.v, 63)}; }
inline U and_not(U a, U b) { return {_mm512_andnot_si512(b.v, a.v)}; }
inline U or_not(U a, U b) { return {_mm512_ternarylogic_epi64(a.v, b.v, b.v, 0xF3)}; }
inline U or_and_not(U a, U b, U c) { return {_mm512_ternarylogic_epi64(a.v, b.v, c.v, 0xF4)}; }
inline U min(U a, U b) { return {_mm512_min_epu64(a.v, b.v)}; }
inline unsigned below_bits(U a, U b) { return _mm512_cmplt_epu64_mask(a.v, b.v); }
inline bool any_both(U a, U b) {
  return _mm512_mask_test_epi64_mask(_mm512_test_epi64_mask(a.v, a.v), b.v, b.v) != 0;
}

inline F loadf(const double* p) { return {_mm512_loadu_pd(p)}; }
inline void storef(double* p, F a) { _mm512_storeu_pd(p, a.v); }
inline F set1f(double a) { return {_mm512_set1_pd(a)}; }
inline F gather(const double* p, size_t stride) {
  const __m512i offsets = _mm512_mullo_epi64(iota().v, set1(stride).v);
  return {_mm512_i64gather_pd(offsets, p, 8)};
}
inline F operator+(F a, F b) { return {_mm512_add_pd(a.v, b.v)}; }
inline F operator-(F a, F b) { return {_mm512_sub_pd(a.v, b.v)}; }
inline F operator*(F a, F b) { return {_mm512_mul_pd(a.v, b.v)}; }
inline F to_double(U a) { return {_mm512_cvtepi64_pd(a.v)}; }

inline M nonzero(U a) { return {_mm512_test_epi64_mask(a.v, a.v)}; }
inline M at_least(F a, F b) { return {_mm512_cmp_pd_mask(a.v, b.v, _CMP_GE_OQ)}; }
inline M and_not(M a, M b) { return {_kandn_mask8(a.v, b.v)}; }
inline F select(M m, F yes, F no) { return {_mm512_mask_blend_pd(m.v, no.v, yes.v)}; }
inline U select(M m, U yes, U no) { return {_mm512_mask_blend_epi64(m.v, no.v, yes.v)}; }
inline F add_where_bit(F sum, U word, int bit, F addend) {
  const __mmask8 m = _mm512_test_epi64_mask(word.v, _mm512_set1_epi64(1ll << bit));
  return {_mm512_mask_add_pd(sum.v, m, sum.v, addend.v)};
}

// The standard normal value of the uniform 32-bit number in the low half of each lane.
inline F normal(const float (&table)[6][32], U r) {
  const __m256i u = _mm512_cvtepi64_epi32(r.v);
  const __m256i tail =
      _mm256_add_epi32(_mm256_and_si256(u, _mm256_set1_epi32(0x7fffffff)), _mm256_set1_epi32(1));
  const __m256i bits = _mm256_castps_si256(_mm256_cvtepu32_ps(tail));
  const __m512i octave = _mm512_castsi256_si512(_mm256_srli_epi32(bits, 23));
  const __m256i mantissa = _mm256_ternarylogic_epi32(bits, _mm256_set1_epi32(0x7fffff),
                                                     _mm256_set1_epi32(0x3f800000), 0xEA);
  const __m256 t = _mm256_sub_ps(_mm256_castsi256_ps(mantissa), _mm256_set1_ps(1.5f));
  // The permutation looks at the low five bits of each index: the octave among the 32 columns.
  const auto column = [&](int k) {
    return _mm512_castps512_ps256(
        _mm512_permutex2var_ps(_mm512_loadu_ps(table[k]), octave, _mm512_loadu_ps(table[k] + 16)));
  };
  __m256 z = column(5);
  for (int k = 4; k >= 0; k--) z = _mm256_add_ps(_mm256_mul_ps(z, t), column(k));
  const __m256i signed_z = _mm256_ternarylogic_epi32(_mm256_castps_si256(z), u,
                                                     _mm256_set1_epi32(int(0x80000000u)), 0x78);
  return {_mm512_cvtps_pd(_mm256_castsi256_ps(signed_z))};
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
