/**
 * What a connected client that says nothing costs a server: the memory of a server with 2,500 of them less that of one with 500,
 * over real sockets, with the clients in a process of their own. Both servers have compiled the same code, which lies in the heap
 * too. `maxClients` is as many as are there, so tables that are made
 * for clients to come count in full.
 */

import { BenchChild } from './bench-child.ts';
import type { MemoryFigures } from './memory-workload.ts';
import { type BenchOptions, type BenchReport, type Figure, figure, machine } from './report.ts';

const FEW_CLIENTS = 500;
const CLIENTS = 2500;
const CHANNEL_COUNTS = [4, 8] as const;
/** Memory does not depend on what else the machine does: three runs show what V8 makes of it. */
const RUNS = 3;
const SERVER_CORE = 0;
const LOAD_CORE = 1;

/** 6 KB: ten thousand clients fit into 64 MB. */
const MUST = { op: '<=', value: 6144 } as const;

export async function run(options: BenchOptions): Promise<BenchReport> {
  const runs = Math.min(options.runs ?? RUNS, RUNS);
  const figures: Figure[] = [];
  for (const channels of CHANNEL_COUNTS) {
    const found: MemoryFigures[] = [];
    for (let i = 0; i < runs; i++) found.push(await perConnection(channels));
    const of = (pick: (one: MemoryFigures) => number) => found.map(pick);
    const name = `${channels} channels`;
    figures.push(
      figure(
        `${name}: heap and arrays`,
        'bytes',
        of((one) => one.heap + one.arrays),
        MUST,
      ),
      figure(
        `${name}: contents of typed arrays`,
        'bytes',
        of((one) => one.arrays),
      ),
      figure(
        `${name}: objects of the heap`,
        'bytes',
        of((one) => one.heap),
      ),
      figure(
        `${name}: resident set`,
        'bytes',
        of((one) => one.rss),
      ),
    );
  }
  return {
    bench: 'memory',
    machine: machine(),
    figures,
    notes: [
      `bytes a connection, from servers with ${FEW_CLIENTS} and ${CLIENTS} idle clients`,
      'keys of the AEAD (128 bytes) and messages that wait lie in native memory: in the resident set only',
    ],
  };
}

/** What one connection more costs. */
async function perConnection(channels: number): Promise<MemoryFigures> {
  const few = await memoryOf(channels, FEW_CLIENTS);
  const many = await memoryOf(channels, CLIENTS);
  const each = (pick: (one: MemoryFigures) => number) => (pick(many) - pick(few)) / (CLIENTS - FEW_CLIENTS);
  return { heap: each((one) => one.heap), arrays: each((one) => one.arrays), rss: each((one) => one.rss) };
}

/** The memory of a server with so many clients, all connected and at rest. */
async function memoryOf(channels: number, clients: number): Promise<MemoryFigures> {
  const server = BenchChild.node('./memory-server.js', [`${channels}`, `${clients}`], SERVER_CORE);
  let load: BenchChild | null = null;
  try {
    const { port } = await server.report<{ port: number }>();
    load = BenchChild.node('./memory-load.js', [`${channels}`, `${port}`, `${clients}`], LOAD_CORE);
    return await Promise.race([server.report<MemoryFigures>(), load.failure()]);
  } finally {
    await server.stop();
    await load?.stop();
  }
}
