// The simulator with the whole engine in it: thin games of 1, 100 and 1,000 clients, the swarm, and a sweep, as users run them.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runSwarm } from '../../sim/swarm/swarm.ts';
import { BenchChild } from './bench-child.ts';
import { type Figure, figure } from './report.ts';
import type { PlayedWorld } from './sim-child.ts';

const CLI = fileURLToPath(new URL('../../sim/cli/main.js', import.meta.url));
const CORE = 1;
/** Clients, virtual seconds, and how many of these a second of a core must hold. */
const WORLDS = [
  { clients: 1, seconds: 600, must: 2_000 },
  { clients: 100, seconds: 20, must: 20 },
  { clients: 1_000, seconds: 4, must: 2 },
] as const;
/** Memory is what a client more costs, between these. */
const FEW_CLIENTS = 100;
const MANY_CLIENTS = 1_000;
const SWARM_SEEDS = 4;
const SWARM_CLIENTS = 8;
/** The network heals at a time drawn up to this, so after 30 s in the mean. */
const SWARM_SECONDS_MAX = 60;
/** A game's 60 packets up and 30 down a second are so many in 30 s; what the swarm draws are three to five times as many, and larger. */
const SWARM_RUNS_PER_HOUR = 15_000;
const SWARM_GAME_PACKETS = SWARM_CLIENTS * 30 * (60 + 30);
const SWEEP = ['sweep', '--grid', 'loss=0,1,2,5,10,15,20', '--grid', 'latency=20,60,120,250', '--repeat', '20'];
const SWEEP_RUNS = 7 * 4 * 20;

/** @param runs samples of each world; the swarm and the sweep take minutes and are played once */
export async function worldFigures(runs: number): Promise<Figure[]> {
  const played = new Map<number, PlayedWorld[]>(WORLDS.map(({ clients }) => [clients, []]));
  for (let i = 0; i < runs; i++) {
    for (const { clients, seconds } of WORLDS) played.get(clients)!.push(await play(clients, seconds));
  }
  const of = (clients: number, pick: (one: PlayedWorld) => number) => played.get(clients)!.map(pick);
  const few = of(FEW_CLIENTS, ({ bytes }) => bytes);
  const swarm = await swarmSpeed();
  return [
    ...WORLDS.map(({ clients, must }) =>
      figure(
        `virtual seconds a second of a core, ${clients} clients, 60 Hz up, 30 Hz down`,
        'x',
        of(clients, (one) => one.virtualSeconds / one.cpuSeconds),
        { op: '>=', value: must },
      ),
    ),
    figure(
      'packets a second through the whole transport, 100 clients',
      'k/s',
      of(FEW_CLIENTS, (one) => one.packets / one.cpuSeconds / 1_000),
      { op: '>=', value: 200 },
    ),
    figure(
      'memory a simulated client, both ends',
      'bytes',
      of(MANY_CLIENTS, ({ bytes }) => bytes).map((many, i) => (many - few[i]!) / (MANY_CLIENTS - FEW_CLIENTS)),
      { op: '<=', value: 20_480 },
    ),
    figure('swarm runs an hour and core, 8 clients, 30 virtual seconds, as drawn', 'runs', swarm.runsPerHour, {
      op: '>=',
      value: SWARM_RUNS_PER_HOUR,
    }),
    figure('swarm packets a second of a core, 8 clients, invariants on', 'k/s', swarm.packetsPerSecond, {
      op: '>=',
      value: (SWARM_RUNS_PER_HOUR * SWARM_GAME_PACKETS) / 3_600 / 1_000,
    }),
    figure('sweep of 7 x 4 cells x 20 runs of 30 s, one client, all cores', 's', [sweepSeconds()], {
      op: '<=',
      value: 30,
    }),
  ];
}

async function play(clients: number, seconds: number): Promise<PlayedWorld> {
  const child = BenchChild.node('./sim-child.js', [`${clients}`, `${seconds}`], CORE);
  try {
    return await child.report<PlayedWorld>();
  } finally {
    await child.stop();
  }
}

interface SwarmSpeed {
  readonly runsPerHour: readonly number[];
  /** In thousands. */
  readonly packetsPerSecond: readonly number[];
}

async function swarmSpeed(): Promise<SwarmSpeed> {
  const runsPerHour: number[] = [];
  const packetsPerSecond: number[] = [];
  // The first run compiles what is measured: a campaign has thousands.
  for (let seed = 0; seed <= SWARM_SEEDS; seed++) {
    const start = process.cpuUsage();
    const { complaints, virtualMicros, packets } = await runSwarm({
      seed: `bench/${seed}`,
      secondsMax: SWARM_SECONDS_MAX,
      clients: SWARM_CLIENTS,
    });
    if (complaints.length > 0) throw new Error(`swarm, seed bench/${seed}: ${complaints[0]}`);
    const { user, system } = process.cpuUsage(start);
    const seconds = (user + system) / 1e6;
    if (seed === 0) continue;
    // As if it had been 30 s: what is drawn lasts longer or shorter.
    runsPerHour.push((3_600 / seconds) * (virtualMicros / 30_000_000));
    packetsPerSecond.push(packets / seconds / 1_000);
  }
  return { runsPerHour, packetsPerSecond };
}

function sweepSeconds(): number {
  const folder = mkdtempSync(join(tmpdir(), 'tickwire-bench-'));
  try {
    const out = join(folder, 'runs.ndjson');
    const args = [CLI, ...SWEEP, '--clients', '1', '--seconds', '30', '--out', out];
    const start = process.hrtime.bigint();
    const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
    const seconds = Number(process.hrtime.bigint() - start) / 1e9;
    if (status !== 0) throw new Error(`the sweep failed: ${stderr}`);
    const records = readFileSync(out, 'utf8').trimEnd().split('\n').length;
    if (records !== SWEEP_RUNS) throw new Error(`the sweep wrote ${records} records, not ${SWEEP_RUNS}`);
    return seconds;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
