/** What sending frames costs in memory: nothing per datagram, and no descriptor that stays. */

import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ADDRESS_BYTES, addressOf, SysError } from '../../../sys/api.ts';
import { collectGarbage, heapBytesOf } from '../collect-garbage.ts';
import { whyNoNamespaces } from '../linux/namespaces.ts';
import { HAIRPIN_IPV4, HAIRPIN_IPV6, Hairpin, packetsSentBy } from './hairpin.ts';
import { openPacketSys, whyNoFrames } from './open-packet-sys.ts';

const missing = whyNoFrames() || whyNoNamespaces();
/** Large, as each flush reads the clock once, and `process.hrtime` leaves 80 bytes. */
const BATCH = 250;
const DATAGRAMS = 100_000;
const ROUNDS_MAX = 40;
/** A boxed number a datagram would be 16. */
const BYTES_A_DATAGRAM = 0.5;

describe.skipIf(missing !== '')(`memory of frames${missing === '' ? '' : ` (${missing})`}`, () => {
  it.each([
    ['IPv4, joined', HAIRPIN_IPV4, true],
    ['IPv4, one by one', HAIRPIN_IPV4, false],
    ['IPv6, one by one', HAIRPIN_IPV6, false],
  ])('is not used up by 100,000 datagrams (%s)', async (_name, host, gso) => {
    const hairpin = new Hairpin('memory');
    try {
      hairpin.enter();
      const sys = openPacketSys();
      const sender = await sys.openUdp(addressOf(host, 0)!, { gso, txSlots: BATCH });
      const receiver = await sys.openUdp(addressOf(host, 0)!, { receiveBufferBytes: 1 << 20 });
      for (let slot = 0; slot < BATCH; slot++) {
        sender.tx.length[slot] = 100;
        sender.tx.address.set(receiver.localAddress, slot * ADDRESS_BYTES);
      }
      let sent = 0;
      let received = 0;
      const exchange = (datagrams: number): void => {
        for (let done = 0; done < datagrams; done += BATCH) {
          sender.tx.count = BATCH;
          sent += sender.flush();
          for (let n = receiver.receive(); n > 0; n = receiver.receive()) received += n;
        }
      };
      let least = Number.POSITIVE_INFINITY;
      for (let round = 0; round < ROUNDS_MAX && least >= BYTES_A_DATAGRAM; round++) {
        least = Math.min(least, heapBytesOf(() => exchange(DATAGRAMS)) / DATAGRAMS);
      }
      expect(received).toBe(sent);
      expect(sender.ways.framesOut).toBeGreaterThanOrEqual(DATAGRAMS);
      expect(packetsSentBy('out')).toBeGreaterThan(DATAGRAMS / BATCH);
      expect(least).toBeLessThan(BYTES_A_DATAGRAM);
      sender.close();
      receiver.close();
      sys.close();
    } finally {
      hairpin.close();
    }
  });

  it('gives descriptors back when sockets are closed', async () => {
    const sys = openPacketSys();
    const open = (): number => readdirSync('/proc/self/fd').length;
    collectGarbage();
    const before = open();
    for (let i = 0; i < 50; i++) (await sys.openUdp(addressOf('127.0.0.1', 0)!, { rxSlots: 8, txSlots: 8 })).close();
    expect(open()).toBe(before);
    const busy = await sys.openUdp(addressOf('127.0.0.1', 0)!);
    await expect(sys.openUdp(busy.localAddress)).rejects.toThrow(SysError);
    busy.close();
    expect(open()).toBe(before);
    sys.close();
  });
});

const setpriv = (() => {
  try {
    execFileSync('setpriv', ['--version'], { stdio: 'pipe' });
    return process.getuid?.() === 0 && missing === '';
  } catch {
    return false; // not installed
  }
})();

describe.skipIf(!setpriv)(`rights${setpriv ? '' : ' (needs root and setpriv(1))'}`, () => {
  it('are CAP_NET_RAW alone, and without it the error names it', () => {
    const script = [
      'const k = (await import("koffi")).default; const c = k.load(null);',
      'const socket = c.func("socket", "int", ["int", "int", "int"]);',
      'console.log(socket(17, 3, 0) >= 0, socket(16, 3, 0) >= 0);',
    ].join('\n');
    const run = (keep: string): string =>
      execFileSync(
        'setpriv',
        [`--bounding-set=-all${keep}`, `--inh-caps=-all`, process.execPath, '--input-type=module', '-e', script],
        { encoding: 'utf8' },
      ).trim();
    expect(run('')).toBe('false true');
    expect(run(',+net_raw')).toBe('true true');
  });
});
