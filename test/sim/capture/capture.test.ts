// A capture opens every packet of a run, reads it and follows it to its end.

import { beforeAll, describe, expect, it } from 'vitest';
import { Capture } from '../../../sim/capture/capture.ts';
import type { CapturedPacket } from '../../../sim/capture/captured-packet.ts';
import { linesAbout } from '../../../sim/capture/packet-text.ts';
import type { LinkDirection } from '../../../sim/link/link.ts';
import type { ScenarioReport } from '../../../sim/scenario/scenario.ts';
import type { DatagramEvent } from '../../../sim/world/observer.ts';
import { runTalk } from './talk-game.ts';

describe('a capture', () => {
  const packets: CapturedPacket[] = [];
  const texts: string[][] = [];
  let report: ScenarioReport;

  beforeAll(async () => {
    ({ report } = await runTalk(({ channelName }) => [
      {
        onSettled: (packet) => {
          packets.push(packet);
          texts.push(linesAbout(packet, channelName));
        },
      },
    ]));
    packets.sort((a, b) => a.serial - b.serial);
  });

  it('has every packet that was sent, and changes nothing of the run', async () => {
    expect(packets.length).toBe(report.packetsSent);
    expect(packets.filter(({ ending }) => ending === 'lost').length).toBe(report.dropped.lost);
    expect(report.dropped.lost).toBeGreaterThan(10);
    const copies = packets.reduce((sum, { copiesAt }) => sum + copiesAt.length, 0);
    expect(copies).toBeGreaterThan(0);
    expect(copies).toBeLessThanOrEqual(report.packetsDuplicated);
    const { report: without } = await runTalk(() => [], { capture: undefined as never });
    expect(without.digest).toBe(report.digest);
  });

  it('opens all of them, of both sides, and reads every payload to its end', () => {
    const kinds = new Set<number>();
    for (const { opened, carried } of packets) {
      expect(opened).not.toBeNull();
      kinds.add(opened!.type);
      if (opened!.type === 5) expect(carried.payload?.whole).toBe(true);
    }
    expect([...kinds]).toEqual(expect.arrayContaining([0, 2, 3, 5]));
    const names = new Set(packets.flatMap(({ carried }) => carried.payload?.frames.map(({ row }) => row.name) ?? []));
    for (const name of ['hello', 'time', 'ack', 'input', 'messages', 'plain', 'keyed', 'fragment']) {
      expect([...names]).toContain(name);
    }
  });

  it('expands acks to numbers of packets that had arrived by then', () => {
    const arrived = new Map<string, number>(); // session, way, number -> when
    for (const { opened, carried, ending, endedAt } of packets) {
      if (ending === 'delivered')
        arrived.set(`${opened!.session.number} ${opened!.fromClient} ${carried.number}`, endedAt);
    }
    let acks = 0;
    for (const { opened, carried, sentAt } of packets) {
      for (const { first, last } of carried.acked) {
        for (let number = first; number <= last; number++) {
          acks++;
          const at = arrived.get(`${opened!.session.number} ${!opened!.fromClient} ${number}`);
          expect(at, `packet ${number}, acked at ${sentAt}`).toBeLessThanOrEqual(sentAt);
        }
      }
    }
    expect(acks).toBeGreaterThan(300);
  });

  it('names the lost packet that a retransmission repeats', () => {
    const again = packets.flatMap(({ opened, carried }) =>
      carried.repeats.filter(({ lost }) => lost).map((repeat) => ({ opened: opened!, ...repeat })),
    );
    expect(again.length).toBeGreaterThan(3);
    for (const { opened, packet } of again) {
      const before = packets.find(
        (one) =>
          one.opened!.session === opened.session &&
          one.opened!.fromClient === opened.fromClient &&
          one.carried.number === packet,
      );
      expect(before!.isLost).toBe(true);
    }
    expect(again.map(({ what }) => what).join()).toMatch(/chat \d+/);
  });

  it('says in words what each was and what became of it', () => {
    const all = texts.flat().join('\n');
    expect(all).toMatch(/^request from client 1, session \d \(client-0>server, datagram 0\)$/m);
    expect(all).toMatch(/^payload \d+ \(\d{10,}\) to client 2, session \d \(server>client-1, datagram \d+\)$/m);
    expect(all).toMatch(/^acks \d+ to \d+, \d+/m);
    expect(all).toMatch(/^carries .*input ticks \d+ to \d+; chat \d+ \(1 bytes\)/m);
    expect(all).toMatch(/^carries .*doors \d+ of key 1/m);
    expect(all).toMatch(/chat \d+ piece 2 \(of 3000 bytes\)/);
    expect(all).toMatch(/^retransmission: chat \d+ of packet \d+, which was lost/m);
    expect(all).toMatch(/^arrived after 3\d\.\d{3} ms$/m);
    expect(all).toMatch(/^lost in the air \(after 0\.000 ms\)$/m);
  });

  it('opens what a client sends from a new address, under its connection id', async () => {
    const kinds = new Map<number, number>();
    await runTalk(
      () => [{ onSent: ({ opened }) => void kinds.set(opened?.type ?? -1, (kinds.get(opened?.type ?? -1) ?? 0) + 1) }],
      { prepare: (world) => world.at(1_000_000, () => world.rebind(world.hostNamed('client-0')!)) },
    );
    expect(kinds.get(-1)).toBeUndefined();
    expect(kinds.get(8)).toBeGreaterThan(0);
    expect(kinds.get(9)).toBeGreaterThan(0);
  });

  it('holds a limited number of packets under way, and gives up following the oldest', () => {
    const capture = new Capture();
    const given: number[] = [];
    let settled = 0;
    capture.sinks.push({
      onSettled: ({ index, ending }) => {
        settled++;
        if (ending === 'unknown') given.push(index);
      },
    });
    const direction = { name: 'a>b', number: 0 } as LinkDirection;
    const tell = (kind: DatagramEvent, index: number) =>
      capture.observe(1, direction, kind, index, Uint8Array.of(1), new Uint8Array(48));
    for (let index = 0; index < 16_386; index++) tell('received', index);
    expect([given, settled]).toEqual([[0, 1], 2]);
    tell('delivered', 0); // nobody follows it any more
    tell('lost', 2);
    expect([given, settled]).toEqual([[0, 1], 3]);
    capture.end(2);
    expect(settled).toBe(16_386);
  });

  it('tells packets that it has no key for, and damaged ones', async () => {
    const odd: string[] = [];
    await runTalk(
      (capture) => [
        {
          onSent: (packet) => {
            if (packet.serial === 0) capture.begin({ privateKey: new Uint8Array(32), protocolId: 1n, openAead: never });
          },
          onSettled: (packet) => void odd.push(...linesAbout(packet, capture.channelName)),
        },
      ],
      { link: { latencyMicros: 1_000, corrupt: 0.2 }, seconds: 1 },
    );
    expect(odd.join('\n')).toMatch(/bytes that no key of the capture opens/);
    expect(odd.join('\n')).toMatch(/damaged on the way/);
  });
});

/** Opens nothing. */
function never(): never {
  return { openOnce: () => false, open: () => false } as never;
}
