// Messages are known again by their bytes, and their times are those of the links.

import { describe, expect, it } from 'vitest';
import { latestState, reliableOrdered, unreliable } from '../../../engine/channels.ts';
import type { Host } from '../../../engine/host.ts';
import { type ChannelReport, LATENCY_SHARES, MessageLatencies } from '../../../sim/scenario/message-latencies.ts';
import { type ClientArgs, runScenario, type ServerArgs } from '../../../sim/scenario/scenario.ts';

const ORDERED = { number: 0, name: 'chat', kind: 'reliableOrdered' };
const LOSSY = { number: 1, name: 'state', kind: 'unreliable' };
const HELLO = Uint8Array.of(1, 2, 3);
const OTHER = Uint8Array.of(9, 1, 2, 3);

describe('the latencies of messages', () => {
  it('are measured from the sender to the receiver, by direction and channel', () => {
    let now = 0;
    const messages = new MessageLatencies(() => now);
    const [server, a, b] = [messages.server(), messages.client(1n), messages.client(2n)];
    server.queued(1n, ORDERED, HELLO, 0, 3);
    server.queued(2n, ORDERED, HELLO, 0, 3);
    now = 40_000;
    a.arrived(null, ORDERED, HELLO, 0, 3);
    now = 50_000;
    b.arrived(null, ORDERED, OTHER, 1, 3); // the same bytes elsewhere
    b.queued(null, ORDERED, HELLO, 0, 3);
    const [up, down] = messages.report();
    expect(down).toMatchObject({ channel: 'chat', from: 'server', queued: 2, arrived: 2 });
    expect(down!.latencyMs).toMatchObject({ mean: 45, p50: 40, p99: 50 });
    expect(up).toMatchObject({ from: 'clients', queued: 1, arrived: 0, latencyMs: { p50: null } });
  });

  it('take the oldest of equal messages where each is delivered, and leave out where it cannot be told', () => {
    let now = 0;
    const messages = new MessageLatencies(() => now);
    const [server, client] = [messages.server(), messages.client(1n)];
    for (const channel of [ORDERED, LOSSY]) server.queued(1n, channel, HELLO, 0, 3);
    now = 10_000;
    for (const channel of [ORDERED, LOSSY]) server.queued(1n, channel, HELLO, 0, 3);
    now = 30_000;
    for (const channel of [ORDERED, LOSSY]) client.arrived(null, channel, HELLO, 0, 3);
    const [ordered, lossy] = messages.report();
    expect(ordered!.latencyMs.p50).toBe(30);
    expect(lossy).toMatchObject({ arrived: 1, latencyMs: { p50: null } });
  });

  it('forget what is a thousand messages old', () => {
    let now = 0;
    const messages = new MessageLatencies(() => now);
    const [server, client] = [messages.server(), messages.client(1n)];
    server.queued(1n, LOSSY, HELLO, 0, 3);
    for (now = 1; now <= 1_024; now++) server.queued(1n, LOSSY, OTHER, 0, 4);
    client.arrived(null, LOSSY, HELLO, 0, 3);
    expect(messages.report()[0]).toMatchObject({ queued: 1_025, arrived: 1, latencyMs: { p50: null } });
  });

  it('are known however long the stream has been silent', () => {
    let now = 0;
    const sequenced = { number: 2, name: 'pose', kind: 'unreliableSequenced' };
    const messages = new MessageLatencies(() => now);
    const [server, client] = [messages.server(), messages.client(1n)];
    for (now = 0; now <= 60_000_000; now += 10_000_000) {
      server.queued(1n, sequenced, HELLO, 0, 3);
      client.arrived(null, sequenced, HELLO, 0, 3);
    }
    expect(messages.report()[0]).toMatchObject({ queued: 7, arrived: 7, untimed: 0 });
  });

  it('are not those of an earlier connection, whose messages do not come any more', () => {
    let now = 0;
    const messages = new MessageLatencies(() => now);
    const [server, client] = [messages.server(), messages.client(1n)];
    server.queued(1n, ORDERED, HELLO, 0, 3);
    client.queued(null, ORDERED, HELLO, 0, 3);
    now = 5_000_000;
    messages.forget(2n);
    messages.forget(1n);
    server.queued(1n, ORDERED, HELLO, 0, 3);
    client.queued(null, ORDERED, HELLO, 0, 3);
    now += 30_000;
    for (const side of [server, client]) side.arrived(1n, ORDERED, HELLO, 0, 3);
    for (const { queued, latencyMs } of messages.report()) expect([queued, latencyMs.mean]).toEqual([2, 30]);
  });

  it('of a channel that never goes back do not take a lost message for a later one of the same bytes', () => {
    let now = 0;
    const messages = new MessageLatencies(() => now);
    const [server, client] = [messages.server(), messages.client(1n)];
    const INPUT = { number: 2, name: 'input', kind: 'tickInput' };
    client.queued(null, INPUT, HELLO, 0, 3); // lost
    now = 20_000;
    client.queued(null, INPUT, OTHER, 0, 4);
    now = 60_000;
    server.arrived(1n, INPUT, OTHER, 0, 4);
    now = 1_000_000;
    client.queued(null, INPUT, HELLO, 0, 3);
    now = 1_050_000;
    server.arrived(1n, INPUT, HELLO, 0, 3);
    const [input] = messages.report();
    expect(input!.latencyMs.quantiles!.at(-1)).toBe(50);
    expect(input).toMatchObject({ queued: 3, arrived: 2, untimed: 0 });
  });

  it('tell the share that missed the deadline: late or lost, of those that were sent early enough to know', () => {
    let now = 0;
    const messages = new MessageLatencies(() => now, 50_000);
    const [server, client] = [messages.server(), messages.client(1n)];
    // One a millisecond, each with bytes of its own; each tenth is lost, each tenth takes 80 ms, the others 20.
    const due: [number, Uint8Array][] = [];
    for (let i = 0; i < 1_000; i++) {
      now = i * 1_000;
      for (const [at, bytes] of due.filter(([at]) => at === now)) {
        expect(at).toBe(now);
        client.arrived(null, LOSSY, bytes, 0, 2);
      }
      const bytes = Uint8Array.of(i, i >> 8);
      server.queued(1n, LOSSY, bytes, 0, 2);
      if (i % 10 !== 0) due.push([now + (i % 10 === 1 ? 80_000 : 20_000), bytes]);
    }
    const [state] = messages.report({ tickMicros: { server: 70_000, clients: null } });
    // 950 were sent up to 50 ms before the end: 95 are lost and 95 came late; a tick after the median is 90 ms.
    expect(state!.deadlineMissShare).toBeCloseTo(0.2, 2);
    expect(state!.tickMissShare).toBeCloseTo(0.1, 2);
    expect(messages.report()[0]!.tickMissShare).toBeNull();
    expect(state!.latencyMs.quantiles).toHaveLength(LATENCY_SHARES.length);
    expect(state!.goodputBytesPerSecond).toBe(Math.round((state!.arrived * 2) / 0.999));
    expect(messages.flows.server).toMatchObject({
      bytes: 2 * state!.arrived,
      timed: state!.arrived,
      worstMicros: 80_000,
    });
    expect(messages.flows.server.late).toBe(92); // sent at 1, 11 .. 911 ms
  });

  it('are those of the links for a game that knows nothing of it', async () => {
    const channels = { chat: reliableOrdered(), state: unreliable(), doors: latestState() };
    const game = {
      async server(host: Host, { port, privateKey, address, maxClients }: ServerArgs) {
        const publicAddresses = [`${address}:${port}`];
        const server = await host.listen({
          port,
          host: address,
          publicAddresses,
          privateKey,
          maxClients,
          channels,
          tickRateHz: 60,
        });
        server.on('tick', (tick) => {
          const bytes = new Uint8Array(8);
          new DataView(bytes.buffer).setUint32(0, tick, true);
          server.broadcast('chat', bytes);
          server.broadcast('state', bytes);
          server.broadcast('doors', bytes, { key: 1 });
        });
      },
      async client(host: Host, { token }: ClientArgs) {
        await host.connect({ token: await token(), channels });
      },
    };
    const link = { latencyMicros: 30_000, loss: 0.1 };
    const report = await runScenario({ name: 'talk', game, clients: 3, link, seconds: 20, seed: 4 });
    const of = (name: string): ChannelReport => report.channels.find((one) => one.channel === name)!;
    expect(report.channels.map(({ channel }) => channel)).toEqual(['chat', 'doors', 'state']);
    expect(of('chat').queued).toBeGreaterThan(3 * 19 * 60);
    expect(of('chat').queued - of('chat').arrived).toBeLessThan(40); // under way at the end
    expect(of('chat').latencyMs.p50).toBeGreaterThanOrEqual(30);
    expect(of('chat').latencyMs.p99).toBeGreaterThan(of('state').latencyMs.p99!);
    expect(of('state').latencyMs).toMatchObject({ p50: 30, p99: 30 });
    expect(Math.abs(of('state').arrived / of('state').queued - 0.9)).toBeLessThan(0.03);
    expect(of('doors').arrived).toBeLessThanOrEqual(of('doors').queued);
  });
});
