import { createCipheriv } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { aeadReport, chooseAead } from '../../../sys/aead/choose.ts';
import { type Aead, DatagramBatch } from '../../../sys/api.ts';
import { held, nativeBatch, place, range } from './batches.ts';

const SLOTS = 4;
const SLOT_BYTES = 1500;
const hex = (text: string) => Uint8Array.from(Buffer.from(text, 'hex'));
const usable = aeadReport().filter((finding) => finding.ok);
const missing = aeadReport().filter((finding) => !finding.ok);

for (const { name, reason } of missing) test.skip(`${name} gives the published answers (skipped: ${reason})`, () => {});

/** node:crypto asked directly: nonce and associated data as netcode makes them. */
function expectedPacket(key: Uint8Array, associated: Uint8Array, low: number, high: number, data: Uint8Array): Buffer {
  const nonce = Buffer.alloc(12);
  nonce.writeUInt32LE(low >>> 0, 4);
  nonce.writeUInt32LE(high >>> 0, 8);
  const cipher = createCipheriv('chacha20-poly1305', key, nonce, { authTagLength: 16 });
  cipher.setAAD(associated, { plaintextLength: data.length });
  return Buffer.concat([cipher.update(data), cipher.final(), cipher.getAuthTag()]);
}

describe.each(usable.map((finding) => finding.name))('%s', (name) => {
  const aead: Aead = chooseAead(SLOTS, SLOT_BYTES, name);
  const batches: [string, DatagramBatch][] = [['ordinary memory', DatagramBatch.allocate(SLOTS, SLOT_BYTES)]];
  if (name !== 'node-crypto') batches.push(['native memory', nativeBatch(SLOTS, SLOT_BYTES)]);

  test('seals as RFC 8439 A.5 says, and opens it', () => {
    const key = hex('1c9240a5eb55d38af333888604f6b5f0473917c1402b80099dca5cbc207075c0');
    const nonce = hex('000000000102030405060708');
    const associated = hex('f33388860000000000004e91');
    const text = Buffer.from(
      'Internet-Drafts are draft documents valid for a maximum of six months and may be updated, replaced, or obsoleted ' +
        'by other documents at any time. It is inappropriate to use Internet-Drafts as reference material or to cite ' +
        'them other than as /\u201cwork in progress./\u201d',
    );
    const bytes = new Uint8Array(text.length + 16);
    bytes.set(text);
    aead.sealOnce(key, nonce, associated, bytes);
    expect(text.length).toBe(265);
    expect(Buffer.from(bytes.subarray(0, 16)).toString('hex')).toBe('64a0861575861af460f062c79be643bd');
    expect(Buffer.from(bytes.subarray(265)).toString('hex')).toBe('eead9d67890cbb22392336fea1851f38');
    expect(aead.openOnce(key, nonce, associated, bytes)).toBe(true);
    expect(Buffer.from(bytes.subarray(0, 265))).toEqual(text);
  });

  describe.each(batches)('over %s', (_memory, batch) => {
    test('seals and opens as node:crypto does, for any key, sequence, prefix, size and place in the slot', () => {
      fc.assert(
        fc.property(
          fc.uint8Array({ minLength: 32, maxLength: 32 }),
          fc.uint8Array({ minLength: 21, maxLength: 21 }),
          fc.uint8Array({ maxLength: 1300 }),
          fc.integer({ min: 0, max: 0xffffffff }),
          fc.integer({ min: 0, max: 0xffffffff }),
          fc.integer({ min: 0, max: 255 }),
          fc.integer({ min: 0, max: 9 }),
          fc.integer({ min: 0, max: SLOTS - 1 }),
          (key, associated, data, low, high, prefix, headerBytes, slot) => {
            const keyId = aead.load(key, associated);
            place(batch, slot, data);
            aead.seal(batch, slot, keyId, prefix, low, high);
            const expected = expectedPacket(key, Buffer.concat([associated, Uint8Array.of(prefix)]), low, high, data);
            expect(Buffer.from(held(batch, slot))).toEqual(expected);
            batch.offset[slot]! -= headerBytes;
            batch.length[slot]! += headerBytes;
            const datagram = held(batch, slot);
            expect(aead.open(batch, slot, headerBytes, keyId, prefix, low | 0, high | 0)).toBe(true);
            const at = slot * aead.plaintextStrideBytes;
            expect(aead.plaintext.slice(at, at + data.length)).toEqual(data);
            expect(held(batch, slot)).toEqual(datagram);
            aead.free(keyId);
          },
        ),
        { numRuns: 300 },
      );
    });

    test('refuses a packet with any one bit changed and shows none of its plaintext', () => {
      const keyId = aead.load(range(1, 32), range(2, 21));
      const data = range(100, 50);
      place(batch, 2, data);
      aead.seal(batch, 2, keyId, 0x25, -5, 9);
      const start = batch.offset[2]!;
      const at = 2 * aead.plaintextStrideBytes;
      aead.plaintext.fill(0, at, at + data.length);
      for (let bit = 0; bit < (data.length + 16) * 8; bit++) {
        batch.arena[start + (bit >> 3)]! ^= 1 << (bit & 7);
        expect(aead.open(batch, 2, 0, keyId, 0x25, -5, 9)).toBe(false);
        batch.arena[start + (bit >> 3)]! ^= 1 << (bit & 7);
        expect(aead.plaintext.subarray(at, at + data.length).every((byte) => byte === 0)).toBe(true);
      }
      expect(aead.open(batch, 2, 0, keyId, 0x25, -5, 9)).toBe(true);
      for (let bit = 0; bit < 8; bit++) expect(aead.open(batch, 2, 0, keyId, 0x25 ^ (1 << bit), -5, 9)).toBe(false);
      expect(aead.open(batch, 2, 0, keyId, 0x25, -5, 10)).toBe(false);
      expect(aead.open(batch, 2, 0, keyId, 0x25, -4, 9)).toBe(false);
      aead.free(keyId);
      const other = aead.load(range(1, 32), range(3, 21));
      expect(aead.open(batch, 2, 0, other, 0x25, -5, 9)).toBe(false);
      aead.free(other);
    });

    test('refuses datagrams shorter than a tag or longer than the plaintext of a slot', () => {
      const keyId = aead.load(range(1, 32), range(2, 21));
      place(batch, 1, new Uint8Array(20));
      expect(aead.open(batch, 1, 5, keyId, 0, 0, 0)).toBe(false);
      batch.length[1] = 0;
      expect(aead.open(batch, 1, 0, keyId, 0, 0, 0)).toBe(false);
      batch.length[1] = SLOT_BYTES + 17;
      expect(aead.open(batch, 1, 0, keyId, 0, 0, 0)).toBe(false);
      aead.free(keyId);
    });

    test('does not touch the slots beside the one that it seals or opens', () => {
      const keyId = aead.load(range(9, 32), range(2, 21));
      for (let slot = 0; slot < SLOTS; slot++) {
        place(batch, slot, range(slot * 50, 400));
        aead.seal(batch, slot, keyId, 1, slot, 0);
      }
      for (let slot = 0; slot < SLOTS; slot++) expect(aead.open(batch, slot, 0, keyId, 1, slot, 0)).toBe(true);
      for (let slot = 0; slot < SLOTS; slot++) {
        const at = slot * aead.plaintextStrideBytes;
        expect(aead.plaintext.slice(at, at + 400)).toEqual(range(slot * 50, 400));
      }
      aead.free(keyId);
    });

    test('throws for a slot, a key number or a place that does not exist, before any native code runs', () => {
      const keyId = aead.load(range(1, 32), range(2, 21));
      place(batch, 0, range(0, 40));
      for (const bad of [SLOTS, -1, 1e9, Number.NaN]) {
        expect(() => aead.seal(batch, bad, keyId, 0, 0, 0)).toThrow();
        expect(() => aead.open(batch, bad, 0, keyId, 0, 0, 0)).toThrow();
      }
      for (const bad of [keyId + 1, -1, 1e9, 0.5]) {
        expect(() => aead.seal(batch, 0, bad, 0, 0, 0)).toThrow(/no key has the number/);
        expect(() => aead.open(batch, 0, 0, bad, 0, 0, 0)).toThrow(/no key has the number/);
      }
      batch.offset[0] = batch.arena.length - 40;
      expect(() => aead.seal(batch, 0, keyId, 0, 0, 0)).toThrow(/slot/);
      aead.free(keyId);
      expect(() => aead.open(batch, 0, 0, keyId, 0, 0, 0)).toThrow(/no key has the number/);
    });
  });

  test('refuses a one-shot message with any one byte changed, and leaves it as it was', () => {
    const key = range(7, 32);
    for (const nonce of [range(3, 12), range(3, 24)]) {
      const bytes = new Uint8Array(1024);
      bytes.set(range(0, 1008));
      aead.sealOnce(key, nonce, range(1, 29), bytes);
      for (let at = 0; at < bytes.length; at += 13) {
        bytes[at]! ^= 0x40;
        const before = Uint8Array.from(bytes);
        expect(aead.openOnce(key, nonce, range(1, 29), bytes)).toBe(false);
        expect(bytes).toEqual(before);
        bytes[at]! ^= 0x40;
      }
      expect(aead.openOnce(key, nonce, range(2, 29), bytes)).toBe(false);
      expect(aead.openOnce(key, nonce, range(1, 29), bytes)).toBe(true);
      expect(bytes.subarray(0, 1008)).toEqual(range(0, 1008));
      expect(aead.openOnce(key, nonce, range(1, 29), new Uint8Array(15))).toBe(false);
    }
  });

  test('seals one-shot messages as every other provider does, for any size of message and associated data', () => {
    const reference = chooseAead(1, 64, 'node-crypto');
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 32, maxLength: 32 }),
        fc.oneof(fc.uint8Array({ minLength: 12, maxLength: 12 }), fc.uint8Array({ minLength: 24, maxLength: 24 })),
        fc.uint8Array({ maxLength: 60 }),
        fc.uint8Array({ minLength: 16, maxLength: 1100 }),
        (key, nonce, associated, message) => {
          const ours = Uint8Array.from(message);
          const theirs = Uint8Array.from(message);
          aead.sealOnce(key, nonce, associated, ours);
          reference.sealOnce(key, nonce, associated, theirs);
          expect(ours).toEqual(theirs);
          expect(aead.openOnce(key, nonce, associated, ours)).toBe(true);
          expect(ours.subarray(0, -16)).toEqual(message.subarray(0, -16));
        },
      ),
      { numRuns: 200 },
    );
  });

  test('keeps thousands of keys apart and gives freed numbers out again', () => {
    const batch = DatagramBatch.allocate(1, 64);
    const ids = Array.from({ length: 5000 }, (_, i) => aead.load(range(i, 32).fill(i >> 8, 8, 16), range(i, 21)));
    expect(new Set(ids).size).toBe(5000);
    for (const i of [0, 1, 255, 256, 257, 4095, 4999]) {
      place(batch, 0, range(0, 10));
      aead.seal(batch, 0, ids[i]!, 7, i, 1);
      const associated = Buffer.concat([range(i, 21), Uint8Array.of(7)]);
      const expected = expectedPacket(range(i, 32).fill(i >> 8, 8, 16), associated, i, 1, range(0, 10));
      expect(Buffer.from(held(batch, 0))).toEqual(expected);
    }
    aead.free(ids[17]!);
    expect(aead.load(range(1, 32), range(1, 21))).toBe(ids[17]);
    for (const id of ids) aead.free(id);
    expect(() => aead.free(ids[0]!)).toThrow(/no key has the number/);
  });
});

interface Vectors {
  readonly connect_tokens: Record<string, string>[];
  readonly challenge_tokens: Record<string, string>[];
}
const vectorsUrl = new URL('../../../../shared/vectors/netcode-1.02.json', import.meta.url);
const vectors = existsSync(vectorsUrl) ? (JSON.parse(readFileSync(vectorsUrl, 'utf8')) as Vectors) : null;

describe.skipIf(vectors === null)('the tokens of the C reference (skipped where its recording is not there)', () => {
  test.each(usable.map((finding) => finding.name))('are sealed and opened by %s', (name) => {
    const aead = chooseAead(1, 64, name);
    for (const token of vectors!.connect_tokens) {
      const bytes = hex(token.private_plaintext!);
      const [key, nonce, associated] = [hex(token.private_key!), hex(token.nonce!), hex(token.associated_data!)];
      aead.sealOnce(key, nonce, associated, bytes);
      expect(Buffer.from(bytes).toString('hex')).toBe(token.private_encrypted);
      expect(aead.openOnce(key, nonce, associated, bytes)).toBe(true);
    }
    for (const token of vectors!.challenge_tokens) {
      const bytes = hex(token.plaintext!);
      aead.sealOnce(hex(token.key!), hex(token.nonce!), new Uint8Array(0), bytes);
      expect(Buffer.from(bytes).toString('hex')).toBe(token.encrypted);
    }
  });
});
