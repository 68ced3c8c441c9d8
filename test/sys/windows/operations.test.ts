/** What the Windows backend keeps while the kernel may still write: nothing for longer, nothing for less. Runs under Wine. */

import { describe, expect, it } from 'vitest';
import { addressOf, type DatagramSocket, NEVER, READABLE, type Sys } from '../../../sys/api.ts';
import { library } from '../../../sys/ffi/library.ts';
import { openSys } from '../../../sys/index.ts';
import { closeOperations, holdOperations, releaseSettled, unsettledCount } from '../../../sys/windows/operations.ts';

const native = process.platform === 'win32' && library() !== null;
const why = native ? '' : ' (skipped: needs koffi on Windows)';
const HOME = addressOf('127.0.0.1', 0)!;
const ROUNDS = 2000;
/** Datagrams on loopback are there after this long, all of them. */
const ARRIVED_MILLIS = 100;

describe('operations', () => {
  it('are held after the close until the kernel is done with them', () => {
    let done = false;
    const before = unsettledCount();
    const operations = { settled: () => done };
    holdOperations(operations);
    closeOperations(operations);
    expect(unsettledCount()).toBe(before + 1);
    releaseSettled();
    expect(unsettledCount()).toBe(before + 1);
    done = true;
    releaseSettled();
    expect(unsettledCount()).toBe(before);
  });
});

describe.skipIf(!native)(`the Windows backend${why}`, () => {
  it('lets go of the reads of a closed socket', async () => {
    const sys = openSys({ backend: 'udp' });
    for (let i = 0; i < 50; i++) (await sys.openUdp(HOME)).close();
    await settledAll();
    expect(unsettledCount()).toBe(0);
  });

  it('brings every datagram in order while reads go round the ring many times', async () => {
    const sys = openSys({ backend: 'udp' });
    const [a, b] = [await sys.openUdp(HOME), await sys.openUdp(HOME, { rxSlots: 3 })];
    const poller = sys.openPoller();
    poller.add(b, 1, READABLE);
    let expected = 0;
    for (let sent = 0; sent < ROUNDS; ) {
      // Bursts of every length around the ring's: 1 .. 13 against 6 reads.
      for (const end = Math.min(ROUNDS, sent + 1 + (sent % 13)); sent < end; sent++) send(a, b.localAddress, sent);
      while (expected < sent) {
        poller.wait(NEVER);
        for (let count = b.receive(); count > 0; count = b.receive()) {
          expect(count).toBeLessThanOrEqual(3);
          for (let slot = 0; slot < count; slot++) {
            expect(b.rx.view.getUint32(b.rx.offset[slot]!, true)).toBe(expected++);
          }
        }
      }
    }
    a.close();
    b.close();
    poller.close();
  });

  it('leaves what it handed out alone until the next receive, and hears of what comes meanwhile', async () => {
    const sys = openSys({ backend: 'udp' });
    const [a, b] = [await sys.openUdp(HOME), await sys.openUdp(HOME, { rxSlots: 2, slotBytes: 16 })];
    const poller = sys.openPoller();
    poller.add(b, 1, READABLE);
    // Too long ones in front: the reads that they took are free at once, that of the datagram behind them is not.
    for (let number = 0; number < 3; number++) send(a, b.localAddress, number, 17);
    send(a, b.localAddress, 100);
    await new Promise((resolve) => setTimeout(resolve, ARRIVED_MILLIS));
    expect(b.receive()).toBe(1);
    const start = b.rx.offset[0]!;
    for (let number = 0; number < 6; number++) send(a, b.localAddress, number);
    expect(poller.wait(2_000_000)).toBe(1);
    expect(b.rx.view.getUint32(start, true)).toBe(100);
    expect(b.stats.truncated).toBe(3);
    closeAll(sys, a, b);
    poller.close();
  });

  it('brings what one poller took out of the port to another that watches it', async () => {
    const sys = openSys({ backend: 'udp' });
    const [a, b] = [await sys.openUdp(HOME), await sys.openUdp(HOME)];
    const [one, two] = [sys.openPoller(), sys.openPoller()];
    two.add(b, 5, READABLE);
    send(a, b.localAddress, 7);
    expect(one.wait(50_000)).toBe(0); // the packet passes by here
    expect(two.wait(0)).toBe(1);
    expect(two.keys[0]).toBe(5);
    closeAll(sys, a, b);
    one.close();
    two.close();
  });

  it('blocks in one poller while another shares the loop, and neither misses anything', async () => {
    const sys = openSys({ backend: 'udp' });
    const [a, b, c] = [await sys.openUdp(HOME), await sys.openUdp(HOME), await sys.openUdp(HOME)];
    const [guest, owner] = [sys.openPoller(), sys.openPoller()];
    guest.add(b, 1, READABLE);
    owner.add(c, 2, READABLE);
    let atB = 0;
    guest.attach(() => {
      guest.wait(0);
      for (let n = b.receive(); n > 0; n = b.receive()) atB += n;
    });
    for (let round = 0; round < 100; round++) {
      send(a, b.localAddress, round);
      send(a, c.localAddress, round);
      expect(owner.wait(5_000_000)).toBe(1);
      while (c.receive() > 0);
      await new Promise((resolve) => setImmediate(resolve));
    }
    for (let tries = 0; tries < 500 && atB < 100; tries++) await new Promise((resolve) => setTimeout(resolve, 2));
    expect(atB).toBe(100);
    closeAll(sys, a, b, c);
    guest.close();
    owner.close();
  });
});

function send(socket: DatagramSocket, to: Uint8Array, number: number, bytes = 4): void {
  const { tx } = socket;
  tx.view.setUint32(tx.offset[0]!, number, true);
  tx.length[0] = bytes;
  tx.address.set(to, 0);
  tx.count = 1;
  socket.flush();
}

function closeAll(sys: Sys, ...sockets: DatagramSocket[]): void {
  for (const socket of sockets) socket.close();
  sys.close();
}

async function settledAll(): Promise<void> {
  for (let tries = 0; tries < 500 && unsettledCount() > 0; tries++) {
    await new Promise((resolve) => setTimeout(resolve, 2));
    releaseSettled();
  }
}
