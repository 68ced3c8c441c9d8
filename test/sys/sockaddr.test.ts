/** Addresses between the kernel's form and the canonical one. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ADDRESS_BYTES, addressOf, formatAddress } from '../../sys/address.ts';
import {
  AF_INET,
  AF_INET6,
  addressWords,
  isMapped,
  readSockaddr,
  sameWords,
  writeSockaddr,
} from '../../sys/posix/sockaddr.ts';

/** The sockaddr bytes of `text` for a socket of `family`, or null. */
function sockaddrOf(address: Uint8Array, family: number): Uint8Array | null {
  const words = new Int32Array(8);
  return writeSockaddr(addressWords(address.slice()), 0, family, words, 0) ? new Uint8Array(words.buffer) : null;
}

const hex = (bytes: Uint8Array | null) => (bytes === null ? null : Buffer.from(bytes).toString('hex'));

describe('a sockaddr', () => {
  it('of IPv4 is family, port in network order, address', () => {
    expect(hex(sockaddrOf(addressOf('192.0.2.7', 0x1234)!, AF_INET))?.slice(0, 32)).toBe(
      `02001234${'c0000207'}${'00'.repeat(8)}`,
    );
  });

  it('of IPv6 is family, port, flow label 0, address, scope', () => {
    expect(hex(sockaddrOf(addressOf('fe80::1%3', 0x1234)!, AF_INET6))?.slice(0, 56)).toBe(
      `0a001234${'00000000'}fe800000000000000000000000000001${'03000000'}`,
    );
  });

  it('of an IPv4 peer of a dual-stack socket is the mapped address', () => {
    expect(hex(sockaddrOf(addressOf('192.0.2.7', 1)!, AF_INET6))?.slice(0, 56)).toBe(
      `0a000001${'00000000'}00000000000000000000ffffc0000207${'00000000'}`,
    );
  });

  it('cannot name an IPv6 peer of an IPv4 socket', () => {
    expect(sockaddrOf(addressOf('2001:db8::1', 1)!, AF_INET)).toBeNull();
  });

  it('of another family is no address', () => {
    const unix = new Int32Array([1, 0, 0, 0, 0, 0, 0, 0]);
    expect(readSockaddr(unix, 0, new Int32Array(6), 0)).toBe(false);
  });

  it('comes back as the canonical bytes it was made from, whatever the address', () => {
    const bytes = (n: number) => fc.uint8Array({ minLength: n, maxLength: n });
    const v6 = fc.tuple(bytes(16), bytes(2), bytes(4)).map(([host, port, scope]) => {
      const address = new Uint8Array(ADDRESS_BYTES);
      address.set(host, 0);
      address.set(port, 16);
      address.set(scope, 20);
      return address;
    });
    const v4 = fc.tuple(bytes(4), bytes(2)).map(([host, port]) => {
      const address = new Uint8Array(ADDRESS_BYTES);
      address.set([0xff, 0xff], 10);
      address.set(host, 12);
      address.set(port, 16);
      return address;
    });
    fc.assert(
      fc.property(fc.oneof(v4, v6), fc.nat(3), fc.nat(3), (address, from, to) => {
        const canonical = new Int32Array(ADDRESS_BYTES);
        canonical.set(addressWords(address), from * 6);
        const mapped = isMapped(canonical, from * 6);
        for (const family of mapped ? [AF_INET, AF_INET6] : [AF_INET6]) {
          const sockaddr = new Int32Array(64).fill(-1);
          expect(writeSockaddr(canonical, from * 6, family, sockaddr, to * 8)).toBe(true);
          const back = new Uint8Array(ADDRESS_BYTES * 4);
          expect(readSockaddr(sockaddr, to * 8, addressWords(back), to * 6)).toBe(true);
          expect(formatAddress(back, to * ADDRESS_BYTES)).toBe(formatAddress(address));
          expect(back.subarray(to * ADDRESS_BYTES, (to + 1) * ADDRESS_BYTES)).toEqual(address);
        }
      }),
    );
  });
});

describe('sameWords', () => {
  it('sees a difference in any of the six words', () => {
    const two = new Int32Array(12);
    expect(sameWords(two, 0, 6)).toBe(true);
    for (let word = 0; word < 6; word++) {
      two.fill(0);
      two[6 + word] = 1 << 31;
      expect(sameWords(two, 0, 6)).toBe(false);
    }
  });
});
