// What must hold at the end of a run.

import { expect, it } from 'vitest';
import { type Expectation, judge } from '../../../sim/scenario/expectations.ts';
import type { ScenarioReport } from '../../../sim/scenario/scenario.ts';

const REPORT = {
  clientsFailed: 1,
  packetsSent: 1_000,
  packetsDuplicated: 3,
  packetsDropped: 50,
  dropped: { lost: 40, queueFull: 10, cut: 7, tooLarge: 0, policed: 0, overflowed: 0, unheard: 0 },
  latencyMs: { p50: 20, p99: null },
  channels: [
    {
      channel: 'a.b',
      kind: 'unreliable',
      from: 'server',
      queued: 200,
      arrived: 190,
      latencyMs: { mean: 30, p50: 25, p95: 60, p99: 249.9, p999: 300 },
    },
  ],
} as unknown as ScenarioReport;

it.each([
  [{ metric: 'clientsFailed', eq: 0 }, false, 'clientsFailed = 0, and it is 1'],
  [{ metric: 'clientsFailed', le: 1 }, true, 'clientsFailed <= 1, and it is 1'],
  [{ metric: 'clientsFailed', lt: 1 }, false, 'clientsFailed < 1, and it is 1'],
  [{ metric: 'clientsFailed', gt: 1 }, false, 'clientsFailed > 1, and it is 1'],
  [{ metric: 'clientsFailed', ge: 1 }, true, 'clientsFailed >= 1, and it is 1'],
  [{ metric: 'dropped.queueFull', eq: 10 }, true, 'dropped.queueFull = 10, and it is 10'],
  [{ metric: 'dropped.cut', le: 6 }, false, 'dropped.cut <= 6, and it is 7'],
  [{ metric: 'droppedShare', lt: '5%' }, false, 'droppedShare < 5%, and it is 5%'],
  [{ metric: 'droppedShare', lt: 0.051 }, true, 'droppedShare < 5.1%, and it is 5%'],
  [{ metric: 'latency.p50', le: '20ms' }, true, 'latency.p50 <= 20ms, and it is 20ms'],
  [{ metric: 'latency.p99', lt: '1s' }, false, 'latency.p99 < 1000ms, but nothing was measured'],
  [{ metric: 'channel.a.b.server.p99', lt: '250ms' }, true, 'channel.a.b.server.p99 < 250ms, and it is 249.9ms'],
  [{ metric: 'channel.a.b.server.arrivedShare', ge: '96%' }, false, '>= 96%, and it is 95%'],
  [{ metric: 'channel.a.b.clients.p99', lt: '1s' }, false, 'but nothing was sent on that channel; there is a.b.server'],
] as [Expectation, boolean, string][])('judges %o', (expectation, held, text) => {
  const [verdict, ...more] = judge([expectation], REPORT);
  expect(more).toEqual([]);
  expect(verdict!.held).toBe(held);
  expect(verdict!.text).toContain(text);
});

it('judges each bound of an expectation', () => {
  const verdicts = judge(
    [
      { metric: 'packetsSent', eq: 1_000 },
      { metric: 'packetsSent', gt: 10, lt: 100 },
    ],
    REPORT,
  );
  expect(verdicts.map(({ index, held }) => [index, held])).toEqual([
    [0, true],
    [1, false],
    [1, true],
  ]);
});
