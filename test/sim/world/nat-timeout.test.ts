// A NAT that forgets what has not sent for a while.

import { describe, expect, it } from 'vitest';
import type { HostOptions } from '../../../sim/world/host.ts';
import type { SimSocket } from '../../../sim/world/sim-socket.ts';
import { addressOf, formatAddress, NEVER } from '../../../sys/api.ts';
import { listen, openWorld, send } from '../open-world.ts';

const TIMEOUT = 30_000_000;

describe('World.natTimeout', () => {
  it('keeps the port while the host sends in time, and shows another one after it was silent for so long', async () => {
    const { world, seen, ask, client } = await behindNat({ natTimeoutMicros: TIMEOUT });
    await ask(0);
    await ask(TIMEOUT - 1);
    expect(seen).toEqual(['10.0.0.2:40001', '10.0.0.2:40001']);
    await ask(TIMEOUT);
    await ask(1);
    expect(seen[2]).not.toBe(seen[0]);
    expect(seen[3]).toBe(seen[2]);
    expect(client.nat!.forgotten).toBe(1);
    expect(world.stats.unheard).toBe(0);
  });

  it('leaves unheard what comes in after that time, until the host sends and the sender knows its new port', async () => {
    const { world, seen, heard, ask, tell } = await behindNat({ natTimeoutMicros: TIMEOUT });
    await ask(0);
    await tell(seen[0]!, TIMEOUT - 1);
    expect(heard).toHaveLength(1);
    // What came in has kept nothing alive.
    await tell(seen[0]!, 1);
    expect([heard.length, world.stats.unheard]).toEqual([1, 1]);
    await ask(0);
    await tell(seen[0]!, 0);
    expect([heard.length, world.stats.unheard]).toEqual([1, 2]);
    await tell(seen[1]!, 0);
    expect(heard).toHaveLength(2);
  });

  it('counts a port that is bound when the NAT comes as just used', async () => {
    const { world, client, heard, ask, tell, seen } = await behindNat({});
    await ask(0);
    world.natTimeout(client, TIMEOUT);
    await tell(seen[0]!, TIMEOUT - 1);
    await tell(seen[0]!, 1);
    expect([heard.length, world.stats.unheard]).toEqual([1, 1]);
  });

  it('goes with rebinding, and ends with NEVER', async () => {
    const { world, client, seen, ask } = await behindNat({ natTimeoutMicros: TIMEOUT });
    await ask(0);
    world.rebind(client, { port: 5555 });
    await ask(0);
    await ask(TIMEOUT);
    world.natTimeout(client, NEVER);
    await ask(TIMEOUT * 5);
    expect(seen.slice(0, 2)).toEqual(['10.0.0.2:40001', '10.0.0.2:5555']);
    expect(['10.0.0.2:40001', '10.0.0.2:5555']).not.toContain(seen[2]);
    expect(seen[3]).toBe(seen[2]);
  });

  it('maps 20,000 ports at once, and as many again when they are over', async () => {
    const { world, client } = await behindNat({ natTimeoutMicros: TIMEOUT });
    const use = (port: number) => client.nat!.outward(addressOf('10.0.0.2', port)!, 0);
    for (let port = 1; port <= 20_000; port++) use(port);
    expect(() => use(20_001)).toThrow('maps 20000 ports');
    await world.run({ untilMicros: world.now + TIMEOUT });
    for (let port = 20_001; port <= 40_000; port++) use(port);
    expect(client.nat!.forgotten).toBe(20_000);
  });

  it('draws the same ports each time, and is part of the digest', async () => {
    const runs = [];
    for (const natTimeoutMicros of [TIMEOUT, TIMEOUT, TIMEOUT * 2]) {
      const { world, seen, ask } = await behindNat({ natTimeoutMicros });
      for (let i = 0; i < 5; i++) await ask(TIMEOUT);
      runs.push({ seen: [...seen], digest: world.digest() });
    }
    expect(new Set(runs[0]!.seen).size).toBe(5);
    expect(runs[1]).toEqual(runs[0]);
    expect(new Set(runs[2]!.seen).size).toBe(1);
    expect(runs[2]!.digest).not.toBe(runs[0]!.digest);
  });

  it.each([0, -1, 1.5, Number.NaN, 86_400_000_001])('refuses a timeout of %d', async (timeoutMicros) => {
    const { world, client } = await behindNat({});
    expect(() => world.natTimeout(client, timeoutMicros)).toThrow(RangeError);
    expect(() => world.natTimeout(client, timeoutMicros)).toThrow('NAT of client: timeoutMicros is');
    expect(client.nat).toBeNull();
  });
});

/** A server that notes who asks, and a client at port 40001 behind a NAT. `ask` and `tell` let time pass before. */
async function behindNat(options: HostOptions) {
  const world = openWorld();
  const [server, client] = [world.host('server'), world.host('client', options)];
  const seen: string[] = [];
  const heard: number[] = [];
  let socket!: SimSocket;
  let answering!: SimSocket;
  world.start(server, 0, async () => {
    answering = await listen(server, 7, ({ from }) => seen.push(formatAddress(from)));
  });
  world.start(client, 0, async () => {
    socket = await listen(client, 40_001, () => heard.push(world.now));
  });
  await world.run({ untilMicros: 10 });
  const sendAfter = async (micros: number, from: SimSocket, to: string) => {
    await world.run({ untilMicros: world.now + micros });
    const [host, port] = to.split(':');
    world.start(from.host, world.now, () => send(from, addressOf(host!, Number(port))!, new Uint8Array(10)));
    await world.run({ untilMicros: world.now });
  };
  const ask = (micros: number) => sendAfter(micros, socket, '10.0.0.1:7');
  const tell = (address: string, micros: number) => sendAfter(micros, answering, address);
  return { world, server, client, seen, heard, ask, tell };
}
