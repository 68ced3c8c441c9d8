// A run over time: columns that add up to the report, and no trace of the sampling in the run.

import { beforeEach, describe, expect, it } from 'vitest';
import { runScenario, type ScenarioReport } from '../../../sim/scenario/scenario.ts';
import * as echoGame from '../echo-game.ts';

const SLOW = { latencyMicros: 30_000, rateBitsPerSecond: 40_000, queueBytes: 20_000, loss: 0.02 };

beforeEach(() => echoGame.begin());

describe('the series of a run', () => {
  it('changes nothing in the run: the same digest and the same report', async () => {
    const { series, ...report } = await run({ series: true });
    echoGame.begin();
    expect(report).toEqual(await run({}));
    expect(series).toBeDefined();
  });

  it('has a row each 100 ms in every column, which add up to what the report says', async () => {
    const { series, channels, packetsDropped } = await run({ series: true });
    const { flows, dropped, queueBytes, connection, stepMs } = series!;
    expect(stepMs).toBe(100);
    const columns = [flows.clients, flows.server, connection.clients, connection.server].flatMap((one) =>
      Object.values(one),
    );
    for (const column of [...columns, dropped, ...Object.values(queueBytes)]) expect(column).toHaveLength(50);
    const bytes = (column: readonly number[]): number => column.reduce((sum, value) => sum + value, 0) / 10 / 5;
    for (const [side, { goodputBytesPerSecond }] of Object.entries(flows)) {
      const expected = channels
        .filter(({ from }) => from === side)
        .reduce((sum, one) => sum + one.goodputBytesPerSecond, 0);
      expect(Math.abs(bytes(goodputBytesPerSecond) - expected)).toBeLessThan(2);
    }
    expect(dropped.reduce((sum, value) => sum + value, 0)).toBe(packetsDropped);
  });

  it('sees the queue of a slow line, and both ends of the connection once it is there', async () => {
    const { queueBytes, connection, flows } = (await run({ series: true })).series!;
    expect(Object.keys(queueBytes).sort()).toEqual(['down', 'up']);
    expect(Math.max(...queueBytes.up!)).toBeGreaterThan(0);
    expect(connection.clients.rttMs[0]).toBeNull();
    for (const { rttMs, cwndBytes } of [connection.clients, connection.server]) {
      expect(rttMs.at(-1)!).toBeGreaterThan(60);
      expect(cwndBytes.at(-1)!).toBeGreaterThan(1_000);
    }
    expect(Math.max(...flows.clients.worstMs.map((value) => value ?? 0))).toBeGreaterThan(30);
  });

  it('has longer steps in a long run', async () => {
    const { series } = await run({ series: true, seconds: 600, clients: 0 });
    expect(series!.stepMs).toBe(200);
    expect(series!.dropped).toHaveLength(3_000);
  });
});

function run(more: object): Promise<ScenarioReport> {
  return runScenario({ name: 'echo', game: echoGame, clients: 2, link: SLOW, seconds: 5, seed: 3, ...more });
}
