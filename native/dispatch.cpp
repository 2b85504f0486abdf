// The levels that this machine can run, and the one in use.
#include "dispatch.hpp"

#include "kernels.hpp"

namespace sc {

namespace portable {
extern const Kernels kKernels;
}
#ifdef SC_X86
namespace avx2 {
extern const Kernels kKernels;
}
namespace avx512 {
extern const Kernels kKernels;
}
#endif
#ifdef SC_ARM
namespace neon {
extern const Kernels kKernels;
}
#endif

const std::vector<const Kernels*>& available_kernels() {
  static const std::vector<const Kernels*> levels = [] {
    std::vector<const Kernels*> found{&portable::kKernels};
#ifdef SC_X86
    __builtin_cpu_init();
    const bool bmi2 = __builtin_cpu_supports("bmi2");
    if (bmi2 && __builtin_cpu_supports("avx2")) found.push_back(&avx2::kKernels);
    if (bmi2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512vpopcntdq") && __builtin_cpu_supports("avx512vbmi2"))
      found.push_back(&avx512::kKernels);
#endif
#ifdef SC_ARM
    found.push_back(&neon::kKernels);  // part of every 64-bit ARM processor
#endif
    return found;
  }();
  return levels;
}

std::atomic<const Kernels*> kernels{available_kernels().back()};
std::atomic<size_t> n_threads{1};

}  // namespace sc
