/** What frames of AF_XDP cost in memory: nothing for each datagram. */

import { describe, expect, it } from 'vitest';
import { ADDRESS_BYTES } from '../../../sys/api.ts';
import type { XdpSocket } from '../../../sys/xdp/xdp-socket.ts';
import { heapBytesOf } from '../collect-garbage.ts';
import { FAR, NEAR } from '../linux/namespaces.ts';
import { FAR6, NEAR6, openXdp, whyNoXdp, XdpPair } from './veth.ts';

const why = whyNoXdp();
/** Large, as each flush reads the clock, and `process.hrtime` leaves 80 bytes. */
const BATCH = 250;
const DATAGRAMS = 50_000;
const ROUNDS_MAX = 40;
/** A boxed number a datagram would be 16; two clocks a batch are 0.7. */
const BYTES_A_DATAGRAM = 1;

describe.skipIf(why !== '')(`memory of AF_XDP${why === '' ? '' : ` (${why})`}`, () => {
  it.each([
    ['IPv4', NEAR, FAR],
    ['IPv6', NEAR6, FAR6],
  ])('is not used up by 50,000 datagrams sent and received (%s)', async (_name, near, far) => {
    const pair = new XdpPair('heap');
    const here = openXdp();
    const there = openXdp();
    try {
      pair.introduce();
      const from = (await pair.openUdp(here, 'near', near, 0, { txSlots: BATCH })) as XdpSocket;
      const to = (await pair.openUdp(there, 'far', far, 0, { rxSlots: BATCH })) as XdpSocket;
      for (let slot = 0; slot < BATCH; slot++) {
        from.tx.length[slot] = 100;
        from.tx.address.set(to.localAddress, slot * ADDRESS_BYTES);
      }
      let sent = 0;
      let received = 0;
      const exchange = (datagrams: number): void => {
        for (let done = 0; done < datagrams; done += BATCH) {
          from.tx.count = BATCH;
          sent += from.flush();
          for (let n = to.receive(); n > 0; n = to.receive()) received += n;
        }
      };
      let least = Number.POSITIVE_INFINITY;
      for (let round = 0; round < ROUNDS_MAX && least >= BYTES_A_DATAGRAM; round++) {
        least = Math.min(least, heapBytesOf(() => exchange(DATAGRAMS)) / DATAGRAMS);
      }
      expect(received).toBeGreaterThan(sent * 0.9); // a veth may drop where its ring is full
      expect(to.traffic.framesIn).toBeGreaterThan(DATAGRAMS / 2);
      expect(least).toBeLessThan(BYTES_A_DATAGRAM);
    } finally {
      here.close();
      there.close();
      pair.close();
    }
  });
});
