// Runs work on several threads, in parts between which it can be interrupted.
#pragma once
#include <functional>

#include "kernels.hpp"

namespace sc {

// Called about every 0.1 s by the thread that waits for long work; an exception stops the work.
extern void (*poll)();

// How work can be cut: into rows, and into words of time.
struct Split {
  size_t rows;
  size_t words = 1;
  // Rows times words of about 20 us, below which another thread costs more than it saves.
  double grain = 1;
  // Parts start at multiples of these: a kernel is slower on fewer.
  size_t row_step = 64, word_step = 1;
  size_t scratch = 0;  // words that each thread needs
};

// Runs all parts of some work. Work that is short takes one part per thread.
void run_parts(const Split&, const std::function<void(const Part&)>& run);

#define SC_RUN(kernel, Work) void run(Work);
SC_LEVEL_KERNELS(SC_RUN)
SC_COMMON_KERNELS(SC_RUN)
#undef SC_RUN

}  // namespace sc
