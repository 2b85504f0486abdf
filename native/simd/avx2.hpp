// Four 64-bit lanes in AVX2 registers.
#pragma once
#include <immintrin.h>

#include <cstddef>
#include <cstdint>

namespace sc::SC_LEVEL {

inline constexpr int kLanes = 4;

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
inline U less_step(U lt, U eq, U r, U p) {
  return {_mm256_or_si256(lt.v, _mm256_and_si256(eq.v, _mm256_andnot_si256(r.v, p.v)))};
}
inline U equal_step(U eq, U r, U p) {
  return {_mm256_andnot_si256(_mm256_xor_si256(r.v, p.v), eq.v)};
}
inline U sign_mask(U a) { return {_mm256_cmpgt_epi64(_mm256_setzero_si256(), a.v)}; }
inline U and_not(U a, U b) { return {_mm256_andnot_si256(b.v, a.v)}; }
inline U or_not(U a, U b) { return a | U{_mm256_xor_si256(b.v, _mm256_set1_epi64x(-1))}; }
inline U or_and_not(U a, U b, U c) { return a | and_not(b, c); }
inline U min(U a, U b) {
  const __m256i bias = _mm256_set1_epi64x(INT64_MIN);
  const __m256i more = _mm256_cmpgt_epi64(_mm256_xor_si256(a.v, bias), _mm256_xor_si256(b.v, bias));
  return {_mm256_blendv_epi8(a.v, b.v, more)};
}
inline unsigned below_bits(U a, U b) {
  return unsigned(_mm256_movemask_pd(_mm256_castsi256_pd(_mm256_cmpgt_epi64(b.v, a.v))));
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
inline F gather(const double* p, size_t stride) {
  return {_mm256_set_pd(p[3 * stride], p[2 * stride], p[stride], p[0])};
}
inline F operator+(F a, F b) { return {_mm256_add_pd(a.v, b.v)}; }
inline F operator-(F a, F b) { return {_mm256_sub_pd(a.v, b.v)}; }
inline F operator*(F a, F b) { return {_mm256_mul_pd(a.v, b.v)}; }
inline F to_double(U a) {
  alignas(32) long long x[4];
  _mm256_store_si256((__m256i*)x, a.v);
  return {_mm256_set_pd(double(x[3]), double(x[2]), double(x[1]), double(x[0]))};
}

inline M nonzero(U a) {
  const __m256i zero = _mm256_cmpeq_epi64(a.v, _mm256_setzero_si256());
  return {_mm256_xor_si256(zero, _mm256_set1_epi64x(-1))};
}
inline M at_least(F a, F b) { return {_mm256_castpd_si256(_mm256_cmp_pd(a.v, b.v, _CMP_GE_OQ))}; }
inline M and_not(M a, M b) { return {_mm256_andnot_si256(a.v, b.v)}; }
inline F select(M m, F yes, F no) {
  return {_mm256_blendv_pd(no.v, yes.v, _mm256_castsi256_pd(m.v))};
}
inline U select(M m, U yes, U no) { return {_mm256_blendv_epi8(no.v, yes.v, m.v)}; }
inline F add_where_bit(F sum, U word, int bit, F addend) {
  const __m256i top = _mm256_sll_epi64(word.v, _mm_cvtsi32_si128(63 - bit));
  const __m256d with = _mm256_add_pd(sum.v, addend.v);
  return {_mm256_blendv_pd(sum.v, with, _mm256_castsi256_pd(top))};
}

// The standard normal value of the uniform 32-bit number in the low half of each lane.
inline F normal(const float (&table)[6][32], U r) {
  const __m128 even = _mm256_castps256_ps128(_mm256_castsi256_ps(
      _mm256_permutevar8x32_epi32(r.v, _mm256_set_epi32(7, 5, 3, 1, 6, 4, 2, 0))));
  const __m128i u = _mm_castps_si128(even);
  const __m128i tail =
      _mm_add_epi32(_mm_and_si128(u, _mm_set1_epi32(0x7fffffff)), _mm_set1_epi32(1));
  // The conversion is signed, which only 2**31 notices: its sign is removed.
  const __m128i bits =
      _mm_and_si128(_mm_castps_si128(_mm_cvtepi32_ps(tail)), _mm_set1_epi32(0x7fffffff));
  const __m128i octave = _mm_and_si128(_mm_srli_epi32(bits, 23), _mm_set1_epi32(31));
  const __m128i mantissa =
      _mm_or_si128(_mm_and_si128(bits, _mm_set1_epi32(0x7fffff)), _mm_set1_epi32(0x3f800000));
  const __m128 t = _mm_sub_ps(_mm_castsi128_ps(mantissa), _mm_set1_ps(1.5f));
  __m128 z = _mm_i32gather_ps(table[5], octave, 4);
  for (int k = 4; k >= 0; k--)
    z = _mm_add_ps(_mm_mul_ps(z, t), _mm_i32gather_ps(table[k], octave, 4));
  const __m128i sign = _mm_and_si128(u, _mm_set1_epi32(int(0x80000000u)));
  return {_mm256_cvtps_pd(_mm_castsi128_ps(_mm_xor_si128(_mm_castps_si128(z), sign)))};
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
