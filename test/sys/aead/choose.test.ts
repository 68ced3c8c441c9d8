import { describe, expect, test } from 'vitest';
import { aeadReport, chooseAead } from '../../../sys/aead/choose.ts';
import { SELF_TEST_SLOT_BYTES, SELF_TEST_SLOTS, selfTest } from '../../../sys/aead/self-test.ts';
import { type Aead, type DatagramBatch, SysError } from '../../../sys/api.ts';
import { nativeBatch } from './batches.ts';

const real = () => chooseAead(SELF_TEST_SLOTS, SELF_TEST_SLOT_BYTES);

/** A real provider with some calls replaced: what a wrong build of the library would be. */
function broken(change: (aead: Aead) => Partial<Aead>): Aead {
  const aead = real();
  const changed = change(aead);
  return new Proxy(aead, {
    get(target, property) {
      const value = Reflect.get(property in changed ? changed : target, property) as unknown;
      return typeof value === 'function' ? value.bind(property in changed ? changed : target) : value;
    },
  });
}

test('the first provider of the report that is ok is the one in use', () => {
  const report = aeadReport();
  expect(report.map((finding) => finding.name)).toEqual(['openssl-primitives', 'openssl-evp', 'node-crypto']);
  expect(chooseAead(1, 64).name).toBe(report.find((finding) => finding.ok)!.name);
  for (const finding of report) expect(finding.reason === '').toBe(finding.ok);
});

test('a provider can be forced, and is refused with its reason where it does not work', () => {
  for (const finding of aeadReport()) {
    if (finding.ok) expect(chooseAead(1, 64, finding.name).name).toBe(finding.name);
    else expect(() => chooseAead(1, 64, finding.name)).toThrow(finding.reason);
  }
  expect(() => chooseAead(1, 64, 'none such' as 'node-crypto')).toThrow(SysError);
});

describe('the self-test', () => {
  test('passes every provider that the report calls ok', () => {
    for (const { name } of aeadReport().filter((finding) => finding.ok)) {
      expect(selfTest(chooseAead(SELF_TEST_SLOTS, SELF_TEST_SLOT_BYTES, name), null)).toBeNull();
    }
  });

  const flaws: [string, (aead: Aead) => Partial<Aead>, RegExp][] = [
    ['accepts every token', () => ({ openOnce: () => true }), /changed byte/],
    ['refuses every token', () => ({ openOnce: () => false }), /right tag is refused/],
    [
      'gives other ciphertext',
      (aead) => ({
        sealOnce(key, nonce, associated, bytes) {
          aead.sealOnce(key, nonce, associated, bytes);
          bytes[5]! ^= 1;
        },
      }),
      /other bytes/,
    ],
    [
      'changes a refused token',
      (aead) => ({
        openOnce(key, nonce, associated, bytes) {
          const genuine = aead.openOnce(key, nonce, associated, bytes);
          if (!genuine) bytes[9] = 0;
          return genuine;
        },
      }),
      /refused message was changed/,
    ],
    [
      'ignores the associated data of packets',
      (aead) => ({
        seal: (batch, slot, keyId, _prefix, low, high) => aead.seal(batch, slot, keyId, 0, low, high),
        open: (batch, slot, header, keyId, _prefix, low, high) => aead.open(batch, slot, header, keyId, 0, low, high),
      }),
      /other bytes/,
    ],
    [
      'ignores the upper half of the sequence',
      (aead) => ({
        seal: (batch, slot, keyId, prefix, low) => aead.seal(batch, slot, keyId, prefix, low, 0),
        open: (batch, slot, header, keyId, prefix, low) => aead.open(batch, slot, header, keyId, prefix, low, 0),
      }),
      /other bytes/,
    ],
    [
      'accepts forged packets',
      (aead) => ({
        open(batch, slot, header, keyId, prefix, low, high) {
          aead.open(batch, slot, header, keyId, prefix, low, high);
          return true;
        },
      }),
      /is accepted/,
    ],
    [
      'swaps the keys',
      (aead) => ({ open: (batch, slot, header, _keyId, ...rest) => aead.open(batch, slot, header, 0, ...rest) }),
      /right tag is refused/,
    ],
    [
      'changes the datagram that it opens',
      (aead) => ({
        open(batch: DatagramBatch, slot, header, keyId, prefix, low, high) {
          const genuine = aead.open(batch, slot, header, keyId, prefix, low, high);
          batch.arena[batch.offset[slot]! + header]! ^= 1;
          return genuine;
        },
      }),
      /opening changed the datagram/,
    ],
    [
      'leaves plaintext of forged packets behind',
      (aead) => ({
        open(batch: DatagramBatch, slot, header, keyId, prefix, low, high) {
          const genuine = aead.open(batch, slot, header, keyId, prefix, low, high);
          const size = batch.length[slot]! - header - 16;
          if (!genuine && size > 0) {
            const clear = Uint8Array.from({ length: size }, (_, i) => (size + i) & 0xff);
            aead.plaintext.set(clear, slot * aead.plaintextStrideBytes);
          }
          return genuine;
        },
      }),
      /plaintext of a forged packet is readable/,
    ],
  ];
  test.each(flaws)('finds out a provider that %s', (_flaw, change, complaint) => {
    expect(selfTest(broken(change), null)).toMatch(complaint);
  });

  test('tries native memory too where a batch of it is given', () => {
    const flawed = broken((aead) => ({
      seal(batch: DatagramBatch, ...rest) {
        aead.seal(batch, ...rest);
        if (batch.arenaAddress !== 0) batch.arena[batch.offset[1]!]! ^= 1;
      },
    }));
    if (real().name === 'node-crypto') return; // this machine has no native memory to try
    expect(selfTest(flawed, nativeBatch(SELF_TEST_SLOTS, SELF_TEST_SLOT_BYTES))).toMatch(/^packets in native memory/);
  });
});
