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
  // As many steps as 8 or 4 bits of input hold, rounded down to powers of two.
  constexpr int kLong = kIn == 1 ? 8 : kIn == 2 ? 4 : kIn <= 4 ? 2 : 1, kShort = kLong / 2;
  if (kLong > 1 && m.steps == kLong)
    run_range<kIn, kOut, kLong>(m, part);
  else if (kShort > 1 && m.steps == kShort)
    run_range<kIn, kOut, kShort == 0 ? 1 : kShort>(m, part);
  else
    run_range<kIn, kOut, 1>(m, part);
}

template <int kIn>
void run_inputs(const Machine& m, const Part& part) {
  if (m.n_in == kIn)
    m.n_out == 1 ? run_steps<kIn, 1>(m, part) : run_steps<kIn, 2>(m, part);
  else if constexpr (kIn < 8)
    run_inputs<kIn + 1>(m, part);
}

// The bits of k steps of each input, at every second place of 2 k steps.
uint32_t spread(uint32_t bits, int n_in, int k) {
  uint32_t out = 0;
  for (int i = 0; i < n_in; i++) out |= (bits >> k * i & ((1u << k) - 1)) << 2 * k * i;
  return out;
}

// A table of 2 k steps from one of k.
void join(size_t n_states, int n_in, int k, const uint32_t* from, uint32_t* to) {
  const uint32_t runs = 1u << n_in * k, mask = (1u << k) - 1;
  uint32_t first[16];  // 8 bits of input at most in 2 k steps
  for (uint32_t run = 0; run < runs; run++) first[run] = spread(run, n_in, k);
  for (size_t s = 0; s < n_states; s++) {
    for (uint32_t early = 0; early < runs; early++) {
      const uint32_t before = from[s << n_in * k | early];
      const uint32_t* row = from + (size_t{before & 0xFFFF} << n_in * k);
      const uint32_t written = (before >> 16 & mask) << 16 | (before >> (16 + k) & mask)
                                                                 << (16 + 2 * k);
      uint32_t* out = to + (s << n_in * 2 * k | first[early]);
      for (uint32_t late = 0; late < runs; late++) {
        const uint32_t after = row[late];
        out[first[late] << k] = written | (after & 0xFFFF) | (after >> 16 & mask) << (16 + k) |
                                (after >> (16 + k) & mask) << (16 + 3 * k);
      }
    }
  }
}

}  // namespace

// What a lookup saves against those of fewer steps, and what an entry costs, were measured: the
// factors hold within two for one row and for many.
void machine_compose(Machine& m) {
  const int n_in = int(m.n_in);
  const auto pays = [&](int steps, size_t factor) {
    const size_t entries = m.n_states << steps * n_in;
    return steps > 1 && entries <= kMaxEntries && factor * entries <= m.n_rows * m.length;
  };
  const int longest = n_in == 1 ? 8 : n_in == 2 ? 4 : n_in <= 4 ? 2 : 1;
  const int steps = pays(longest, 12) ? longest : pays(longest / 2, 3) ? longest / 2 : 1;
  if (steps == 1) return;
  m.steps = steps;
  // The steps double: tables of fewer are made behind the last one.
  const size_t entries = m.n_states << steps * n_in;
  m.composed = std::make_unique_for_overwrite<uint32_t[]>(2 * entries);
  uint32_t* spare = m.composed.get() + entries;
  const uint32_t* from = m.table;
  for (int k = 1; k < steps; k *= 2) {
    uint32_t* to = 2 * k == steps ? m.composed.get() : spare;
    join(m.n_states, n_in, k, from, to);
    from = to;
    spare += m.n_states << n_in * 2 * size_t(k);
  }
}

void machine(const Machine& m, const Part& part) { run_inputs<1>(m, part); }

}  // namespace sc
