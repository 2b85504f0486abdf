// Run kernels in WebAssembly and compare their numbers with those of the NumPy twins.
//   node compare.mjs KERNELS.wasm TWINS.json
import { readFileSync } from "node:fs";
import { WASI } from "node:wasi";

const [, , file, twins] = process.argv;
const wasi = new WASI({ version: "preview1" });
const { instance } = await WebAssembly.instantiate(readFileSync(file), wasi.getImportObject());
wasi.initialize(instance);
const { memory, block, philox, encode } = instance.exports;

const start = block();
const words = () => new BigUint64Array(memory.buffer, start);
const put = (at, values) => values.forEach((v, i) => (words()[at + i] = BigInt.asUintN(64, BigInt(v))));
const address = (at) => start + 8 * at;

const expected = JSON.parse(readFileSync(twins, "utf8"));
let compared = 0;
function check(what, got, want) {
  const difference = want.findIndex((v, i) => BigInt(v) !== got[i]);
  if (difference >= 0) {
    console.error(`${what}: word ${difference} is ${got[difference]}, expected ${want[difference]}`);
    process.exit(1);
  }
  compared += want.length;
}

for (const { key, counter, out } of expected.philox) {
  new Uint32Array(memory.buffer, start, 4).set(counter);
  philox(BigInt.asIntN(64, BigInt(key)), address(0), 1, address(2));
  check("philox", [...new Uint32Array(memory.buffer, address(2), 4)].map(BigInt), out);
}
for (const { key, streams, thresholds, first_word, length, out } of expected.encode) {
  const n = streams.length;
  put(0, streams);
  put(n, thresholds);
  const integers = [key, first_word, length].map((v) => BigInt.asIntN(64, BigInt(v)));
  encode(integers[0], address(0), address(n), n, integers[1], integers[2], address(2 * n));
  check(`encode, length ${length}`, words().slice(2 * n, 2 * n + out.length), out);
}
console.log(`${compared} words are those of the twins`);
