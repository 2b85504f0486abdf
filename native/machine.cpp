// Finite-state machines, one a row. A lookup takes several steps at once where the table of all
// their symbols fits the cache and pays for its making.
#include "kernels.hpp"
#include "rows.hpp"

namespace sc {
namespace {

// Entries of a composed table: half a megabyte, in the second-level cache.
constexpr size_t kMaxEntries = size_t{1} << 17;

// An entry of a table of K steps is
//   next state | K bits of output 0 << 16 | K bits of output 1 << (16 + K),
// at the index  state << (K * inputs) | K bits of input 1 << K | K bits of input 0.
template <int kIn, int kOut, int K>
inline void advance(const uint32_t* table, uint32_t& state, uint64_t (&in)[kIn],
                    uint64_t (&out)[kOut]) {
  constexpr uint64_t kMask = (uint64_t{1} << K) - 1;
  uint64_t index = uint64_t{state} << K * kIn;
  for (int i = 0; i < kIn; i++) {
    index |= (in[i] & kMask) << K * i;
    in[i] >>= K;
  }
  const uint32_t entry = table[index];
  state = entry & 0xFFFF;
  for (int o = 0; o < kOut; o++) out[o] = out[o] >> K | uint64_t{entry >> (16 + K * o)} << (64 - K);
}

template <int kIn, int kOut, int K, size_t R>
void run_rows(const Machine& m, size_t row) {
  const size_t words = words_for(m.length), plane = m.n_rows * words;
  uint32_t state[R];
  for (size_t r = 0; r < R; r++) state[r] = m.states[row + r];
  for (size_t w = 0; w < words; w++) {
    const size_t at = row * words + w;
    const int steps = m.length - 64 * w < 64 ? int(m.length - 64 * w) : 64;
    uint64_t in[R][kIn], out[R][kOut] = {};
    for (size_t r = 0; r < R; r++)
      for (int i = 0; i < kIn; i++) in[r][i] = m.inputs[i * plane + at + r * words];
    int left = steps;
    for (; left >= K; left -= K) {
#pragma GCC unroll 8
      for (size_t r = 0; r < R; r++) advance<kIn, kOut, K>(m.composed, state[r], in[r], out[r]);
    }
    for (; left > 0; left--)
      for (size_t r = 0; r < R; r++) advance<kIn, kOut, 1>(m.table, state[r], in[r], out[r]);
    for (size_t r = 0; r < R; r++)
      for (int o = 0; o < kOut; o++) m.out[o * plane + at + r * words] = out[r][o] >> (64 - steps);
  }
  for (size_t r = 0; r < R; r++) m.states[row + r] = state[r];
}

template <int kIn, int kOut, int K>
void run_range(const Machine& m, size_t first, size_t last) {
  in_groups(first, last, [&](auto r, size_t row) { run_rows<kIn, kOut, K, r>(m, row); });
}

template <int kIn, int kOut>
void run_steps(const Machine& m, size_t first, size_t last) {
  if (m.steps * kIn == 8)
    run_range<kIn, kOut, 8 / kIn>(m, first, last);
  else if (m.steps * kIn == 4)
    run_range<kIn, kOut, 4 / kIn>(m, first, last);
  else
    run_range<kIn, kOut, 1>(m, first, last);
}

}  // namespace

int machine_steps(const Machine& m) {
  for (int bits = 8; bits >= 4; bits /= 2) {
    const size_t entries = m.n_states << bits;
    if (entries <= kMaxEntries && entries <= m.n_rows * m.length) return bits / int(m.n_in);
  }
  return 1;
}

// The runs of k + 1 steps take the places of those of k steps, a symbol longer.
void machine_compose(const Machine& m, uint32_t* composed) {
  const uint32_t symbols = 1u << m.n_in;
  for (size_t s = 0; s < m.n_states; s++) {
    uint32_t* row = composed + (s << m.n_in * m.steps);
    row[0] = uint32_t(s);
    for (int k = 0; k < m.steps; k++) {
      const uint32_t runs = 1u << k, runs_of_second = m.n_in == 2 ? runs : 1;
      for (uint32_t b = 0; b < runs_of_second; b++)
        for (uint32_t a = 0; a < runs; a++) {
          const uint32_t before = row[b << m.steps | a];
          for (uint32_t symbol = 0; symbol < symbols; symbol++) {
            const uint32_t entry = m.table[(before & 0xFFFF) * symbols + symbol];
            const uint32_t outputs = (entry >> 16 & 1) << (16 + k) | (entry >> 17 & 1)
                                                                         << (16 + m.steps + k);
            row[(b | (symbol >> 1) << k) << m.steps | (a | (symbol & 1) << k)] =
                (entry & 0xFFFF) | (before & 0xFFFF0000u) | outputs;
          }
        }
    }
  }
}

void machine(const Machine& m, size_t first, size_t last) {
  if (m.n_in == 1)
    m.n_out == 1 ? run_steps<1, 1>(m, first, last) : run_steps<1, 2>(m, first, last);
  else
    m.n_out == 1 ? run_steps<2, 1>(m, first, last) : run_steps<2, 2>(m, first, last);
}

}  // namespace sc
