// Scenarios: the unmodified engine and a game module over the simulated network.

import { beforeEach, describe, expect, it } from 'vitest';
import { runScenario, type Scenario, type ScenarioReport, type SimulatedGame } from '../../../sim/scenario/scenario.ts';
import { openEngine } from '../../../sim/world/engine-host.ts';
import { World } from '../../../sim/world/world.ts';
import { chooseAead } from '../../../sys/aead/choose.ts';
import * as echoGame from '../echo-game.ts';

const LINK = { latencyMicros: 30_000, jitterMicros: 5_000, loss: 0.05 };

beforeEach(() => echoGame.begin());

describe('runScenario', () => {
  it('runs server and clients over the link: all connect, echoes take two latencies, loss shows', async () => {
    const report = await echo({});
    expect(report.clientsFailed).toBe(0);
    expect(echoGame.seen.echoes.size).toBe(4);
    for (const count of echoGame.seen.echoes.values()) expect(count).toBeGreaterThan(100);
    expect(Math.min(...echoGame.seen.rttMicros)).toBeGreaterThanOrEqual(50_000);
    const { packetsSent, packetsDropped, dropped, latencyMs, virtualSeconds } = report;
    expect(virtualSeconds).toBe(10);
    expect(packetsDropped).toBe(dropped.lost + dropped.overflowed + dropped.unheard);
    expect(Math.abs(dropped.lost - packetsSent * 0.05)).toBeLessThan(4 * Math.sqrt(packetsSent * 0.05 * 0.95));
    expect(latencyMs.p50).toBeGreaterThan(28);
    expect(latencyMs.p50).toBeLessThan(32);
    expect(latencyMs.p99).toBeLessThanOrEqual(35);
  });

  it('gives the same report for the same seed, and another digest for another seed', async () => {
    const first = await echo({});
    expect(await echo({})).toEqual(first);
    expect((await echo({ seed: 8 })).digest).not.toBe(first.digest);
  });

  it('gives the same report when the guard throws instead: the engine uses no real clock, timer or chance', async () => {
    expect(await echo({ strict: true })).toEqual(await echo({}));
  });

  it('does the same things at the same times with real cryptography, though no byte is the same', async () => {
    const real = await echo({ openAead: (slots, slotBytes) => chooseAead(slots, slotBytes) });
    const stand = await echo({});
    expect(real.digest).not.toBe(stand.digest);
    expect({ ...real, digest: '' }).toEqual({ ...stand, digest: '' });
  });

  it('counts clients that cannot connect, and warns', async () => {
    const warnings: string[] = [];
    const report = await echo({ link: { loss: 1 }, warn: (text) => warnings.push(text), seconds: 40 });
    expect(report.clientsFailed).toBe(4);
    expect(warnings.filter((text) => text.includes('could not connect'))).toHaveLength(4);
    expect(report.latencyMs).toEqual({ p50: null, p99: null });
  });

  it('gives an engine its turn that code of another host has woken', async () => {
    const world = new World({ seed: 7 });
    const engines = ['a', 'b'].map((name) => openEngine(world, world.host(name), () => {}));
    let woken = -1;
    world.start(world.hostNamed('a')!, 0, async () => {
      await engines[1]!.sleep(5_000); // on b's clock and runtime, from a's code
      woken = world.now;
    });
    await world.run({ untilMicros: 1_000_000 });
    expect(woken).toBeGreaterThanOrEqual(5_000);
    expect(woken).toBeLessThan(6_000);
  });

  it("ends with the game's error", async () => {
    const broken = (act: () => unknown): SimulatedGame => ({ client: act });
    const rejecting = () => Promise.reject(new Error('a bug in the game'));
    await expect(echo({ game: broken(rejecting) })).rejects.toThrow('a bug in the game');
  });

  it('gives a game whose client only sleeps and draws the same chance each time', async () => {
    const draws: number[][] = [];
    for (const _ of [1, 2]) {
      const drawn: number[] = [];
      draws.push(drawn);
      const client: SimulatedGame['client'] = async (host) => {
        for (let i = 0; i < 3; i++) {
          await host.sleep(1_000);
          drawn.push(host.random(), host.now());
        }
      };
      await echo({ game: { client }, clients: 2 });
    }
    expect(draws[0]).toHaveLength(12);
    expect(draws[1]).toEqual(draws[0]);
  });
});

function echo(options: Partial<Scenario>): Promise<ScenarioReport> {
  return runScenario({ name: 'echo', game: echoGame, clients: 4, link: LINK, seconds: 10, seed: 7, ...options });
}
