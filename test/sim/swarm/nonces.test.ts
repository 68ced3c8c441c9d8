import { beforeEach, describe, expect, it } from 'vitest';
import { Nonces } from '../../../sim/swarm/nonces.ts';
import { type Aead, DatagramBatch } from '../../../sys/api.ts';

const KEY = new Uint8Array(32).fill(1);
const ASSOCIATED = new Uint8Array(21);

let complaints: string[];
let nonces: Nonces;
let batch: DatagramBatch;

/** Seals a packet of one byte. */
function seal(aead: Aead, keyId: number, content: number, low: number, high = 0): void {
  batch.length[0] = 1;
  batch.arena[batch.offset[0]!] = content;
  aead.seal(batch, 0, keyId, 5, low, high);
}

beforeEach(() => {
  complaints = [];
  nonces = new Nonces((text) => void complaints.push(text));
  batch = DatagramBatch.allocate(1, 64);
});

describe('the lock on nonces', () => {
  it('complains when another packet is sealed with the same key and number, also by another host', () => {
    const [one, other] = [nonces.openAead(1, 64), nonces.openAead(1, 64)];
    seal(one, one.load(KEY, ASSOCIATED), 17, 3);
    expect(complaints).toEqual([]);
    seal(other, other.load(KEY.slice(), ASSOCIATED), 18, 3);
    expect(complaints).toEqual(['a nonce was used twice with one key: packet number 3']);
  });

  it('takes the same packet again, other keys, and numbers that differ in their high half alone', () => {
    const aead = nonces.openAead(1, 64);
    const key = aead.load(KEY, ASSOCIATED);
    seal(aead, key, 17, 3);
    seal(aead, key, 17, 3);
    seal(aead, key, 18, 3, 1);
    seal(aead, key, 19, 3 + 512);
    seal(aead, aead.load(new Uint8Array(32), ASSOCIATED), 20, 3);
    seal(aead, key, 21, 0xffff_ffff | 0, -1);
    expect(complaints).toEqual([]);
  });
});
