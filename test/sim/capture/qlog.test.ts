// qlog of both ends of a client: records that parse, and say what the network did.

import { beforeAll, describe, expect, it } from 'vitest';
import type { Capture } from '../../../sim/capture/capture.ts';
import type { CapturedPacket } from '../../../sim/capture/captured-packet.ts';
import { QlogSink, type Side } from '../../../sim/capture/qlog-sink.ts';
import { runTalk } from './talk-game.ts';

interface Event {
  readonly time: number;
  readonly name: string;
  readonly data: {
    readonly header?: { packet_number?: number };
    readonly frames?: { frame_type: string; acked_ranges?: [number, number][] }[];
    readonly trigger?: string;
    readonly smoothed_rtt?: number;
    readonly congestion_window?: number;
    readonly repeats?: { packet_number: number; lost: boolean }[];
    readonly messages?: { channel: string }[];
  };
}

describe('qlog', () => {
  const texts: Record<Side, string> = { client: '', server: '' };
  const packets: CapturedPacket[] = [];
  const records: Partial<Record<Side, Event[]>> = {};

  beforeAll(async () => {
    const sink = (capture: Capture, side: Side) =>
      new QlogSink(
        (text) => {
          texts[side] += text;
        },
        {
          client: 'client-1',
          side,
          title: 'talk',
          nameOf: capture.channelName,
          end: () => (side === 'client' ? capture.ends?.clientOf(1) : capture.ends?.peerOf(1)) ?? null,
        },
      );
    await runTalk((capture) => [
      sink(capture, 'client'),
      sink(capture, 'server'),
      { onSettled: (packet) => void packets.push(packet) },
    ]);
    for (const side of ['client', 'server'] as const) {
      const all = texts[side].split('\x1e').slice(1);
      expect(all.every((record) => record.endsWith('}\n'))).toBe(true);
      records[side] = all.map((record) => JSON.parse(record) as Event);
    }
  });

  const named = (side: Side, name: string): Event[] => records[side]!.filter((event) => event.name === name);

  it('begins with a header and goes on in the order of time', () => {
    for (const side of ['client', 'server'] as const) {
      const [header, ...events] = records[side]!;
      expect(header).toMatchObject({ qlog_format: 'JSON-SEQ', trace: { vantage_point: { type: side } } });
      for (const [i, { time }] of events.entries()) expect(time).toBeGreaterThanOrEqual(events[i - 1]?.time ?? 0);
    }
  });

  it('has the packets that this end sent, those that came, and those that were lost', () => {
    const mine = packets.filter(
      ({ carried, direction }) => carried.payload !== null && direction === 'client-1>server',
    );
    const lost = mine.filter(({ isLost }) => isLost);
    const arrived = mine.filter(({ ending }) => ending === 'delivered');
    expect(lost.length).toBeGreaterThan(3);
    expect(named('client', 'transport:packet_sent').length).toBe(mine.length);
    expect(named('server', 'transport:packet_received').length).toBe(arrived.length);
    const lostThere = named('client', 'recovery:packet_lost').map(({ data }) => data.header!.packet_number);
    expect(lostThere).toEqual(expect.arrayContaining(lost.map(({ carried }) => carried.number)));
    expect(named('server', 'transport:packet_dropped').map(({ data }) => data.trigger)).toContain('duplicate');
  });

  it('acknowledges numbers that the other end sent', () => {
    const sent = new Set(named('server', 'transport:packet_sent').map(({ data }) => data.header!.packet_number));
    const acked = named('client', 'transport:packet_sent').flatMap(({ data }) =>
      data.frames!.flatMap(({ acked_ranges = [] }) => acked_ranges),
    );
    expect(acked.length).toBeGreaterThan(30);
    for (const [first, last] of acked) expect([sent.has(last), first <= last]).toEqual([true, true]);
  });

  it('tells round trip and window as the ends have them, and messages by the names of their channels', () => {
    const metrics = named('client', 'recovery:metrics_updated').map(({ data }) => data);
    const rtts = metrics.map(({ smoothed_rtt }) => smoothed_rtt ?? 0).filter((rtt) => rtt > 0);
    expect(rtts.length).toBeGreaterThan(3);
    for (const rtt of rtts) expect([rtt > 55, rtt < 90]).toEqual([true, true]);
    expect(metrics.some(({ congestion_window }) => congestion_window! > 1_000)).toBe(true);
    const messages = [...named('client', 'tickwire:messages_sent'), ...named('client', 'tickwire:messages_received')];
    const channels = new Set(messages.flatMap(({ data }) => data.messages!.map(({ channel }) => channel)));
    expect([...channels].sort()).toEqual(['chat', 'doors', 'input', 'world']);
    expect(messages.some(({ data }) => data.repeats?.some(({ lost }) => lost))).toBe(true);
  });
});
