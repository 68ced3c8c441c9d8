/** Opening and closing sockets. */

import { expect } from 'vitest';
import { portOf, SysError } from '../../sys/api.ts';
import type { BackendFactory } from './backend.ts';
import { append } from './outside.ts';
import type { WorkbenchTest } from './workbench.ts';
import { numbered, numbersOf, pattern, SILENCE_MICROS, upTo } from './workbench.ts';

export function lifeTests(test: WorkbenchTest, factory: BackendFactory): void {
  const { capabilities } = factory;

  test('refuses a port in use with EADDRINUSE of bind, and names the port', async (workbench) => {
    const port = portOf((await workbench.openUdp()).localAddress);
    const error = await rejection(workbench.openUdp({}, factory.ipv4, port));
    expect(error).toBeInstanceOf(SysError);
    expect(error).toMatchObject({ code: 'EADDRINUSE', syscall: 'bind' });
    expect(error.message).toContain(String(port));
  });

  test.needing(
    ['ownAddresses'],
    "refuses an address that is not this machine's with EADDRNOTAVAIL of bind",
    async (workbench) => {
      const error = await rejection(workbench.openUdp({}, '192.0.2.1', 0)); // TEST-NET-1, RFC 5737
      expect(error).toBeInstanceOf(SysError);
      expect(error).toMatchObject({ code: 'EADDRNOTAVAIL', syscall: 'bind' });
    },
  );

  test('reopens a port at once after it was closed', async (workbench) => {
    const first = await workbench.openUdp();
    const port = portOf(first.localAddress);
    first.close();
    const second = await workbench.openUdp({}, factory.ipv4, port);
    expect(portOf(second.localAddress)).toBe(port);
    const outside = await workbench.openOutside();
    await outside.send(second.localAddress, pattern(5));
    expect(await workbench.collect(second, 1)).toHaveLength(1);
  });

  test('gives a reopened port nothing that was sent to the socket before it', async (workbench) => {
    const outside = await workbench.openOutside();
    const first = await workbench.openUdp();
    await outside.send(first.localAddress, pattern(5));
    await workbench.readable(first);
    first.close();
    const second = await workbench.openUdp({}, factory.ipv4, portOf(first.localAddress));
    expect(await workbench.collect(second, 1, SILENCE_MICROS)).toEqual([]);
  });

  test('answers 0 to every call after close, also to a second close', async (workbench) => {
    const socket = await workbench.openUdp();
    const peer = await workbench.openUdp();
    await workbench.sendAll(peer, socket.localAddress, [pattern(5)]);
    await workbench.readable(socket);
    append(socket, peer.localAddress, pattern(7));
    socket.close();
    expect(socket.receive()).toBe(0);
    expect(socket.flush()).toBe(0);
    socket.close();
    expect(await workbench.collect(peer, 1, SILENCE_MICROS)).toEqual([]);
  });

  test('delivers what was flushed just before close', async (workbench) => {
    const socket = await workbench.openUdp();
    const peer = await workbench.openUdp();
    for (const index of upTo(3)) append(socket, peer.localAddress, numbered(index));
    expect(socket.flush()).toBe(3);
    socket.close();
    expect(numbersOf(await workbench.collect(peer, 3))).toEqual(upTo(3));
  });

  test('opens and closes 500 sockets one after another', async (workbench) => {
    for (const _ of upTo(500)) (await workbench.openUdp({ rxSlots: 8, txSlots: 8 })).close();
    const socket = await workbench.openUdp();
    const outside = await workbench.openOutside();
    await outside.send(socket.localAddress, pattern(5));
    expect(await workbench.collect(socket, 1)).toHaveLength(1);
  });

  test.unless(
    capabilities.reusePort ? null : `${capabilities.backend} cannot share a port here`,
    'shares a port among sockets that all ask for it: every datagram reaches exactly one',
    async (workbench) => {
      const a = await workbench.openUdp({ reusePort: true });
      const b = await workbench.openUdp({ reusePort: true }, factory.ipv4, portOf(a.localAddress));
      const sent = 32;
      for (const index of upTo(sent)) {
        const outside = await workbench.openOutside();
        await outside.send(a.localAddress, numbered(index));
      }
      const atA = numbersOf(await workbench.collect(a, sent, SILENCE_MICROS));
      const atB = numbersOf(await workbench.collect(b, sent - atA.length));
      expect([...atA, ...atB].sort((x, y) => x - y)).toEqual(upTo(sent));
      expect(atA.length).toBeGreaterThan(0);
      expect(atB.length).toBeGreaterThan(0);
    },
  );

  test.unless(
    capabilities.reusePort ? `${capabilities.backend} can share ports` : null,
    'says so in a SysError when it is asked to share a port and cannot',
    async (workbench) => {
      expect(await rejection(workbench.openUdp({ reusePort: true }))).toBeInstanceOf(SysError);
    },
  );
}

async function rejection(promise: Promise<unknown>): Promise<Error> {
  return promise.then(
    () => {
      throw new Error('expected a rejection');
    },
    (error: Error) => error,
  );
}
