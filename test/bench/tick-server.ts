/**
 * A process of its own: a server of the engine that takes inputs and sends every client a snapshot at every tick. When all
 * clients are there it warms up, measures a window, reports and ends.
 *
 * Arguments: kind (`plain` or `encrypted`), clients, seconds of warm-up, seconds of the window, address (default 127.0.0.1).
 */

import { cpus } from 'node:os';
import { unreliable } from '../../engine/channels.ts';
import { openContext } from '../../engine/open.ts';
import { Server } from '../../engine/server.ts';
import { cpuMicros, report } from './bench-child.ts';
import {
  aeadFor,
  INPUT_BYTES,
  PRIVATE_KEY,
  SNAPSHOT_BYTES,
  TICK_RATE_HZ,
  type TickKind,
  TOKEN_LIFETIME_SECONDS,
} from './tick-workload.ts';

const [kindText, ...numbers] = process.argv.slice(2);
const [clients, warmUpSeconds, windowSeconds] = numbers.slice(0, 3).map(Number) as [number, number, number];
const host = numbers[3] ?? '127.0.0.1';
const kind = kindText as TickKind;
const warmUpTicks = warmUpSeconds * TICK_RATE_HZ;
const windowTicks = windowSeconds * TICK_RATE_HZ;

const real = openContext();
const { sys } = real;
const openAead = (slots: number, slotBytes: number) => aeadFor(kind, sys, slots, slotBytes);
const context = {
  ...real,
  sys: {
    clock: sys.clock,
    rng: sys.rng,
    capabilities: sys.capabilities,
    openAead,
    openPoller: () => sys.openPoller(),
    openUdp: sys.openUdp.bind(sys),
    close: () => sys.close(),
  },
};
const server = await Server.listen(
  {
    port: 0,
    host,
    privateKey: PRIVATE_KEY,
    maxClients: clients,
    tickRateHz: TICK_RATE_HZ,
    tokenLifetimeMaxSeconds: TOKEN_LIFETIME_SECONDS,
    channels: { input: unreliable(), snapshot: unreliable() },
  },
  context,
);

const snapshot = new Uint8Array(SNAPSHOT_BYTES);
const view = new DataView(snapshot.buffer);
const lateness = new Float64Array(windowTicks);
let completeTicks = 0; // since all clients were there
let inputs = 0;
let startInputs = 0;
let startSent = 0;
let startCpu = 0;
let startMachine = 0;

server.on('message', (_peer, _channel, message) => {
  if (message.length === INPUT_BYTES) inputs++;
});

server.on('tick', (tick) => {
  const { peers } = server;
  if (peers.length === clients) completeTicks++;
  const measured = completeTicks - 1 - warmUpTicks;
  if (measured === 0) {
    startInputs = inputs;
    startSent = server.socketStats.datagramsOut;
    startMachine = machineMicros();
    startCpu = cpuMicros();
  }
  if (measured === windowTicks) finish();
  view.setInt32(0, tick, true);
  for (let i = 0; i < peers.length; i++) {
    view.setInt32(4, i, true);
    peers[i]!.send('snapshot', snapshot);
  }
});

server.on('ticked', (_tick, _duration, late) => {
  const measured = completeTicks - 1 - warmUpTicks;
  if (measured >= 0 && measured < windowTicks) lateness[measured] = late;
});

/** CPU time of the whole machine, in microseconds: all that is not idle. */
function machineMicros(): number {
  return cpus().reduce((sum, { times }) => sum + (times.user + times.nice + times.sys + times.irq) * 1000, 0);
}

function finish(): void {
  const cpu = cpuMicros() - startCpu;
  lateness.sort();
  const snapshots = server.socketStats.datagramsOut - startSent;
  report({
    cpuMicros: cpu,
    machineMicros: machineMicros() - startMachine,
    ticks: windowTicks,
    inputs: inputs - startInputs,
    snapshots,
    unsent: windowTicks * clients - snapshots,
    latenessP99Micros: lateness[Math.floor(windowTicks * 0.99)]!,
  });
  process.exit(0);
}

report({ port: server.port, way: server.way.backend });
await context.runtime.run();
