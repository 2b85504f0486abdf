// Run kernels in WebAssembly and compare their numbers with those of expected.py.
//   node compare.mjs KERNELS.wasm EXPECTED.json
import { readFileSync } from "node:fs";
import { WASI } from "node:wasi";

const [, , file, numbers] = process.argv;
const wasi = new WASI({ version: "preview1" });
const { instance } = await WebAssembly.instantiate(readFileSync(file), wasi.getImportObject());
wasi.initialize(instance);
const { memory, block, ...kernels } = instance.exports;
const expected = JSON.parse(readFileSync(numbers, "utf8"));
const key = BigInt.asIntN(64, BigInt(expected.key));

// Arrays of 64-bit words, one after the other from the start of the block.
let free = block();
function place(values) {
  const at = free;
  const words = new BigUint64Array(memory.buffer, at, values.length);
  values.forEach((value, i) => (words[i] = BigInt.asUintN(64, BigInt(value))));
  free += 8 * values.length;
  return at;
}
const room = (n) => place(new Array(n).fill(0));

let compared = 0;
function check(what, at, want) {
  const got = new BigUint64Array(memory.buffer, at, want.length);
  want.forEach((value, i) => {
    if (BigInt(value) === got[i]) return;
    console.error(`${what}: word ${i} is ${got[i]}, expected ${value}`);
    process.exit(1);
  });
  compared += want.length;
  free = block();
}

for (const { key, counter, out } of expected.philox) {
  const [counters, at] = [room(2), room(2)];
  new Uint32Array(memory.buffer, counters, 4).set(counter);
  kernels.philox(BigInt.asIntN(64, BigInt(key)), counters, 1, at);
  const [a, b, c, d] = out.map(BigInt);
  check("philox", at, [a | (b << 32n), c | (d << 32n)]);
}
{
  const at = room(expected.normal.length);
  kernels.normal(key, 5, 3n, 101n, at);
  check("normal", at, expected.normal);
}
for (const { length, out } of expected.encode) {
  const [streams, thresholds, at] = [place(expected.streams), place(expected.thresholds), room(out.length)];
  kernels.encode(key, streams, thresholds, expected.streams.length, 3n, BigInt(length), at);
  check(`encode, length ${length}`, at, out);
}
for (const { length, out } of expected.lfsr) {
  const [phases, thresholds, at] = [place(expected.phases), place(expected.thresholds), room(out.length)];
  kernels.lfsr(16, 0x100b, phases, thresholds, expected.phases.length, BigInt(length), at);
  check(`lfsr, length ${length}`, at, out);
}
for (const layer of expected.dense) {
  const [nBatch, nIn, nOut, steps] = expected.shape;
  const [parameters, x, weights, gain] = [layer.parameters, layer.x, layer.weights, layer.gain].map(place);
  const [v, refractory, i, spikes] = [layer.v, layer.refractory, layer.i, layer.spikes].map((a) => room(a.length));
  kernels.dense(
    parameters, key, BigInt.asIntN(64, BigInt(expected.key) + 1n), x, weights, nBatch, nIn, nOut,
    BigInt(steps), gain, v, refractory, i, spikes,
  );
  check("dense", spikes, layer.spikes);
  check("dense, potentials", v, layer.v);
  check("dense, refractory periods", refractory, layer.refractory);
  check("dense, synaptic currents", i, layer.i);
}
console.log(`${compared} words in WebAssembly equal those of this machine`);
