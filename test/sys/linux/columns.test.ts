/** Columns that a socket fills when asked: when a datagram came, and which of our addresses it was sent to. */

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ADDRESS_BYTES, addressOf, type DatagramSocket, formatAddress, portOf, type Sys } from '../../../sys/api.ts';
import { library } from '../../../sys/ffi/library.ts';
import { openSys } from '../../../sys/index.ts';
import { append, awaitReceive } from './sockets.ts';

const native = process.platform === 'linux' && library() !== null;

describe.skipIf(!native)(`columns of a batch${native ? '' : ' (needs koffi on Linux)'}`, () => {
  let sys: Sys;
  const sockets: DatagramSocket[] = [];
  const open = async (host: string, options = {}, port = 0): Promise<DatagramSocket> => {
    const socket = await sys.openUdp(addressOf(host, port)!, options);
    sockets.push(socket);
    return socket;
  };
  beforeEach(() => {
    sys = openSys({ backend: 'udp' });
  });
  afterEach(() => {
    for (const socket of sockets.splice(0)) socket.close();
    sys.close();
  });

  it('are null where nobody asked', async () => {
    const { rx, tx } = await open('127.0.0.1');
    expect([rx.receivedAt, rx.localAddress, tx.receivedAt, tx.localAddress]).toEqual([null, null, null, null]);
  });

  it.each([
    ['0.0.0.0', '127.0.0.1', ['127.0.0.1', '127.0.0.5', '127.1.2.3']],
    ['::', '127.0.0.1', ['127.0.0.1', '127.0.0.5']],
    ['::', '::1', ['::1']],
  ])('local address on %s: what %s asked at, and answers leave from there (%s)', async (any, from, asked) => {
    for (const gso of [true, false]) {
      const server = await open(any, { gso, columns: { localAddress: true } });
      const port = portOf(server.localAddress);
      const client = await open(from);
      for (const host of asked) {
        append(client, addressOf(host, port)!, 10, 1);
        append(client, addressOf(host, port)!, 10, 2);
      }
      client.flush();
      let left = asked.length * 2;
      while (left > 0 && awaitReceive(sys, server) > 0) {
        left -= server.rx.count;
        for (let slot = 0; slot < server.rx.count; slot++) {
          const local = server.rx.localAddress!.slice(slot * ADDRESS_BYTES, (slot + 1) * ADDRESS_BYTES);
          append(server, client.localAddress, 10, slot);
          server.tx.localAddress!.set(local, (server.tx.count - 1) * ADDRESS_BYTES);
        }
      }
      expect(left).toBe(0);
      expect(server.flush()).toBe(asked.length * 2);
      const answers: string[] = [];
      while (answers.length < asked.length * 2 && awaitReceive(sys, client) > 0) {
        for (let slot = 0; slot < client.rx.count; slot++) {
          answers.push(formatAddress(client.rx.address, slot * ADDRESS_BYTES));
        }
      }
      const expected = asked.flatMap((host) => [host, host]).map((host) => formatAddress(addressOf(host, port)!));
      expect(answers).toEqual(expected);
    }
  });

  it('local address of zeros lets routing choose the source', async () => {
    const server = await open('0.0.0.0', { columns: { localAddress: true } });
    const client = await open('127.0.0.1');
    append(server, client.localAddress, 10, 1);
    server.flush();
    expect(awaitReceive(sys, client)).toBe(1);
    expect(formatAddress(client.rx.address)).toBe(`127.0.0.1:${portOf(server.localAddress)}`);
  });

  it('time of arrival is when the kernel took it in, not when it was received, and never later than now', async () => {
    const receiver = await open('127.0.0.1', { columns: { receivedAt: true } });
    const sender = await open('127.0.0.1');
    const poller = sys.openPoller();
    const before = sys.clock.now();
    append(sender, receiver.localAddress, 10, 1);
    sender.flush();
    const between = sys.clock.now();
    expect(poller.wait(30_000)).toBe(0);
    append(sender, receiver.localAddress, 10, 2);
    sender.flush();
    expect(receiver.receive()).toBe(2);
    const after = sys.clock.now();
    const [first, second] = receiver.rx.receivedAt!;
    poller.close();
    // Two clocks are compared by reading one after the other, and the thread may lose its core between the two. The
    // first datagram waited 30 ms, so a millisecond still tells arrival from reading.
    expect(first).toBeGreaterThanOrEqual(before - 1000);
    expect(first).toBeLessThanOrEqual(between + 1000);
    expect(second! - first!).toBeGreaterThanOrEqual(30_000 - 1000);
    expect(second).toBeLessThanOrEqual(after);
    expect(Number.isInteger(first)).toBe(true);
  });

  it('both together, joined: each datagram of a buffer has the time and address of the buffer', async () => {
    const receiver = await open('127.0.0.1', { gro: true, columns: { receivedAt: true, localAddress: true } });
    const sender = await open('127.0.0.1');
    for (let i = 0; i < 5; i++) append(sender, receiver.localAddress, 10, i);
    sender.flush();
    expect(awaitReceive(sys, receiver)).toBe(5);
    const { receivedAt, localAddress } = receiver.rx;
    expect(new Set(receivedAt!.subarray(0, 5)).size).toBe(1);
    for (let slot = 0; slot < 5; slot++) {
      expect(formatAddress(localAddress!, slot * ADDRESS_BYTES)).toBe(formatAddress(receiver.localAddress));
    }
  });
});
