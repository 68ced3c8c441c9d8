/** What each AEAD provider costs: packets of 100 and 400 bytes with a key of one thousand each, and forged tokens. */

import { aeadReport, chooseAead } from '../../sys/aead/choose.ts';
import { type Aead, DatagramBatch, slotStrideBytes } from '../../sys/api.ts';
import { NativeArena } from '../../sys/ffi/arena.ts';
import { type BenchOptions, type BenchReport, figure, type Must, machine, RUNS_DEFAULT } from './report.ts';

const SLOTS = 64;
const SLOT_BYTES = 512;
const KEYS = 1000;
const TOKEN_BYTES = 1024; // private connect token: 1,008 and the tag
/** For the provider in use on most machines; the others are shown. */
const PACKET_MUST: Must = { op: '<=', value: 450 };
const TOKEN_MUST: Must = { op: '<=', value: 5000 };

export async function run(options: BenchOptions): Promise<BenchReport> {
  const runs = options.runs ?? RUNS_DEFAULT;
  const figures = aeadReport()
    .filter((finding) => finding.ok)
    .flatMap(({ name }) => {
      const fast = name === 'openssl-primitives';
      const stand = new Stand(chooseAead(SLOTS, SLOT_BYTES, name), name !== 'node-crypto');
      const count = fast ? 100_000 : 20_000;
      stand.seal(100, count); // compiled before it is measured
      stand.open(100, count);
      const samples = (measure: () => number) => Array.from({ length: runs }, measure);
      return [
        figure(
          `${name}: seal 100 bytes`,
          'ns',
          samples(() => stand.seal(100, count)),
          fast ? PACKET_MUST : undefined,
        ),
        figure(
          `${name}: open 100 bytes`,
          'ns',
          samples(() => stand.open(100, count)),
          fast ? PACKET_MUST : undefined,
        ),
        figure(
          `${name}: seal 400 bytes`,
          'ns',
          samples(() => stand.seal(400, count)),
        ),
        figure(
          `${name}: open 400 bytes`,
          'ns',
          samples(() => stand.open(400, count)),
        ),
        figure(
          `${name}: refuse a forged token`,
          'ns',
          samples(() => stand.refuse(count / 4)),
          fast ? TOKEN_MUST : undefined,
        ),
      ];
    });
  const notes = aeadReport().filter((finding) => !finding.ok);
  return { bench: 'aead', machine: machine(), figures, notes: notes.map(({ name, reason }) => `${name}: ${reason}`) };
}

/** One provider with its keys and a batch. */
class Stand {
  readonly #aead: Aead;
  readonly #batch: DatagramBatch;
  readonly #keys: Int32Array;

  constructor(aead: Aead, native: boolean) {
    this.#aead = aead;
    this.#batch = native ? nativeBatch() : DatagramBatch.allocate(SLOTS, SLOT_BYTES);
    this.#keys = Int32Array.from({ length: KEYS }, (_, i) => aead.load(new Uint8Array(32).fill(i), new Uint8Array(21)));
  }

  /** Nanoseconds a packet sealed. */
  seal(bytes: number, count: number): number {
    const start = process.hrtime.bigint();
    for (let i = 0; i < count; i++) {
      this.#batch.length[i % SLOTS] = bytes;
      this.#aead.seal(this.#batch, i % SLOTS, this.#keys[i % KEYS]!, 0x85, i, 7);
    }
    return Number(process.hrtime.bigint() - start) / count;
  }

  /** Nanoseconds a packet opened. */
  open(bytes: number, count: number): number {
    for (let slot = 0; slot < SLOTS; slot++) {
      this.#batch.length[slot] = bytes;
      this.#aead.seal(this.#batch, slot, this.#keys[slot]!, 0x85, slot, 7);
    }
    let opened = 0;
    const start = process.hrtime.bigint();
    for (let i = 0; i < count; i++) {
      const slot = i % SLOTS;
      if (this.#aead.open(this.#batch, slot, 0, this.#keys[slot]!, 0x85, slot, 7)) opened++;
    }
    const elapsed = Number(process.hrtime.bigint() - start);
    if (opened !== count) throw new Error(`${count - opened} of ${count} packets were refused`);
    return elapsed / count;
  }

  /** Nanoseconds to refuse a private token that was not minted with our key: what a flood costs. */
  refuse(count: number): number {
    const token = new Uint8Array(TOKEN_BYTES);
    const [key, nonce, associated] = [new Uint8Array(32), new Uint8Array(24), new Uint8Array(29)];
    const start = process.hrtime.bigint();
    for (let i = 0; i < count; i++) {
      token[0] = i;
      if (this.#aead.openOnce(key, nonce, associated, token)) throw new Error('a forged token was taken');
    }
    return Number(process.hrtime.bigint() - start) / count;
  }
}

function nativeBatch(): DatagramBatch {
  const arena = NativeArena.map(SLOTS * slotStrideBytes(SLOT_BYTES));
  const batch = new DatagramBatch(arena.bytes, SLOTS, SLOT_BYTES);
  batch.arenaAddress = arena.address;
  return batch;
}
