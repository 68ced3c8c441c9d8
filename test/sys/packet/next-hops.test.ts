/** `NextHops` knows the ways that the kernel knows, is told when they change, and cannot be made to grow. */

import { execFileSync } from 'node:child_process';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { addressOf, formatHost } from '../../../sys/api.ts';
import { SystemRng } from '../../../sys/entropy.ts';
import { MessageReader } from '../../../sys/linux/netlink/message.ts';
import { NextHops } from '../../../sys/linux/netlink/next-hops.ts';
import { addressWords } from '../../../sys/posix/sockaddr.ts';
import { FAR, NamespacePair, NEAR, whyNoNamespaces } from '../linux/namespaces.ts';

const missing = whyNoNamespaces();
const ANY = new Int32Array(4);
/** Longer than any retry of the table but that of what it refuses. */
const STEP_MICROS = 20_000;

const ip = (...args: string[]) => execFileSync('ip', args, { stdio: 'pipe' });

describe.skipIf(missing !== '')(`next hops${missing === '' ? '' : ` (${missing})`}`, () => {
  let pair: NamespacePair;
  let hops: NextHops;
  let now: number;
  beforeEach(async () => {
    pair = new NamespacePair(`hops${Math.trunc(performance.now())}`);
    hops = pair.inside(pair.near, () => new NextHops(new SystemRng(), { rows: 64 }));
    now = 1_000_000;
    await new Promise((resolve) => setTimeout(resolve, 300)); // until the link has its carrier
  });
  afterEach(() => {
    hops.close();
    pair.close();
  });

  const find = (host: string): number => {
    now += STEP_MICROS;
    hops.look(now);
    return hops.find(addressWords(addressOf(host, 1)!), 0, ANY, 0);
  };
  const nextMac = (row: number): string => Buffer.from(hops.macs.subarray(row * 12, row * 12 + 6)).toString('hex');
  const source = (row: number): string => {
    const canonical = new Uint8Array(24);
    canonical.set(new Uint8Array(hops.source.buffer, row * 16, 16));
    return formatHost(canonical);
  };

  it('are usable once the kernel is sure of the neighbour, and not while it is stale', () => {
    expect(find(FAR)).toBe(-1);
    pair.open();
    const row = find(FAR);
    expect(row).toBeGreaterThanOrEqual(0);
    expect([nextMac(row), source(row), hops.mtuBytes[row]]).toEqual(['020000000002', NEAR, 1500]);
    ip('-n', pair.near, 'neigh', 'replace', FAR, 'lladdr', '02:00:00:00:00:02', 'dev', 'near', 'nud', 'stale');
    expect(find(FAR)).toBe(-1);
    const version = hops.version[row];
    ip('-n', pair.near, 'neigh', 'replace', FAR, 'lladdr', '02:00:00:00:00:09', 'dev', 'near', 'nud', 'reachable');
    expect(nextMac(find(FAR))).toBe('020000000009');
    expect(hops.version[row]).not.toBe(version);
    ip('-n', pair.near, 'neigh', 'delete', FAR, 'dev', 'near');
    expect(find(FAR)).toBe(-1);
  });

  it('lead through gateways, and end with the route', () => {
    pair.open();
    expect(find('192.0.2.7')).toBe(-1);
    ip('-n', pair.near, 'route', 'add', '192.0.2.0/24', 'via', FAR);
    expect(nextMac(find('192.0.2.7'))).toBe('020000000002');
    ip('-n', pair.near, 'route', 'add', 'unreachable', '192.0.2.7/32');
    expect(find('192.0.2.7')).toBe(-1);
    expect(nextMac(find('192.0.2.8'))).toBe('020000000002');
    ip('-n', pair.near, 'route', 'delete', '192.0.2.0/24');
    expect(find('192.0.2.8')).toBe(-1);
  });

  it.each(['127.0.0.1', '::1', NEAR, '224.0.0.1', 'ff02::1', '255.255.255.255', '198.51.100.255', '0.0.0.0', '::'])(
    'do not lead to %s',
    (host) => {
      pair.open();
      expect(find(host)).toBe(-1);
    },
  );

  it('keep their number of rows under 10,000 made-up addresses, and the bound of questions', () => {
    pair.open();
    ip('-n', pair.near, 'route', 'add', 'default', 'via', FAR);
    const start = now;
    for (let i = 0; i < 10_000; i++) {
      if (i % 100 === 0) expect(find(FAR)).toBeGreaterThanOrEqual(0); // what is in use stays
      hops.find(addressWords(addressOf(`10.9.${i >> 8}.${i & 255}`, 1)!), 0, ANY, 0);
    }
    expect(hops.version.length).toBe(64);
    expect(hops.stats.questionsSaved).toBeGreaterThan(4000);
    expect(hops.stats.routeQuestions).toBeLessThanOrEqual(512 + ((now - start) * 2000) / 1e6 + 1);
  });
});

describe('messages of netlink', () => {
  it('are read within what was received, whatever lengths they claim', () => {
    let seed = 12345;
    const next = () => {
      seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fff_ffff;
      return seed >>> 8;
    };
    const bytes = new Uint8Array(256);
    const reader = new MessageReader(bytes);
    for (let round = 0; round < 20_000; round++) {
      for (let i = 0; i < bytes.length; i++) bytes[i] = next() & 0xff;
      // Plausible lengths, so that the walk gets somewhere.
      bytes.set([next() % 80, 0, 0, 0], 0);
      bytes.set([next() % 40, 0], 28);
      const received = next() % 257;
      reader.start(received);
      for (let messages = 0; reader.next(); messages++) {
        expect(messages).toBeLessThan(17);
        expect(reader.end).toBeLessThanOrEqual(received);
        if (!reader.enter(12)) continue;
        while (reader.nextAttribute()) {
          expect(reader.valueAt + reader.valueBytes).toBeLessThanOrEqual(reader.end);
          reader.value32();
        }
      }
    }
  });
});
