// Errors that a simulated kernel answers with: what is kept, what is dropped, what is counted, and who is woken.

import { describe, expect, it } from 'vitest';
import type { SimSocket } from '../../../sim/world/sim-socket.ts';
import { addressOf, EDGE, READABLE, WRITABLE } from '../../../sys/api.ts';
import { append } from '../../conformance/outside.ts';
import { listen, openWorld } from '../open-world.ts';

const TO = addressOf('10.0.0.2', 9)!;

describe('a kernel that blocks', () => {
  it.each(['EAGAIN', 'ENOBUFS'] as const)(
    'takes nothing for a time (%s), and tells when there is room',
    async (error) => {
      const { world, host, socket, heard, wakes, run, fill } = await sender();
      fill(3);
      host.failSends(error, { forMicros: 50_000 });
      expect([await run(() => socket.flush()), socket.tx.count]).toEqual([0, 3]);
      expect((socket.readiness & WRITABLE) !== 0).toBe(error === 'ENOBUFS');
      const failedAt = world.now;
      await world.run({ untilMicros: failedAt + 60_000 });
      expect(wakes.at(-1)).toBe(failedAt + 50_000);
      expect([await run(() => socket.flush()), socket.tx.count]).toEqual([3, 0]);
      expect(heard).toEqual([0, 1, 2]);
      expect(socket.stats).toMatchObject({ sendBlocked: 1, datagramsOut: 3 });
      expect(host.faultStats.sendsBlocked).toBe(1);
    },
  );

  it.each(['EAGAIN', 'ENOBUFS'] as const)(
    'so many times (%s) takes half, and the rest stays in order',
    async (error) => {
      const { world, host, socket, heard, wakes, run, fill } = await sender();
      fill(10);
      host.failSends(error, { times: 2 });
      const failedAt = world.now;
      expect([await run(() => socket.flush()), socket.tx.count]).toEqual([5, 5]);
      await world.run({ untilMicros: world.now + 2_000 });
      expect(wakes.at(-1)).toBe(failedAt + 1_000);
      expect([await run(() => socket.flush()), socket.tx.count]).toEqual([2, 3]);
      await world.run({ untilMicros: world.now + 2_000 });
      expect([await run(() => socket.flush()), socket.tx.count]).toEqual([3, 0]);
      await world.run({ untilMicros: world.now + 2_000 });
      expect(heard).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
      expect(socket.stats).toMatchObject({ sendBlocked: 2, datagramsOut: 10, bytesOut: 45 + 10 });
    },
  );

  it('keeps for whom the rest is', async () => {
    const { world, host, socket, heard, run, fill } = await sender();
    fill(4);
    for (const slot of [0, 1]) socket.tx.address.set(addressOf('10.0.0.2', 10)!, slot * TO.length);
    host.failSends('ENOBUFS', { times: 1 });
    await run(() => socket.flush());
    expect(world.stats.unheard).toBe(2);
    await run(() => socket.flush());
    expect(heard).toEqual([2, 3]);
  });

  it('keeps what the caller had moved within its slot', async () => {
    const { host, socket, heard, run, fill } = await sender();
    fill(4);
    const { tx } = socket;
    for (let slot = 0; slot < 4; slot++) {
      tx.arena.copyWithin(tx.offset[slot]! + 7, tx.offset[slot]!, tx.offset[slot]! + tx.length[slot]!);
      tx.offset[slot]! += 7;
    }
    host.failSends('ENOBUFS', { times: 1 });
    await run(() => socket.flush());
    await run(() => socket.flush());
    expect(heard).toEqual([0, 1, 2, 3]);
  });
});

describe('a kernel that refuses', () => {
  it.each([
    ['ECONNREFUSED', 'refused'],
    ['EMSGSIZE', 'tooLarge'],
    ['EPERM', 'sendFailed'],
  ] as const)(
    'drops so many datagrams (%s), counts each as %s, and lets their neighbours out',
    async (error, counter) => {
      const { world, host, socket, heard, run, fill } = await sender();
      host.failSends(error, { times: 3 });
      fill(2);
      expect([await run(() => socket.flush()), socket.tx.count]).toEqual([2, 0]);
      fill(3);
      expect(await run(() => socket.flush())).toBe(3);
      expect(heard).toEqual([1, 2]);
      expect(socket.stats).toMatchObject({ refused: 0, tooLarge: 0, sendFailed: 0, datagramsOut: 2, [counter]: 3 });
      expect([host.faultStats.sendsRefused, world.stats.sent]).toEqual([3, 2]);
    },
  );

  it('for a time refuses all, also of sockets that are opened meanwhile', async () => {
    const { world, host, socket, heard, run, fill } = await sender();
    host.failSends('EMSGSIZE', { forMicros: 10_000 });
    let second!: SimSocket;
    await run(async () => {
      second = await listen(host, 0, () => {});
      append(second, TO, new Uint8Array(1));
      second.flush();
    });
    fill(1);
    await run(() => socket.flush());
    expect([second.stats.tooLarge, socket.stats.tooLarge]).toEqual([1, 1]);
    await world.run({ untilMicros: world.now + 10_000 });
    fill(1);
    await run(() => socket.flush());
    expect([heard, socket.stats.tooLarge]).toEqual([[0], 1]);
  });

  it('may block at the same time; a further error takes the place of its kind', async () => {
    const { host, socket, heard, run, fill } = await sender();
    host.failSends('EPERM', { times: 100 });
    host.failSends('ECONNREFUSED', { times: 1 });
    host.failSends('ENOBUFS', { times: 1 });
    fill(4);
    expect([await run(() => socket.flush()), await run(() => socket.flush())]).toEqual([2, 2]);
    expect(heard).toEqual([1, 2, 3]);
    expect(socket.stats).toMatchObject({ refused: 1, sendFailed: 0, sendBlocked: 1 });
  });
});

describe('a receive that meets an error', () => {
  it('wakes the poller with nothing to read, so many times', async () => {
    const { world, host, socket, wakes, run } = await sender();
    const before = wakes.length;
    host.failReceives(3);
    await world.run({ untilMicros: world.now });
    expect(wakes.length - before).toBe(1);
    const calls = socket.stats.syscalls;
    for (const readable of [true, true, true, false]) {
      expect((socket.readiness & READABLE) !== 0).toBe(readable);
      expect(await run(() => socket.receive())).toBe(0);
    }
    expect(socket.stats.syscalls - calls).toBe(7);
    expect(host.faultStats.receiveErrors).toBe(3);
  });

  it('does not lose the datagrams behind it', async () => {
    const { world, other, host, socket, run } = await sender();
    host.failReceives(2);
    world.start(other, world.now, async () => {
      const from = await listen(other, 0, () => {});
      append(from, addressOf('10.0.0.1', 8)!, Uint8Array.of(77));
      from.flush();
    });
    await world.run({ untilMicros: world.now + 1_000 });
    expect(await run(() => socket.receive())).toBe(1);
    expect(socket.rx.arena[socket.rx.offset[0]!]).toBe(77);
  });
});

it.each([
  [{}, 'give either forMicros or times'],
  [{ forMicros: 1, times: 1 }, 'give either forMicros or times'],
  [{ forMicros: 0 }, 'forMicros is an integer in 1 .. 3600000000, not 0'],
  [{ times: 1.5 }, 'times is an integer in 1 .. 1000000, not 1.5'],
])('refuses a span of %o', async (span, text) => {
  const { host } = await sender();
  expect(() => host.failSends('EAGAIN', span as never)).toThrow(new RangeError(`sends of a: ${text}`));
});

it('refuses an error that no backend reports to its caller, and no times', async () => {
  const { host } = await sender();
  expect(() => host.failSends('EFAULT' as never, { times: 1 })).toThrow(/error is one of EAGAIN, .* EPERM, not EFAULT/);
  expect(() => host.failReceives(0)).toThrow('receives of a: times is an integer');
  expect(host.socketFaults).toBeNull();
});

it('has errors in the digest, the same each time', async () => {
  const digests: string[] = [];
  for (const times of [1, 1, 2, 3]) {
    const { world, host } = await sender();
    host.failSends('EPERM', { times });
    if (times === 3) host.failReceives(1);
    digests.push(world.digest());
  }
  expect(digests[0]).toBe(digests[1]);
  expect(new Set(digests).size).toBe(3);
});

/** A host `a` with a socket that nobody flushes or reads but the test, and a host `b` that hears its first bytes. */
async function sender() {
  const world = openWorld();
  const [host, other] = [world.host('a'), world.host('b')];
  const heard: number[] = [];
  const wakes: number[] = [];
  let socket!: SimSocket;
  world.start(other, 0, () => listen(other, 9, ({ bytes }) => heard.push(bytes[0]!)));
  world.start(host, 0, async () => {
    socket = await host.sys.openUdp(addressOf('0.0.0.0', 8)!);
    const poller = host.sys.openPoller();
    poller.add(socket, 0, READABLE | WRITABLE | EDGE);
    poller.attach(() => {
      poller.wait(0);
      wakes.push(world.now);
    });
  });
  await world.run({ untilMicros: 1_000 });
  /** Does something as code of the host, and gives what it returned. */
  const run = async <T>(act: () => T): Promise<T> => {
    let result!: T;
    world.start(host, world.now, () => {
      result = act();
      return result;
    });
    await world.run({ untilMicros: world.now });
    return result;
  };
  /** Datagram i is of i + 1 bytes of value i. */
  const fill = (count: number) => {
    for (let i = 0; i < count; i++) append(socket, TO, new Uint8Array(i + 1).fill(i));
  };
  return { world, host, other, socket, heard, wakes, run, fill };
}
