// Circuits with feedback. Up to 64 rows are the bits of a word, their lanes, so that a gate serves
// all of them; words of time are turned into words of lanes, and back.
#include <algorithm>

#include "kernels.hpp"

namespace sc {
namespace {

// Turns 64 x 64 bits: bit i of word k becomes bit k of word i (Warren: Hacker's Delight, 7-3).
void turn(uint64_t (&rows)[64]) {
  uint64_t mask = ~uint64_t{0} >> 32;
  for (int s = 32; s > 0; s /= 2, mask ^= mask << s) {
    for (int r = 0; r < 64; r = (r + s + 1) & ~s) {
      const uint64_t moved = (rows[r] >> s ^ rows[r + s]) & mask;
      rows[r] ^= moved << s;
      rows[r + s] ^= moved;
    }
  }
}

void step_machine(const Circuit& c, const CircuitStep& step, uint64_t* values, uint32_t* states,
                  size_t lanes) {
  const uint32_t* table = c.tables + step.table;
  const uint64_t x = values[step.operand[0]];
  const bool two = step.operand[1] >= 0;
  const uint64_t y = two ? values[step.operand[1]] : 0;
  uint64_t z[2] = {};
  for (size_t lane = 0; lane < lanes; lane++) {
    const uint32_t symbol = uint32_t(x >> lane & 1) | uint32_t(y >> lane & 1) << 1;
    const uint32_t entry = table[states[lane] << (1 + two) | symbol];
    states[lane] = entry & 0xFFFF;
    z[0] |= uint64_t{entry >> 16 & 1} << lane;
    z[1] |= uint64_t{entry >> 17 & 1} << lane;
  }
  for (int o = 0; o < 2; o++)
    if (step.result[o] >= 0) values[step.result[o]] = z[o];
}

void step_wide(const Circuit& c, const CircuitStep& step, uint64_t* values, uint32_t* states,
               size_t lanes) {
  const uint32_t* table = c.tables + step.table;
  const int n_in = step.operand[1];
  uint64_t z[2] = {};
  for (size_t lane = 0; lane < lanes; lane++) {
    uint32_t index = states[lane] << n_in;
    for (int i = 0; i < n_in; i++) index |= uint32_t(values[table[i - n_in]] >> lane & 1) << i;
    const uint32_t entry = table[index];
    states[lane] = entry & 0xFFFF;
    z[0] |= uint64_t{entry >> 16 & 1} << lane;
    z[1] |= uint64_t{entry >> 17 & 1} << lane;
  }
  for (int o = 0; o < 2; o++)
    if (step.result[o] >= 0) values[step.result[o]] = z[o];
}

void take_steps(const Circuit& c, uint64_t* values, size_t row, size_t lanes) {
  const CircuitStep* steps = reinterpret_cast<const CircuitStep*>(c.steps);
  for (size_t i = 0; i < c.n_steps; i++) {
    const CircuitStep& step = steps[i];
    const uint64_t a = values[step.operand[0]];
    uint64_t& z = values[step.result[0] < 0 ? step.result[1] : step.result[0]];
    switch (step.kind) {
      case CircuitStep::kAnd:
        z = a & values[step.operand[1]];
        break;
      case CircuitStep::kOr:
        z = a | values[step.operand[1]];
        break;
      case CircuitStep::kXor:
        z = a ^ values[step.operand[1]];
        break;
      case CircuitStep::kNot:
        z = ~a;
        break;
      case CircuitStep::kWide:
        step_wide(c, step, values, c.states + size_t(step.machine) * c.n_rows + row, lanes);
        break;
      default:
        step_machine(c, step, values, c.states + size_t(step.machine) * c.n_rows + row, lanes);
    }
  }
}

}  // namespace

// A row of the work is a group of 64 rows of the circuit.
void circuit(const Circuit& c, const Part& part) {
  const size_t words = words_for(c.length), plane = c.n_rows * words;
  uint64_t* values = part.scratch;
  uint64_t* next = values + c.n_values;
  auto in = reinterpret_cast<uint64_t (*)[64]>(next + c.n_flip_flops);
  auto out = in + c.n_in;
  for (size_t group = part.first; group < part.last; group++) {
    const size_t row = 64 * group, lanes = std::min<size_t>(64, c.n_rows - row);
    uint64_t* held = c.held + group * c.n_flip_flops;
    for (size_t f = 0; f < c.n_flip_flops; f++) values[c.holds[2 * f]] = held[f];
    for (size_t w = part.first_word; w < part.last_word; w++) {
      const size_t at = row * words + w;
      const size_t n = size_t(std::min<uint64_t>(64, c.length - 64 * w));
      for (size_t i = 0; i < c.n_in; i++) {
        std::fill(in[i], in[i] + 64, 0);
        for (size_t k = 0; k < lanes; k++) in[i][k] = c.inputs[i * plane + at + k * words];
        turn(in[i]);
      }
      for (size_t o = 0; o < c.n_out; o++) std::fill(out[o] + n, out[o] + 64, 0);
      for (size_t t = 0; t < n; t++) {
        for (size_t i = 0; i < c.n_in; i++) values[i] = in[i][t];
        take_steps(c, values, row, lanes);
        for (size_t o = 0; o < c.n_out; o++) out[o][t] = values[c.outputs[o]];
        for (size_t f = 0; f < c.n_flip_flops; f++) next[f] = values[c.holds[2 * f + 1]];
        for (size_t f = 0; f < c.n_flip_flops; f++) values[c.holds[2 * f]] = next[f];
      }
      for (size_t o = 0; o < c.n_out; o++) {
        turn(out[o]);
        for (size_t k = 0; k < lanes; k++) c.out[o * plane + at + k * words] = out[o][k];
      }
    }
    for (size_t f = 0; f < c.n_flip_flops; f++) held[f] = values[c.holds[2 * f]];
  }
}

}  // namespace sc
