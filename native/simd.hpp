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

// As load_some and store_some of the levels: the first lanes only, zeros in the others.
inline F loadf_some(const double* p, size_t count) {
  if (count >= kLanes) return loadf(p);
  double lanes[kLanes] = {};
  std::copy_n(p, count, lanes);
  return loadf(lanes);
}
inline void storef_some(double* out, F a, size_t count) {
  if (count >= kLanes) return storef(out, a);
  double lanes[kLanes];
  storef(lanes, a);
  std::copy_n(lanes, count, out);
}

// The same between lanes and floats in memory.
inline F widen_some(const float* p, size_t count) {
  if (count >= kLanes) return widen(p);
  float lanes[kLanes] = {};
  std::copy_n(p, count, lanes);
  return widen(lanes);
}
inline void narrow_some(float* out, F a, size_t count) {
  if (count >= kLanes) return narrow(out, a);
  float lanes[kLanes];
  narrow(lanes, a);
  std::copy_n(lanes, count, out);
}

// The same between lanes and short numbers with a sign.
inline U lengthen_some(const int16_t* p, size_t count) {
  if (count >= kLanes) return lengthen(p);
  int16_t lanes[kLanes] = {};
  std::copy_n(p, count, lanes);
  return lengthen(lanes);
}
inline void shorten_some(int16_t* out, U a, size_t count) {
  if (count >= kLanes) return shorten(out, a);
  int16_t lanes[kLanes];
  shorten(lanes, a);
  std::copy_n(lanes, count, out);
}

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
