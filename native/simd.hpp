// The vector types of the level this translation unit is compiled for. Every kernel source is
// compiled once a level, into the namespace sc::SC_LEVEL, so that no inline function of one level
// can be linked into another.
//
//   U  unsigned 64-bit lanes: packed bits, or numbers below 2**32 for the generator
//   F  double lanes           M  one truth value a lane         kLanes  lanes in each
#pragma once
#define SC_LEVEL_portable 1
#define SC_LEVEL_avx2 2
#define SC_LEVEL_avx512 3
#define SC_JOIN_(a, b) a##b
#define SC_JOIN(a, b) SC_JOIN_(a, b)
#define SC_LEVEL_NUMBER SC_JOIN(SC_LEVEL_, SC_LEVEL)

#if SC_LEVEL_NUMBER == SC_LEVEL_avx512
#include "simd/avx512.hpp"
#elif SC_LEVEL_NUMBER == SC_LEVEL_avx2
#include "simd/avx2.hpp"
#else
#include "simd/portable.hpp"
#endif
