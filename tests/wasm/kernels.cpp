// Kernels of the portable level for WebAssembly, called by compare.mjs. Arguments lie in one block of memory.
#include "encode.cpp"

namespace {
alignas(64) uint64_t memory[1 << 16];
}

extern "C" {

uint64_t* block() { return memory; }

void philox(uint64_t key, const uint32_t* counters, size_t n, uint32_t* out) {
  sc::portable::philox({key, counters, n, out}, {0, n, 0, 1, nullptr});
}

void encode(uint64_t key, const uint64_t* streams, const uint64_t* thresholds, size_t n,
            uint64_t first_word, uint64_t length, uint64_t* out) {
  sc::portable::encode({key, streams, 1, {n, thresholds, first_word, length, out}},
                       {0, n * sc::words_for(length), 0, 1, nullptr});
}
}
