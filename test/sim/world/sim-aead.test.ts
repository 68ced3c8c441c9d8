import fc from 'fast-check';
import { expect, test } from 'vitest';
import { SimAead } from '../../../sim/world/sim-aead.ts';
import { DatagramBatch } from '../../../sys/api.ts';

const range = (first: number, count: number) => Uint8Array.from({ length: count }, (_, i) => (first + i) & 0xff);

function place(batch: DatagramBatch, slot: number, data: Uint8Array): void {
  batch.offset[slot] = batch.home(slot);
  batch.length[slot] = data.length;
  batch.arena.set(data, batch.home(slot));
}

test('opens what it sealed, for any size and sequence, and leaves the datagram as it is', () => {
  const aead = new SimAead(2, 1300);
  const batch = DatagramBatch.allocate(2, 1300);
  const keyId = aead.load(range(0, 32), range(0, 21));
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 1300 }), fc.integer(), fc.integer(), (data, low, high) => {
      place(batch, 1, data);
      aead.seal(batch, 1, keyId, 5, low, high);
      const sealed = Uint8Array.from(batch.arena);
      expect(aead.open(batch, 1, 0, keyId, 5, low >>> 0, high >>> 0)).toBe(true);
      expect(batch.arena).toEqual(sealed);
      const at = aead.plaintextStrideBytes;
      expect(aead.plaintext.slice(at, at + data.length)).toEqual(data);
    }),
  );
});

test('refuses any one changed bit, another prefix, sequence, key and associated data, and shows no plaintext', () => {
  const aead = new SimAead(1, 200);
  const batch = DatagramBatch.allocate(1, 200);
  const keyId = aead.load(range(0, 32), range(0, 21));
  const otherKey = aead.load(range(0, 32).fill(9, 31), range(0, 21));
  const otherAssociated = aead.load(range(0, 32), range(0, 21).fill(9, 20));
  const data = range(50, 101);
  place(batch, 0, data);
  aead.seal(batch, 0, keyId, 5, 6, 7);
  const home = batch.home(0);
  for (let bit = 0; bit < batch.length[0]! * 8; bit++) {
    batch.arena[home + (bit >> 3)]! ^= 1 << (bit & 7);
    expect(aead.open(batch, 0, 0, keyId, 5, 6, 7)).toBe(false);
    batch.arena[home + (bit >> 3)]! ^= 1 << (bit & 7);
  }
  expect(aead.open(batch, 0, 0, keyId, 4, 6, 7)).toBe(false);
  expect(aead.open(batch, 0, 0, keyId, 5, 5, 7)).toBe(false);
  expect(aead.open(batch, 0, 0, keyId, 5, 6, 8)).toBe(false);
  expect(aead.open(batch, 0, 0, otherKey, 5, 6, 7)).toBe(false);
  expect(aead.open(batch, 0, 0, otherAssociated, 5, 6, 7)).toBe(false);
  expect(aead.plaintext.every((byte) => byte === 0)).toBe(true);
  expect(aead.open(batch, 0, 0, keyId, 5, 6, 7)).toBe(true);
});

test('has ciphertext that shares no long run with its plaintext, so code that reads it too early is found out', () => {
  const aead = new SimAead(1, 1300);
  const batch = DatagramBatch.allocate(1, 1300);
  const keyId = aead.load(range(0, 32), range(0, 21));
  place(batch, 0, new Uint8Array(1200));
  aead.seal(batch, 0, keyId, 5, 1, 0);
  const zeros = batch.arena.subarray(batch.home(0), batch.home(0) + 1200).filter((byte) => byte === 0).length;
  expect(zeros).toBeLessThan(40); // 1,200 / 256 = 5 expected
});

test('overwrites the bytes around a sealed packet as real providers may', () => {
  const aead = new SimAead(1, 100);
  const batch = DatagramBatch.allocate(1, 100);
  const keyId = aead.load(range(0, 32), range(0, 21));
  place(batch, 0, range(0, 100));
  const home = batch.home(0);
  aead.seal(batch, 0, keyId, 5, 1, 0);
  expect(batch.arena.subarray(home - 64, home).every((byte) => byte === 0)).toBe(false);
  expect(batch.arena.subarray(home + 116, home + 132).every((byte) => byte === 0)).toBe(false);
});

test('seals and opens tokens, and refuses a changed byte, nonce, key or associated data without touching them', () => {
  const aead = new SimAead(1, 16);
  const bytes = new Uint8Array(1024);
  bytes.set(range(3, 1008));
  aead.sealOnce(range(1, 32), range(2, 24), range(3, 29), bytes);
  const sealed = Uint8Array.from(bytes);
  for (let at = 0; at < bytes.length; at++) {
    bytes[at]! ^= 0x10;
    expect(aead.openOnce(range(1, 32), range(2, 24), range(3, 29), bytes)).toBe(false);
    bytes[at]! ^= 0x10;
  }
  expect(aead.openOnce(range(2, 32), range(2, 24), range(3, 29), bytes)).toBe(false);
  expect(aead.openOnce(range(1, 32), range(3, 24), range(3, 29), bytes)).toBe(false);
  expect(aead.openOnce(range(1, 32), range(2, 24), range(4, 29), bytes)).toBe(false);
  expect(bytes).toEqual(sealed);
  expect(aead.openOnce(range(1, 32), range(2, 24), range(3, 29), bytes)).toBe(true);
  expect(bytes.subarray(0, 1008)).toEqual(range(3, 1008));
});

test('gives the same bytes in every run: this one is recorded', () => {
  const aead = new SimAead(1, 64);
  const batch = DatagramBatch.allocate(1, 64);
  const keyId = aead.load(range(0, 32), range(0, 21));
  place(batch, 0, range(0, 7));
  aead.seal(batch, 0, keyId, 0x15, -2, 3);
  const sealed = batch.arena.subarray(batch.home(0), batch.home(0) + 23);
  expect(Buffer.from(sealed).toString('hex')).toBe('f6e3608fa8d1d91b6a6f74342b0cdeb99595af49fe0561');
});

test('throws for keys and slots that do not exist', () => {
  const aead = new SimAead(1, 64);
  const batch = DatagramBatch.allocate(1, 64);
  const keyId = aead.load(range(0, 32), range(0, 21));
  expect(() => aead.seal(batch, 0, keyId + 1, 0, 0, 0)).toThrow(/no key has the number/);
  expect(() => aead.open(batch, 1, 0, keyId, 0, 0, 0)).toThrow(/slot 1/);
  aead.free(keyId);
  expect(() => aead.free(keyId)).toThrow(/no key has the number/);
  expect(aead.load(range(0, 32), range(0, 21))).toBe(keyId);
});
