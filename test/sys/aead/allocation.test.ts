import { describe, expect, test } from 'vitest';
import { SimAead } from '../../../sim/world/sim-aead.ts';
import { aeadReport, chooseAead } from '../../../sys/aead/choose.ts';
import { type Aead, DatagramBatch } from '../../../sys/api.ts';
import { heapBytesOfSlices } from '../collect-garbage.ts';
import { nativeBatch, range } from './batches.ts';

const SLOTS = 64;
const KEYS = 1500;
const PACKETS = 100_000;

/** Seals and opens `count` packets of 100 bytes; numbers lie beyond 2^32, keys change with each packet. */
function pass(aead: Aead, batch: DatagramBatch, keys: Int32Array, sequence: Int32Array, count: number): number {
  let opened = 0;
  for (let i = 0; i < count; i++) {
    const slot = i % SLOTS;
    const keyId = keys[i % KEYS]!;
    sequence[0] = sequence[0]! + 1;
    batch.length[slot] = 100;
    aead.seal(batch, slot, keyId, 0x85, sequence[0]!, sequence[1]!);
    if (aead.open(batch, slot, 0, keyId, 0x85, sequence[0]!, sequence[1]!)) opened++;
  }
  return opened;
}

const native = aeadReport().filter((finding) => finding.ok && finding.name !== 'node-crypto');
const cases: [string, () => Aead, () => DatagramBatch][] = native.flatMap(({ name }) => [
  [`${name} over native memory`, () => chooseAead(SLOTS, 256, name), () => nativeBatch(SLOTS, 256)],
  [`${name} over ordinary memory`, () => chooseAead(SLOTS, 256, name), () => DatagramBatch.allocate(SLOTS, 256)],
]);
cases.push(['the stand-in of the simulator', () => new SimAead(SLOTS, 256), () => DatagramBatch.allocate(SLOTS, 256)]);

describe('100,000 packets sealed and opened with 1,500 keys and numbers beyond 2^32', () => {
  test.each(cases)(
    'grow the heap by at most a byte a packet with %s',
    { timeout: 60_000 },
    (_name, aeadOf, batchOf) => {
      const aead = aeadOf();
      const batch = batchOf();
      const keys = Int32Array.from({ length: KEYS }, (_, i) => aead.load(range(i, 32), range(i, 21)));
      const sequence = Int32Array.of(-0x7fff_0000, 3);
      expect(pass(aead, batch, keys, sequence, 30_000)).toBe(30_000);
      // Ten passes a round: V8 counts its heap in steps of 256 KiB, which one pass would not average out. The first round may
      // still compile; what is allocated for each packet shows in all.
      const bytesAPacket: number[] = [];
      for (let round = 0; round < 4 && !(bytesAPacket.at(-1)! <= 1); round++) {
        const grown = heapBytesOfSlices(10, () => {
          if (pass(aead, batch, keys, sequence, PACKETS) !== PACKETS) throw new Error('a packet was not opened');
        });
        bytesAPacket.push(grown / (10 * PACKETS));
      }
      expect(bytesAPacket.at(-1), `bytes a packet, round by round: ${bytesAPacket}`).toBeLessThanOrEqual(1);
    },
  );
});
