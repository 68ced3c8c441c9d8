/** Addresses between canonical bytes and the texts of node:dgram. */

import { networkInterfaces } from 'node:os';
import { describe, expect, it } from 'vitest';
import { ADDRESS_BYTES, addressOf, portOf } from '../../../sys/api.ts';
import { HostTexts } from '../../../sys/node/host-texts.ts';

const linkLocal = Object.entries(networkInterfaces())
  .flatMap(([name, entries]) => (entries ?? []).map((entry) => ({ name, entry })))
  .find(({ entry }) => entry.family === 'IPv6' && entry.scopeid > 0);
const without = linkLocal === undefined ? ' (skipped: this machine has no link-local address)' : '';

describe('host texts', () => {
  it.each([
    ['127.0.0.1', '127.0.0.1'],
    ['::ffff:127.0.0.1', '127.0.0.1'],
    ['::1', '::1'],
    ['2001:db8::7', '2001:db8::7'],
  ])('reads the sender %s as %s, with any port', (reported, host) => {
    const texts = new HostTexts();
    const bytes = new Uint8Array(ADDRESS_BYTES + 3);
    for (const port of [1, 255, 256, 65_535]) {
      expect(texts.write(bytes, 3, reported, port)).toBe(true);
      expect(bytes.slice(3)).toEqual(addressOf(host, port));
    }
  });

  it('refuses a text that is no address', () => {
    expect(new HostTexts().write(new Uint8Array(ADDRESS_BYTES), 0, 'localhost', 1)).toBe(false);
  });

  it('gives a peer the form that the socket can reach', () => {
    const texts = new HostTexts();
    expect(texts.text(addressOf('10.0.0.1', 5)!, 0, false)).toBe('10.0.0.1');
    expect(texts.text(addressOf('10.0.0.1', 5)!, 0, true)).toBe('::ffff:10.0.0.1');
    expect(texts.text(addressOf('::1', 5)!, 0, true)).toBe('::1');
    expect(texts.text(addressOf('::1', 5)!, 0, false)).toBeNull();
  });

  it('keeps 5,000 peers apart, though it remembers fewer', () => {
    const texts = new HostTexts();
    for (const _ of [1, 2]) {
      for (let peer = 0; peer < 5000; peer++) {
        const host = `10.1.${peer >> 8}.${peer & 255}`;
        const bytes = addressOf(host, 1 + peer)!;
        expect(texts.text(bytes, 0, false)).toBe(host);
        const back = new Uint8Array(ADDRESS_BYTES);
        texts.write(back, 0, host, portOf(bytes));
        expect(back).toEqual(bytes);
      }
    }
  });

  it.skipIf(linkLocal === undefined)(`carries the interface of a link-local address both ways${without}`, () => {
    const { name, entry } = linkLocal!;
    const scope = entry.family === 'IPv6' ? entry.scopeid : 0;
    const texts = new HostTexts();
    const canonical = addressOf(`fe80::1%${scope}`, 7)!;
    const zone = process.platform === 'win32' ? String(scope) : name;
    expect(texts.text(canonical, 0, true)).toBe(`fe80::1%${zone}`);
    const back = new Uint8Array(ADDRESS_BYTES);
    texts.write(back, 0, `fe80::1%${zone}`, 7);
    expect(back).toEqual(canonical);
  });
});
