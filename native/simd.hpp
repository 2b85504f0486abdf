// The vector types of the level this translation unit is compiled for. Every source of
// SC_LEVEL_KERNELS is compiled once per level, into the namespace sc::SC_LEVEL, so that no inline
// function of one level can be linked into another.
//
//   U  unsigned 64-bit lanes: packed bits, or numbers below 2**32 for the generator
//   F  double lanes           M  one truth value per lane       kLanes  lanes in each
#pragma once
#include <algorithm>
#include <cstdint>

#include "kernels.hpp"

#define SC_LEVEL_portable 1
#define SC_LEVEL_avx2 2
#define SC_LEVEL_avx512 3
#define SC_LEVEL_neon 4
#define SC_JOIN_(a, b) a##b
#define SC_JOIN(a, b) SC_JOIN_(a, b)
#define SC_LEVEL_NUMBER SC_JOIN(SC_LEVEL_, SC_LEVEL)

#if SC_LEVEL_NUMBER == SC_LEVEL_avx512
#include "simd/avx512.hpp"
#elif SC_LEVEL_NUMBER == SC_LEVEL_avx2
#include "simd/avx2.hpp"
#elif SC_LEVEL_NUMBER == SC_LEVEL_neon
#include "simd/neon.hpp"
#else
#include "simd/portable.hpp"
#endif

namespace sc::SC_LEVEL {

// Asks for the cache line of p[at], which need not exist.
inline void prefetch([[maybe_unused]] const double* p, [[maybe_unused]] size_t at) {
#ifdef __GNUC__
  __builtin_prefetch(reinterpret_cast<const void*>(uintptr_t(p) + at * sizeof(double)), 0, 2);
#endif
}

// Loads or stores the first lanes only; zeros in the others.
template <auto kLoad, class T>
inline auto load_first(const T* p, size_t count) {
  if (count >= kLanes) return kLoad(p);
  T lanes[kLanes] = {};
  std::copy_n(p, count, lanes);
  return kLoad(lanes);
}
template <auto kStore, class T, class V>
inline void store_first(T* out, V a, size_t count) {
  if (count >= kLanes) return kStore(out, a);
  T lanes[kLanes];
  kStore(lanes, a);
  std::copy_n(lanes, count, out);
}

// load_some and store_some of the levels for doubles, for floats that become doubles, and for short
// numbers with a sign.
inline F loadf_some(const double* p, size_t count) { return load_first<loadf>(p, count); }
inline void storef_some(double* out, F a, size_t count) { store_first<storef>(out, a, count); }
inline F widen_some(const float* p, size_t count) { return load_first<widen>(p, count); }
inline void narrow_some(float* out, F a, size_t count) { store_first<narrow>(out, a, count); }
inline U lengthen_some(const int16_t* p, size_t count) { return load_first<lengthen>(p, count); }
inline void shorten_some(int16_t* out, U a, size_t count) { store_first<shorten>(out, a, count); }

// Stores the first lanes `stride` words apart: a word of neighboring rows.
inline void store_apart(uint64_t* out, size_t stride, U a, size_t count) {
  uint64_t lanes[kLanes];
  store(lanes, a);
  for (size_t i = 0; i < kLanes && i < count; i++) out[i * stride] = lanes[i];
}

// Writes word w of the kLanes streams from s on, without bits past the length.
inline void store_column(const Streams& to, size_t s, size_t w, U bits) {
  const size_t words = words_for(to.length);
  if (w + 1 == words) bits = bits & set1(last_word_mask(to.length));
  if (words == 1) return store(to.out + s, bits);
  store_apart(to.out + s * words + w, words, bits, kLanes);
}

}  // namespace sc::SC_LEVEL
