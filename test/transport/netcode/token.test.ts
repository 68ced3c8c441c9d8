import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { chooseAead } from '../../../sys/aead/choose.ts';
import { formatAddress, parseAddress } from '../../../sys/api.ts';
import { ConfigError } from '../../../transport/config-error.ts';
import { ChallengeBook } from '../../../transport/netcode/challenge.ts';
import { tokenAssociatedDataOf } from '../../../transport/netcode/packets.ts';
import {
  mintConnectToken,
  PrivateToken,
  readConnectToken,
  TOKEN_BYTES,
  writeConnectToken,
  writePrivateToken,
} from '../../../transport/netcode/token.ts';
import { TokenAddresses, writeTokenAddresses } from '../../../transport/netcode/token-addresses.ts';
import { hex, overRecordings, toHex } from './recordings.ts';
import { at, PRIVATE_KEY, PROTOCOL_ID, seededRng } from './world.ts';

const aead = chooseAead(1, 2048);

overRecordings('recorded tokens', ({ connect_tokens, challenge_tokens }) => {
  test.each(connect_tokens)('writes the token "$name" byte for byte', (record) => {
    const addresses = record.public_addresses.map((text) => parseAddress(text)!);
    const keys = {
      timeoutSeconds: record.timeout_seconds,
      clientToServerKey: hex(record.client_to_server_key),
      serverToClientKey: hex(record.server_to_client_key),
    };
    const privateAddresses = record.private_addresses.map((text) => parseAddress(text)!);
    const privateToken = writePrivateToken(keys, BigInt(record.client_id), privateAddresses, hex(record.user_data));
    if (record.private_plaintext !== undefined) expect(toHex(privateToken)).toBe(record.private_plaintext);
    const protocolId = BigInt(record.protocol_id);
    const expires = BigInt(record.expire_timestamp);
    aead.sealOnce(hex(record.private_key), hex(record.nonce), tokenAssociatedDataOf(protocolId, expires), privateToken);
    const created = BigInt(record.create_timestamp);
    const nonce = hex(record.nonce);
    const bytes = writeConnectToken({ ...keys, protocolId, created, expires, nonce, privateToken, addresses });
    expect(toHex(bytes)).toBe(record.public);
  });

  test.each(connect_tokens)('reads the token "$name" as a client and as a server', (record) => {
    const token = readConnectToken(hex(record.public))!;
    expect(token.protocolId).toBe(BigInt(record.protocol_id));
    expect(token.created).toBe(BigInt(record.create_timestamp));
    expect(token.expires).toBe(BigInt(record.expire_timestamp));
    expect(token.timeoutSeconds).toBe(record.timeout_seconds);
    expect(token.addresses.map((address) => formatAddress(address))).toEqual(record.public_addresses);
    expect(toHex(token.clientToServerKey)).toBe(record.client_to_server_key);
    expect(toHex(token.serverToClientKey)).toBe(record.server_to_client_key);
    const opened = new PrivateToken();
    opened.bytes.set(token.privateToken);
    const associated = tokenAssociatedDataOf(token.protocolId, token.expires);
    expect(aead.openOnce(hex(record.private_key), token.nonce, associated, opened.bytes)).toBe(true);
    expect(opened.parse()).toBe(true);
    expect(new DataView(opened.clientId.buffer).getBigUint64(0, true)).toBe(BigInt(record.client_id));
    expect(opened.timeoutSeconds).toBe(record.timeout_seconds);
    const { addresses } = opened;
    const texts = Array.from({ length: addresses.count }, (_, i) => formatAddress(addresses.copy(i)));
    expect(texts).toEqual(record.private_addresses);
    expect(toHex(opened.userData)).toBe(record.user_data);
    expect(toHex(opened.clientToServerKey)).toBe(record.client_to_server_key);
    expect(toHex(opened.serverToClientKey)).toBe(record.server_to_client_key);
  });

  test.each(challenge_tokens)('makes and takes back challenge $sequence of client $client_id', (record) => {
    const id = new Uint8Array(8);
    new DataView(id.buffer).setBigUint64(0, BigInt(record.client_id), true);
    const sequence = BigInt(record.sequence);
    const challenge = new Uint8Array(308);
    const nonce = new Uint8Array(12);
    new DataView(nonce.buffer).setBigUint64(4, sequence, true);
    const token = new Uint8Array(300);
    token.set(id);
    token.set(hex(record.user_data), 8);
    aead.sealOnce(hex(record.key), nonce, new Uint8Array(0), token);
    expect(toHex(token)).toBe(record.encrypted);
    if (sequence !== 0n) return; // a book counts from 0: the others were made by a server that had run for long
    const book = new ChallengeBook(aead, { u32: () => 0, fill: (bytes) => bytes.set(hex(record.key)) });
    book.write(challenge, 0, 7, id, 0, hex(record.user_data), 0);
    expect(toHex(challenge)).toBe('00'.repeat(8) + record.encrypted);
    expect(book.verify(challenge, 0, 7, id, 0)).toBe(true);
  });
});

describe('mintConnectToken', () => {
  const options = {
    protocolId: PROTOCOL_ID,
    privateKey: PRIVATE_KEY,
    clientId: 5n,
    serverAddresses: [at('10.0.0.1', 40000)],
  };
  const mintWith = (changes: object) => mintConnectToken({ ...options, ...changes }, aead, seededRng(1), 1_800_000_000);

  test('makes 2,048 bytes that live for 30 seconds and hold different keys each time', () => {
    const rng = seededRng(9);
    const a = readConnectToken(mintConnectToken(options, aead, rng, 1_800_000_000))!;
    const b = readConnectToken(mintConnectToken(options, aead, rng, 1_800_000_000))!;
    expect(mintWith({}).length).toBe(TOKEN_BYTES);
    expect(a.expires - a.created).toBe(30n);
    expect(a.timeoutSeconds).toBe(5);
    expect(new Set([a, b].flatMap((t) => [toHex(t.clientToServerKey), toHex(t.serverToClientKey)])).size).toBe(4);
    expect(toHex(a.nonce)).not.toBe(toHex(b.nonce));
  });

  test('makes a token that never expires when the lifetime is negative', () => {
    expect(readConnectToken(mintWith({ lifetimeSeconds: -1 }))!.expires).toBe((1n << 64n) - 1n);
  });

  test.each([
    ['timeoutSeconds', { timeoutSeconds: 0 }],
    ['timeoutSeconds', { timeoutSeconds: 2 ** 31 }],
    ['timeoutSeconds', { timeoutSeconds: 1.5 }],
    ['lifetimeSeconds', { lifetimeSeconds: Number.NaN }],
    ['privateKey', { privateKey: new Uint8Array(31) }],
    ['privateKey', { privateKey: 'secret' }],
    ['clientId', { clientId: -1n }],
    ['clientId', { clientId: 1n << 64n }],
    ['clientId', { clientId: 5 }],
    ['protocolId', { protocolId: 1n << 64n }],
    ['userData', { userData: new Uint8Array(257) }],
    ['serverAddresses', { serverAddresses: [] }],
    ['serverAddresses', { serverAddresses: new Array(33).fill(at('10.0.0.1', 1)) }],
    ['serverAddresses', { serverAddresses: [at('10.0.0.1', 0)] }],
    ['serverAddresses', { serverAddresses: ['10.0.0.1:40000'] }],
    ['internalAddresses', { internalAddresses: [new Uint8Array(23)] }],
  ])('refuses a wrong %s and names it', (field, changes) => {
    expect(() => mintWith(changes)).toThrow(ConfigError);
    expect(() => mintWith(changes)).toThrow(`option '${field}'`);
  });
});

describe('readConnectToken', () => {
  const good = mintConnectToken(
    { protocolId: 1n, privateKey: PRIVATE_KEY, clientId: 1n, serverAddresses: [at('::1', 7)] },
    aead,
    seededRng(4),
    1000,
  );
  const changed = (change: (bytes: Uint8Array, view: DataView) => void): Uint8Array => {
    const bytes = good.slice();
    change(bytes, new DataView(bytes.buffer));
    return bytes;
  };

  test.each<[string, Uint8Array]>([
    ['2,047 bytes', good.slice(0, 2047)],
    ['2,049 bytes', Uint8Array.of(...good, 0)],
    ['another version', changed((bytes) => bytes.fill(0x33, 11, 12))],
    ['an expiry before its creation', changed((_, view) => view.setBigUint64(29, 999n, true))],
    ['no address', changed((_, view) => view.setUint32(1089, 0, true))],
    ['33 addresses', changed((_, view) => view.setUint32(1089, 33, true))],
    ['an address of type 3', changed((bytes) => bytes.fill(3, 1093, 1094))],
  ])('finds no token in %s', (_, bytes) => {
    expect(readConnectToken(bytes)).toBeNull();
  });

  test('never throws, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 0, maxLength: 60 }), fc.nat(2047), (noise, start) => {
        const bytes = good.slice();
        bytes.set(noise.subarray(0, TOKEN_BYTES - start), start);
        const token = readConnectToken(bytes);
        return token === null || (token.addresses.length >= 1 && token.addresses.length <= 32);
      }),
    );
  });
});

test('address lists of every mix survive writing and reading', () => {
  const address = fc
    .tuple(fc.boolean(), fc.uint8Array({ minLength: 16, maxLength: 16 }), fc.integer({ min: 1, max: 65535 }))
    .map(([v4, bytes, port]) => {
      const text = v4
        ? `${bytes.slice(0, 4).join('.')}:${port}`
        : `[2001:${Buffer.from(bytes.slice(2)).toString('hex').match(/..../g)!.join(':')}]:${port}`;
      return parseAddress(text)!;
    });
  fc.assert(
    fc.property(fc.array(address, { minLength: 1, maxLength: 32 }), (addresses) => {
      const bytes = new Uint8Array(4 + 32 * 19);
      const end = writeTokenAddresses(bytes, 0, addresses);
      const list = new TokenAddresses();
      expect(list.read(bytes, 0)).toBe(end);
      expect(Array.from({ length: list.count }, (_, i) => toHex(list.copy(i)))).toEqual(addresses.map(toHex));
      expect(list.read(bytes.subarray(0, end - 1), 0)).toBe(-1);
    }),
  );
});

describe('ChallengeBook', () => {
  const id = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);
  const userData = new Uint8Array(256).fill(9);

  test('takes a challenge back from the handshake it was made for and from no other', () => {
    const book = new ChallengeBook(aead, seededRng(3));
    const mine = new Uint8Array(308);
    const other = new Uint8Array(308);
    book.write(mine, 0, 1, id, 0, userData, 0);
    book.write(other, 0, 2, id, 0, userData, 0);
    expect(book.verify(mine, 0, 1, id, 0)).toBe(true);
    expect(book.verify(mine, 0, 2, id, 0)).toBe(false);
    expect(book.verify(other, 0, 1, id, 0)).toBe(false);
    expect(book.verify(mine, 0, 1, id.slice().reverse(), 0)).toBe(false);
  });

  test('takes no challenge that is changed, not yet made, or sealed by a server before the restart', () => {
    const book = new ChallengeBook(aead, seededRng(3));
    const challenge = new Uint8Array(308);
    book.write(challenge, 0, 1, id, 0, userData, 0);
    for (const i of [0, 7, 8, 100, 291, 307]) {
      const forged = challenge.slice();
      forged[i]! ^= 1;
      expect(book.verify(forged, 0, 1, id, 0)).toBe(false);
    }
    const restarted = new ChallengeBook(aead, seededRng(4));
    restarted.write(new Uint8Array(308), 0, 1, id, 0, userData, 0);
    expect(restarted.verify(challenge, 0, 1, id, 0)).toBe(false);
  });
});
