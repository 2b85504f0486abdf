// The table of one level's kernels.
#include "kernels.hpp"

#define SC_TEXT_(a) #a
#define SC_TEXT(a) SC_TEXT_(a)

namespace sc::SC_LEVEL {

extern const Kernels kKernels;
#define SC_NAME(kernel, Work) , kernel
const Kernels kKernels{SC_TEXT(SC_LEVEL) SC_LEVEL_KERNELS(SC_NAME)};

}  // namespace sc::SC_LEVEL
