/**
 * A game server's main work: 1,000 clients at 60 Hz over loopback, 40 bytes in and 400 bytes out for each at every tick.
 * What the server's process pays for a client-tick, over what a C program without any protocol pays (floor.c).
 *
 * Server and load have a core each; the load is the same for all. Compared are runs beside each other.
 */

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BenchChild, canPin, UNPINNED_NOTE } from './bench-child.ts';
import {
  alternate,
  type BenchOptions,
  type BenchReport,
  figure,
  type Must,
  machine,
  median,
  RUNS_DEFAULT,
} from './report.ts';
import { type LoadFigures, TICK_RATE_HZ, type TickFigures, type TickKind } from './tick-workload.ts';

const CLIENTS = 1000;
const SERVER_CORE = 0;
const LOAD_CORE = 1;
const WARM_UP_SECONDS = 6; // what V8 takes to compile a tick that comes 60 times a second
const WINDOW_SECONDS = 4;
/** Inputs and snapshots of a window that must arrive, as a share of all; the rest is the window's edge. */
const DELIVERED_MIN = 0.98;
/** The load must not be what is measured. */
const LOAD_BUSY_MAX = 0.95;

/** Runs tried for one that counts, on a machine that others use too. */
const ATTEMPTS_MAX = 4;

/** One run of one server. */
interface Run extends TickFigures {
  readonly load: LoadFigures;
  /** What went wrong in it; '' if nothing. */
  readonly disturbance: string;
}

export async function run(options: BenchOptions): Promise<BenchReport> {
  const folder = mkdtempSync(join(tmpdir(), 'tickwire-floor-'));
  try {
    const floor = join(folder, 'floor');
    const source = fileURLToPath(new URL('../../../test/bench/floor.c', import.meta.url));
    const built = spawnSync('gcc', ['-O2', '-o', floor, source], { encoding: 'utf8' });
    if (built.error !== undefined) return skipped('gcc is missing: install it to build the C floor');
    if (built.status !== 0) return skipped(`gcc could not build floor.c: ${built.stderr.split('\n', 1)[0]}`);
    return await compare(floor, options.runs ?? RUNS_DEFAULT);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function skipped(reason: string): BenchReport {
  return { bench: 'tick', machine: machine(), figures: [], skipped: reason };
}

async function compare(floor: string, runs: number): Promise<BenchReport> {
  const done: Record<TickKind, Run[]> = { floor: [], plain: [], encrypted: [] };
  const measure = (kind: TickKind) => async () => {
    const found = await runUndisturbed(kind, floor);
    done[kind].push(found);
    return found.cpuMicros / (found.ticks * CLIENTS);
  };
  const found = await alternate(runs, {
    floor: measure('floor'),
    plain: measure('plain'),
    encrypted: measure('encrypted'),
  });
  const us = 'us of server CPU';
  const late = (kind: TickKind) => done[kind].map((one) => one.latenessP99Micros);
  const most = (value: number): Must => ({ op: '<=', value });
  return {
    bench: 'tick',
    machine: machine(),
    figures: [
      figure('encrypted / floor, per client-tick', 'ratio', found.ratios('encrypted', 'floor'), most(1.55)),
      figure('plain / floor, per client-tick', 'ratio', found.ratios('plain', 'floor'), most(1.3)),
      figure('encrypted: client-tick', us, found.samples.encrypted),
      figure('plain: client-tick', us, found.samples.plain),
      figure('floor: client-tick', us, found.samples.floor),
      figure('encrypted: tick lateness p99', 'us', late('encrypted')),
      figure('plain: tick lateness p99', 'us', late('plain')),
      figure('floor: tick lateness p99', 'us', late('floor')),
    ],
    notes: [...loadNotes(done), ...disturbedNotes(done), ...(canPin() ? [] : [UNPINNED_NOTE])],
  };
}

function loadNotes(done: Readonly<Record<TickKind, readonly Run[]>>): string[] {
  const busy = (kind: TickKind) => `${kind} ${Math.round(median(done[kind].map((one) => one.load.busy)) * 100)} %`;
  return [`the load used of its core: ${busy('floor')}, ${busy('plain')}, ${busy('encrypted')}`];
}

function disturbedNotes(done: Readonly<Record<TickKind, readonly Run[]>>): string[] {
  const all = [...done.floor, ...done.plain, ...done.encrypted];
  const disturbed = all.filter((one) => one.disturbance !== '').length;
  return disturbed === 0 ? [] : [`${disturbed} of ${all.length} runs were disturbed by other work on this machine`];
}

/** One run in which everything arrived, or, where others keep the machine busy, the least disturbed of several. */
async function runUndisturbed(kind: TickKind, floor: string): Promise<Run> {
  let best: Run | null = null;
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    const one = await runOnce(kind, floor);
    if (one.disturbance === '') return one;
    process.stderr.write(`${kind}: disturbed: ${one.disturbance}\n`);
    if (best === null || one.inputs + one.snapshots > best.inputs + best.snapshots) best = one;
  }
  return best!;
}

/** Starts a server and its load, and gives what the server measured. */
async function runOnce(kind: TickKind, floor: string): Promise<Run> {
  const times = [
    `${CLIENTS}`,
    ...(kind === 'floor' ? [`${TICK_RATE_HZ}`] : []),
    `${WARM_UP_SECONDS}`,
    `${WINDOW_SECONDS}`,
  ];
  const server =
    kind === 'floor'
      ? new BenchChild('floor.c', floor, times, SERVER_CORE)
      : BenchChild.node('./tick-server.js', [kind, ...times], SERVER_CORE);
  let load: BenchChild | null = null;
  try {
    const { port } = await server.report<{ port: number }>();
    load = BenchChild.node('./tick-load.js', [kind, `${port}`, `${CLIENTS}`], LOAD_CORE);
    const found = await Promise.race([server.report<TickFigures>(), load.failure()]);
    const said = await load.stopAndRead<LoadFigures>();
    // The last line may be of a second in which the server was gone.
    const full = said.filter((line) => line.connected === CLIENTS).slice(-3, -1);
    const busy = median(full.map((line) => line.busy));
    const fared = { connected: CLIENTS, snapshots: median(full.map((line) => line.snapshots)), busy };
    return { ...found, load: fared, disturbance: disturbanceOf(found, fared) };
  } finally {
    await server.stop();
    await load?.stop();
  }
}

/** Why a run is no good measurement: something was lost, or the load could not keep up. */
function disturbanceOf(one: TickFigures, load: LoadFigures): string {
  const all = one.ticks * CLIENTS;
  const perSecond = TICK_RATE_HZ * CLIENTS;
  const problems = [
    [one.inputs / all < DELIVERED_MIN, `${one.inputs} of ${all} inputs arrived`],
    [one.snapshots / all < DELIVERED_MIN, `${one.snapshots} of ${all} snapshots were sent`],
    [load.snapshots / perSecond < DELIVERED_MIN, `${load.snapshots} of ${perSecond} snapshots a second arrived`],
    [load.busy > LOAD_BUSY_MAX, `the load used ${Math.round(load.busy * 100)} % of its core`],
  ] as const;
  return problems
    .filter(([bad]) => bad)
    .map(([, what]) => what)
    .join(', ');
}
