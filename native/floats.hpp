// A vector of numbers in single precision, of any level: compilers take it apart where it is wider
// than a register.
#pragma once
#include <cstddef>
#include <cstring>

namespace sc::SC_LEVEL {

constexpr size_t kFloats = 16;

#if defined(__GNUC__)
using Floats = float __attribute__((vector_size(kFloats * sizeof(float)), aligned(4)));
#else
struct Floats {
  float v[kFloats];
};
inline Floats operator*(float a, Floats b) {
  for (float& v : b.v) v *= a;
  return b;
}
inline Floats& operator+=(Floats& a, const Floats& b) {
  for (size_t i = 0; i < kFloats; i++) a.v[i] += b.v[i];
  return a;
}
#endif

inline Floats load_floats(const float* x) {
  Floats v;
  std::memcpy(&v, x, sizeof v);
  return v;
}
inline void store_floats(float* x, const Floats& v) { std::memcpy(x, &v, sizeof v); }

}  // namespace sc::SC_LEVEL
