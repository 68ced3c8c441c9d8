// Who talks to whom through a proxy, and what becomes of clients: over loopback, under a clock of the test.

import { afterEach, describe, expect, it } from 'vitest';
import type { ProxyOptions } from '../../../sim/proxy/proxy-options.ts';
import { proxyReport, type WayReport } from '../../../sim/proxy/proxy-report.ts';
import { addressOf, formatAddress, SysError } from '../../../sys/api.ts';
import { Stand } from './open-stand.ts';

const SECOND = 1_000_000;
const stands: Stand[] = [];

afterEach(() => {
  for (const stand of stands.splice(0)) stand.close();
});

async function open(options: Parameters<typeof Stand.open>[0] = {}): Promise<Stand> {
  const stand = await Stand.open(options);
  stands.push(stand);
  return stand;
}

describe('a proxy', () => {
  it('shows the server a peer for each client, and brings each its own answers', async () => {
    const stand = await open();
    const clients = [await stand.client(), await stand.client()];
    for (const [n, client] of clients.entries()) await stand.send(client, text(`hello ${n}`));
    const heard = await stand.receive(stand.server, 2);
    expect(new Set(heard.map(({ from }) => formatAddress(from))).size).toBe(2);
    for (const { from, bytes } of heard) await stand.send(stand.server, text(`to ${read(bytes)}`), from);
    for (const [n, client] of clients.entries()) {
      const [answer] = await stand.receive(client, 1);
      expect(read(answer!.bytes)).toBe(`to hello ${n}`);
      expect(formatAddress(answer!.from)).toBe(formatAddress(stand.proxy.address));
    }
  });

  it('keeps what comes while the socket of a new client is opened, and its order', async () => {
    let release = (): void => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const stand = await open({
      wrapOpenUdp: (openUdp) => (local, options) => held.then(() => openUdp(local, options)),
    });
    const client = await stand.client();
    for (let n = 0; n < 5; n++) await stand.send(client, text(`${n}`));
    expect(proxyReport(stand.proxy).up).toMatchObject({ sent: 5, delivered: 0, underWay: 5 });
    release();
    const heard = await stand.receive(stand.server, 5);
    expect(heard.map(({ bytes }) => read(bytes))).toEqual(['0', '1', '2', '3', '4']);
  });

  it('drops what it has no socket for, says so once, and tries again each second', async () => {
    let broken = true;
    const fails = (): Promise<never> => Promise.reject(new SysError('EMFILE', 'socket', 'too many'));
    const stand = await open({
      wrapOpenUdp: (openUdp) => (local, options) => (broken ? fails() : openUdp(local, options)),
    });
    const client = await stand.client();
    await stand.send(client, text('1'));
    await stand.at(100);
    await stand.send(client, text('2'));
    await stand.at(200);
    expect(proxyReport(stand.proxy).up).toMatchObject({ sent: 2, delivered: 0, overflowed: 2, underWay: 0 });
    expect(stand.warnings).toEqual(['no socket towards the server: socket: EMFILE: too many']);
    broken = false;
    await stand.at(SECOND);
    await stand.send(client, text('3'));
    expect(read((await stand.receive(stand.server, 1))[0]!.bytes)).toBe('3');
  });

  it('refuses clients beyond the most that may be, and counts what they send', async () => {
    const stand = await open({ clientsMax: 2 });
    const clients = [await stand.client(), await stand.client(), await stand.client()];
    for (const client of [...clients, clients[2]!]) await stand.send(client, text('hello'));
    await stand.receive(stand.server, 2);
    const { clients: counted, dropped, up } = proxyReport(stand.proxy);
    expect([counted.now, counted.seen, dropped.refused, up.sent]).toEqual([2, 2, 2, 2]);
  });

  it('forgets a client that is silent, closes its socket, and gives its place to the next', async () => {
    const stand = await open({ clientsMax: 1, idleMicros: 10 * SECOND });
    const [first, second] = [await stand.client(), await stand.client()];
    await stand.send(first, text('first'));
    await stand.receive(stand.server, 1);
    await stand.at(9 * SECOND);
    expect(stand.proxy.clients.count).toBe(1);
    await stand.at(12 * SECOND);
    expect(stand.proxy.clients.count).toBe(0);
    expect(stand.proxy.sockets.byKey[1]).toBe(null);
    await stand.send(second, text('second'));
    expect(read((await stand.receive(stand.server, 1))[0]!.bytes)).toBe('second');
    expect(stand.seen.at(-1)!.direction).toBe('client-1>server');
    expect(stand.proxy.transit.directions).toHaveLength(2);
    const { clients, up } = proxyReport(stand.proxy);
    expect([clients.seen, clients.highest, clients.forgotten, up.sent, up.delivered]).toEqual([2, 1, 1, 2, 2]);
  });

  it('counts the datagrams of a client that comes again from 0, under a new name', async () => {
    const stand = await open({ idleMicros: SECOND, link: { rateBitsPerSecond: 1_000_000 } });
    const client = await stand.client();
    for (const time of [0, 5 * SECOND, 10 * SECOND]) {
      await stand.at(time);
      await stand.send(client, text('hello'));
      await stand.at(time + SECOND / 2);
      await stand.receive(stand.server, 1);
      await stand.at(time + 3 * SECOND);
    }
    const delivered = stand.seen.filter(({ kind }) => kind === 'delivered');
    expect(delivered.map(({ direction, index }) => `${direction} ${index}`)).toEqual(
      [0, 1, 2].map((n) => `client-${n}>server 0`),
    );
  });

  it('does not forget a client while something is under way', async () => {
    const stand = await open({ idleMicros: SECOND, link: { latencyMicros: 20 * SECOND } });
    await stand.send(await stand.client(), text('late'));
    await stand.at(19 * SECOND);
    expect(stand.proxy.clients.count).toBe(1);
    await stand.at(20 * SECOND);
    expect(read((await stand.receive(stand.server, 1))[0]!.bytes)).toBe('late');
    await stand.at(22 * SECOND);
    expect(stand.proxy.clients.count).toBe(0);
  });

  it('drops and counts what strangers send to the socket of a client', async () => {
    const stand = await open();
    const client = await stand.client();
    const stranger = await stand.client();
    await stand.send(client, text('hello'));
    const [hello] = await stand.receive(stand.server, 1);
    await stand.send(stranger, text('psst'), hello!.from);
    await stand.send(stand.server, text('welcome'), hello!.from);
    expect(read((await stand.receive(client, 1))[0]!.bytes)).toBe('welcome');
    const { dropped, down } = proxyReport(stand.proxy);
    expect([dropped.strangers, down.sent]).toEqual([1, 1]);
  });

  it('drops and counts what is longer than it takes in, or too many at once', async () => {
    const stand = await open({ datagramBytesMax: 100, heldMax: 3, link: { latencyMicros: SECOND } });
    const client = await stand.client();
    await stand.send(client, new Uint8Array(101));
    for (let n = 0; n < 5; n++) await stand.send(client, new Uint8Array(100));
    const { dropped, up } = proxyReport(stand.proxy);
    expect([dropped.tooLong, dropped.crowded, up.sent]).toEqual([1, 2, 3]);
  });

  it('carries empty datagrams and the longest ones', async () => {
    const stand = await open({ datagramBytesMax: 1_400, link: { corrupt: 1, corruptKinds: ['extend'] } });
    const client = await stand.client();
    await stand.send(client, new Uint8Array(0));
    await stand.send(client, new Uint8Array(1_400));
    const heard = await stand.receive(stand.server, 2);
    expect(heard[0]!.bytes.length).toBeGreaterThan(0);
    expect(heard[1]!.bytes.length).toBeGreaterThan(1_400);
  });

  it('accounts for every datagram', async () => {
    const stand = await open({
      link: {
        latencyMicros: 50_000,
        jitterMicros: 50_000,
        loss: 0.2,
        duplicate: 0.2,
        rateBitsPerSecond: 300_000,
        queueBytes: 300,
      },
      down: {
        latencyMicros: 10_000,
        loss: 0.3,
        mtuBytes: 100,
        policer: { rateBitsPerSecond: 80_000, burstBytes: 500 },
      },
    });
    const client = await stand.client();
    for (let n = 0; n < 100; n++) {
      await stand.at(n * 3_000);
      await stand.send(client, new Uint8Array(50 + n));
      await stand.at(n * 3_000 + 1);
      const heard = stand.proxy.sockets.byKey[1]!;
      await stand.send(stand.server, new Uint8Array(1 + ((n * 37) % 100)), heard.localAddress);
    }
    for (const [name, way] of Object.entries({
      up: proxyReport(stand.proxy).up,
      down: proxyReport(stand.proxy).down,
    })) {
      expect(way.sent, name).toBe(100);
      expect(accounted(way), name).toBe(way.sent + way.duplicated);
      expect(way.underWay, name).toBeGreaterThan(0);
    }
    await stand.at(10 * SECOND);
    const { up, down } = proxyReport(stand.proxy);
    expect([up.underWay, down.underWay]).toEqual([0, 0]);
    const counted = [up.lost, up.queueDropped, up.duplicated, down.tooLarge, down.policed, down.lost];
    expect(
      counted.every((count) => count > 0),
      counted.join(),
    ).toBe(true);
    expect([accounted(up), accounted(down)]).toEqual([up.sent + up.duplicated, down.sent]);
  });

  it('tells its observer what came in and what goes out', async () => {
    const stand = await open({ link: { latencyMicros: 30_000, corrupt: 1, corruptKinds: ['flip'] } });
    await stand.at(10_000);
    await stand.send(await stand.client(), text('hello'));
    await stand.at(50_000);
    expect(stand.seen.map(({ time, kind, index }) => [time, kind, index])).toEqual([
      [10_000, 'received', 0],
      [10_000, 'corrupted', 0],
      [40_000, 'delivered', 0],
    ]);
    const [received, corrupted, delivered] = stand.seen;
    expect(read(received!.bytes)).toBe('hello');
    expect(read(delivered!.bytes)).not.toBe('hello');
    expect(delivered!.bytes).toEqual(corrupted!.bytes);
    expect((await stand.receive(stand.server, 1))[0]!.bytes).toEqual(delivered!.bytes);
  });

  it.each<[Partial<ProxyOptions>, string]>([
    [{ clientsMax: 0 }, 'clientsMax is 1 .. 4096, not 0'],
    [{ link: { loss: 2 } }, 'loss'],
    [{ down: { latencyMicros: -1 } }, 'latencyMicros'],
  ])('refuses options that cannot be: %j', async (options, text) => {
    await expect(open(options)).rejects.toThrow(text);
  });

  it('says which port is taken', async () => {
    const stand = await open();
    await expect(open({ listen: stand.proxy.address })).rejects.toThrow(/EADDRINUSE.*another program holds udp port/);
  });
});

describe('a rebound client', () => {
  it('is seen under another port, and what was under way to the old one is unheard', async () => {
    const stand = await open({ down: { latencyMicros: 50_000 } });
    const client = await stand.client();
    await stand.send(client, text('before'));
    const [before] = await stand.receive(stand.server, 1);
    await stand.send(stand.server, text('to the old port'), before!.from);
    stand.proxy.rebind(stand.proxy.clients.named('client-0'));
    await stand.at(10_000);
    await stand.send(client, text('after'));
    const [after] = await stand.receive(stand.server, 1);
    expect(formatAddress(after!.from)).not.toBe(formatAddress(before!.from));
    await stand.send(stand.server, text('to the new port'), after!.from);
    await stand.at(SECOND);
    expect((await stand.receive(client, 1)).map(({ bytes }) => read(bytes))).toEqual(['to the new port']);
    const { down, rebinds } = proxyReport(stand.proxy);
    expect([rebinds, down.sent, down.unheard, down.delivered]).toEqual([1, 2, 1, 1]);
  });

  it('keeps the fates of its link', async () => {
    const fates = [];
    for (const rebinds of [false, true]) {
      const stand = await open({ link: { loss: 0.4 } });
      const client = await stand.client();
      for (let n = 0; n < 40; n++) {
        await stand.send(client, text(`${n}`));
        if (rebinds) stand.proxy.rebindAll();
        await stand.at(n);
      }
      fates.push(stand.seen.filter(({ kind }) => kind === 'lost').map(({ index }) => index));
    }
    expect(fates[1]).toEqual(fates[0]);
    expect(fates[0]!.length).toBeGreaterThan(5);
  });

  it('is rebound with all others as often as it was asked for', async () => {
    const stand = await open({ rebindEveryMicros: SECOND });
    const ports = new Set<string>();
    const client = await stand.client();
    for (let n = 0; n < 5; n++) {
      await stand.send(client, text('hello'));
      ports.add(formatAddress((await stand.receive(stand.server, 1))[0]!.from));
      await stand.at((n + 1) * SECOND);
    }
    expect(ports.size).toBe(5);
    expect(proxyReport(stand.proxy).rebinds).toBe(5);
  });

  it('keeps its port when no other can be opened', async () => {
    let broken = false;
    const fails = (): Promise<never> => Promise.reject(new SysError('EMFILE', 'socket', 'too many'));
    const stand = await open({
      wrapOpenUdp: (openUdp) => (local, options) => (broken ? fails() : openUdp(local, options)),
    });
    const client = await stand.client();
    await stand.send(client, text('1'));
    const [before] = await stand.receive(stand.server, 1);
    broken = true;
    stand.proxy.rebindAll();
    await stand.at(10);
    await stand.send(client, text('2'));
    expect((await stand.receive(stand.server, 1))[0]!.from).toEqual(before!.from);
    expect(stand.warnings).toHaveLength(1);
  });
});

it('over IPv6 too', async () => {
  const stand = await open({ listen: addressOf('::1', 0)! });
  const client = await stand.client('::1');
  await stand.send(client, text('hello'));
  const [hello] = await stand.receive(stand.server, 1);
  await stand.send(stand.server, text('welcome'), hello!.from);
  expect(read((await stand.receive(client, 1))[0]!.bytes)).toBe('welcome');
});

function accounted(way: WayReport): number {
  const { delivered, lost, queueDropped, tooLarge, policed, unheard, overflowed, underWay } = way;
  return delivered + lost + queueDropped + tooLarge + policed + unheard + overflowed + underWay;
}

function text(of: string): Uint8Array {
  return new TextEncoder().encode(of);
}

function read(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}
