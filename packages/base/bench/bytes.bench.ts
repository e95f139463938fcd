import type { BenchmarkSuite } from '../src/benchmark.ts';
import { bytesEqual, compareBytes, concatBytes, fromHex, toHex } from '../src/index.ts';

const hash = Uint8Array.from({ length: 32 }, (_, i) => 7 * i);
const same = hash.slice();
const buffer = Buffer.from(hash);
const hex = toHex(hash);

/** What stands in every hot path, against Buffer's own where it has one. */
const suite: BenchmarkSuite = {
  name: 'base: bytes',
  async run(bench) {
    const ours = await bench.measure('toHex, 32 bytes', { unit: 'hash' }, () => toHex(hash));
    const buffers = await bench.measure('Buffer.toString("hex"), 32 bytes', { unit: 'hash' }, () => Buffer.from(hash).toString('hex'));
    bench.note(`toHex takes ${(ours / buffers).toFixed(2)} times as long as Buffer`);
    await bench.measure('fromHex, 32 bytes', { unit: 'hash' }, () => fromHex(hex));
    await bench.measure('bytesEqual, 32 equal bytes', { unit: 'pair' }, () => bytesEqual(hash, same));
    await bench.measure('Buffer.equals, 32 equal bytes', { unit: 'pair' }, () => buffer.equals(same));
    await bench.measure('compareBytes, 32 equal bytes', { unit: 'pair' }, () => compareBytes(hash, same));
    await bench.measure('Buffer.compare, 32 equal bytes', { unit: 'pair' }, () => Buffer.compare(hash, same));
    await bench.measure('concatBytes, 32 + 32 bytes', { unit: 'pair' }, () => concatBytes(hash, same));
  },
};

export default suite;
