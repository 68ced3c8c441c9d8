// Runs with just the numbers that a test wants.

import type { ChannelReport, Side } from '../../../sim/scenario/message-latencies.ts';
import { LATENCY_SHARES } from '../../../sim/scenario/message-latencies.ts';
import type { ScenarioReport } from '../../../sim/scenario/scenario.ts';

/** A channel whose messages took what `latency` says for each share. */
export function channel(name: string, from: Side, latency: (share: number) => number, arrived = 1_000): ChannelReport {
  return {
    channel: name,
    kind: 'unreliable',
    from,
    queued: 1_000,
    arrived,
    untimed: 0,
    goodputBytesPerSecond: 500,
    deadlineMissShare: 1 - arrived / 1_000,
    tickMissShare: null,
    latencyMs: {
      mean: latency(0.5),
      p50: latency(0.5),
      p95: latency(0.95),
      p99: latency(0.99),
      p999: latency(0.999),
      quantiles: LATENCY_SHARES.map(latency),
    },
  };
}

export function run(
  seed: string,
  channels: readonly ChannelReport[],
  more: Partial<ScenarioReport> = {},
): ScenarioReport {
  return {
    scenario: 'game',
    seed,
    clients: 2,
    clientsFailed: 0,
    digest: '0'.repeat(32),
    virtualSeconds: 10,
    events: 1,
    packetsSent: 1_000,
    packetsDuplicated: 0,
    packetsDropped: 50,
    dropped: { lost: 50, queueFull: 0, cut: 0, tooLarge: 0, policed: 0, overflowed: 0, unheard: 0 },
    latencyMs: { p50: 50, p99: 60 },
    deadlineMs: 100,
    channels,
    ...more,
  };
}
