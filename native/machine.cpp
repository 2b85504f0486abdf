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
void run_rows(const Machine& m, const Part& part, size_t row) {
  const size_t words = words_for(m.length), plane = m.n_rows * words;
  const uint32_t* table = K == 1 ? m.table : m.composed.get();
  uint32_t state[R];
  for (size_t r = 0; r < R; r++) state[r] = m.states[row + r];
  for (size_t w = part.first_word; w < part.last_word; w++) {
    const size_t at = row * words + w;
    const int steps = m.length - 64 * w < 64 ? int(m.length - 64 * w) : 64;
    uint64_t in[R][kIn], out[R][kOut] = {};
    for (size_t r = 0; r < R; r++)
      for (int i = 0; i < kIn; i++) in[r][i] = m.inputs[i * plane + at + r * words];
    int left = steps;
    for (; left >= K; left -= K) {
#pragma GCC unroll 8
      for (size_t r = 0; r < R; r++) advance<kIn, kOut, K>(table, state[r], in[r], out[r]);
    }
    for (; left > 0; left--)
      for (size_t r = 0; r < R; r++) advance<kIn, kOut, 1>(m.table, state[r], in[r], out[r]);
    for (size_t r = 0; r < R; r++)
      for (int o = 0; o < kOut; o++) m.out[o * plane + at + r * words] = out[r][o] >> (64 - steps);
  }
  for (size_t r = 0; r < R; r++) m.states[row + r] = state[r];
}

template <int kIn, int kOut, int K>
void run_range(const Machine& m, const Part& part) {
  in_groups(part, [&](auto r, size_t row) { run_rows<kIn, kOut, K, r>(m, part, row); });
}

template <int kIn, int kOut>
void run_steps(const Machine& m, const Part& part) {
  if (m.steps * kIn == 8)
    run_range<kIn, kOut, 8 / kIn>(m, part);
  else if (m.steps * kIn == 4)
    run_range<kIn, kOut, 4 / kIn>(m, part);
  else
    run_range<kIn, kOut, 1>(m, part);
}

// A table of 2 k steps from one of k.
template <int kIn>
void join(size_t n_states, int k, const uint32_t* from, uint32_t* to) {
  const uint32_t runs = 1u << kIn * k, mask = (1u << k) - 1;
  for (size_t s = 0; s < n_states; s++) {
    for (uint32_t early = 0; early < runs; early++) {
      const uint32_t before = from[s << kIn * k | early];
      const uint32_t* row = from + (size_t{before & 0xFFFF} << kIn * k);
      const uint32_t low = kIn == 1 ? early : (early >> k) << 2 * k | (early & mask);
      const uint32_t written = (before >> 16 & mask) << 16 | (before >> (16 + k) & mask)
                                                                 << (16 + 2 * k);
      uint32_t* out = to + (s << kIn * 2 * k | low);
      for (uint32_t late = 0; late < runs; late++) {
        const uint32_t after = row[late];
        const uint32_t high = kIn == 1 ? late << k : (late >> k) << 3 * k | (late & mask) << k;
        out[high] = written | (after & 0xFFFF) | (after >> 16 & mask) << (16 + k) |
                    (after >> (16 + k) & mask) << (16 + 3 * k);
      }
    }
  }
}

}  // namespace

// What a lookup saves against those of fewer steps, and what an entry costs, were measured: the
// factors hold within two for one row and for many.
void machine_compose(Machine& m) {
  const auto pays = [&](int bits, size_t factor) {
    const size_t entries = m.n_states << bits;
    return entries <= kMaxEntries && factor * entries <= m.n_rows * m.length;
  };
  const int bits = pays(8, 12) ? 8 : pays(4, 3) ? 4 : 0;
  if (bits == 0) return;
  m.steps = bits / int(m.n_in);
  // The steps double: tables of fewer are made behind the last one.
  const size_t entries = m.n_states << bits;
  m.composed = std::make_unique_for_overwrite<uint32_t[]>(2 * entries);
  uint32_t* spare = m.composed.get() + entries;
  const uint32_t* from = m.table;
  for (int k = 1; k < m.steps; k *= 2) {
    uint32_t* to = 2 * k == m.steps ? m.composed.get() : spare;
    m.n_in == 1 ? join<1>(m.n_states, k, from, to) : join<2>(m.n_states, k, from, to);
    from = to;
    spare += m.n_states << m.n_in * 2 * size_t(k);
  }
}

void machine(const Machine& m, const Part& part) {
  if (m.n_in == 1)
    m.n_out == 1 ? run_steps<1, 1>(m, part) : run_steps<1, 2>(m, part);
  else
    m.n_out == 1 ? run_steps<2, 1>(m, part) : run_steps<2, 2>(m, part);
}

}  // namespace sc
