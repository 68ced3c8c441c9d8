// The data of a sequence diagram: the packets of one client in a window, each with its end.

import { describe, expect, it } from 'vitest';
import type { SequenceReport } from '../../../sim/capture/sequence-report.ts';
import { SequenceSink } from '../../../sim/capture/sequence-sink.ts';
import { runTalk } from './talk-game.ts';

async function sequence(fromMicros: number, untilMicros: number, packetsMax: number): Promise<SequenceReport> {
  let sink: SequenceSink | null = null;
  await runTalk(({ channelName }) => {
    sink = new SequenceSink({ client: 'client-0', fromMicros, untilMicros, packetsMax, nameOf: channelName });
    return [sink];
  });
  return sink!.report();
}

describe('a sequence', () => {
  it('has every packet of its client from beginning to end', async () => {
    const { packets, isCut, client } = await sequence(0, 2_000_000, 5_000);
    expect([client, isCut]).toEqual(['client-0', false]);
    expect(packets.map(({ kind }) => kind)).toEqual(
      expect.arrayContaining(['request', 'challenge', 'response', 'payload']),
    );
    for (const { sentMs, endedMs, ending } of packets) {
      if (ending === 'delivered') expect(endedMs! - sentMs).toBeGreaterThanOrEqual(28);
      if (ending === 'lost') expect(endedMs).toBe(sentMs);
      if (ending === 'unknown') expect([endedMs, sentMs > 1_960]).toEqual([null, true]);
    }
    expect(packets.some(({ up, acked }) => !up && acked.length > 0)).toBe(true);
    expect(packets.some(({ carries }) => carries.join().includes('input ticks'))).toBe(true);
    expect(packets.some(({ copiesMs }) => copiesMs.length === 1)).toBe(true);
    const again = packets.filter(({ repeats }) => repeats.some(({ lost }) => lost));
    expect(again.length).toBeGreaterThan(0);
    for (const { up, repeats } of again) {
      const { packet } = repeats.find(({ lost }) => lost)!;
      expect(packets.find((one) => one.up === up && one.number === packet)!.ending).toBe('lost');
    }
  });

  it('is limited to a window of time, and to a number of packets', async () => {
    const window = await sequence(500_000, 700_000, 5_000);
    expect(window.packets.length).toBeGreaterThan(10);
    for (const { sentMs } of window.packets) expect([sentMs >= 500, sentMs < 700]).toEqual([true, true]);
    expect(window).toMatchObject({ fromMs: 500, untilMs: 700, isCut: false });
    const few = await sequence(500_000, 700_000, 9);
    expect(few.packets).toEqual(window.packets.slice(0, 9));
    expect(few.isCut).toBe(true);
    expect(few.untilMs).toBe(Math.max(...few.packets.map(({ endedMs, sentMs }) => endedMs ?? sentMs)));
  });
});
