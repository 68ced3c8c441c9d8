/**
 * Transfers from a server to its clients through a bottleneck, in virtual time and through the whole engine (`engine-world.ts`): goodput,
 * bytes on the wire, what a transfer adds to a real-time channel beside it, and how a line is shared. Seconds count from the
 * beginning of the (first) transfer, on a connection that knows nothing of its path but the round trip of its handshake.
 */

import type { AimdSource } from '../../sim/link/aimd-source.ts';
import type { Bottleneck } from '../../sim/link/bottleneck.ts';
import type { DirectionOptions } from '../../sim/link/direction-options.ts';
import type { SimHost } from '../../sim/world/host.ts';
import { World } from '../../sim/world/world.ts';
import type { Micros } from '../../sys/api.ts';
import { jain } from '../transport/congestion/figures.ts';
import { BEGIN_MICROS, type BenchConnection, openEngineWorld } from './engine-world.ts';

const SECOND_MICROS = 1_000_000;
const TICK_MICROS = 16_667;
const ONE_WAY_MICROS = 25_000;
const MEGABIT = 1_000_000;
const BLOCK_BYTES = 65_536;
const AIM_BYTES = 32;
/** What the receiver holds: two of the largest messages, or the flight of a fast path with losses many times over. */
const WINDOW_BYTES = 64 << 20;
/** The start-up of a transfer, whose queue is looked at on its own. */
const START_UP_MICROS = 3 * SECOND_MICROS;
/** So long the real-time channel is alone on the link that shows its delay there. */
const EMPTY_SECONDS = 3;
/** How far apart two flows begin. */
const APART_SECONDS = 5;
/** Flows that begin in step starve each other in step: the seed moves each beginning by up to so much. */
const BEGINNING_MICROS_MAX = 250_000;

export interface TransferResult {
  /** Payload of messages that arrived in the window, in MB a second. */
  readonly megabytesPerSecond: number;
  /** Wire bytes (UDP payload) of the sender for each byte that arrived, in the window. */
  readonly wirePerByte: number;
  /** Share of the link's bytes that were used in the window. */
  readonly use: number;
  /** Delays of a real-time channel beside it, from 3 s on, in microseconds, sorted; the longest before. */
  readonly delays: Float64Array;
  readonly startUpMicros: number;
}

export interface TransferOptions {
  readonly seed: number;
  readonly megabits: number;
  readonly bufferMicros: Micros;
  readonly loss: number;
  /** Bytes of messages that wait to be sent, at most. */
  readonly backlogBytesMax: number;
  readonly fromSecond: number;
  readonly toSecond: number;
  /** Whether 32 bytes at 60 Hz go beside it. */
  readonly realTime: boolean;
  /** Default true. */
  readonly bulk?: boolean;
}

/** Messages of 64 KiB without end from the server to a client, 25 ms each way, through a queue with tail drop. */
export async function transfer(options: TransferOptions): Promise<TransferResult> {
  const { seed, megabits, bufferMicros, loss, realTime, backlogBytesMax } = options;
  const world = new World({ seed });
  const down: DirectionOptions = {
    latencyMicros: ONE_WAY_MICROS,
    rateBitsPerSecond: megabits * MEGABIT,
    queueBytes: bufferOf(megabits, bufferMicros),
    loss,
  };
  const { serverHost, connections } = await openEngineWorld(world, {
    links: [{ up: { latencyMicros: ONE_WAY_MICROS }, down }],
    tickRateHz: 0,
    memory: { backlogBytesMax, windowBytes: WINDOW_BYTES },
  });
  const connection = connections[0]!;
  const aim = new AimChannel(world);
  const sink = new MapSink(connection, aim);
  if (options.bulk ?? true) feed(serverHost, connection, BEGIN_MICROS);
  if (realTime) aim.begin(serverHost, connection);
  const { queue, stats } = world.direction(serverHost, connection.host);
  await world.run({ untilMicros: at(options.fromSecond) });
  const bytesBefore = sink.bytes;
  const wireBefore = stats.sentBytes;
  const lineBefore = queue!.stats.departedBytes;
  await world.run({ untilMicros: at(options.toSecond) });
  const seconds = options.toSecond - options.fromSecond;
  const bytes = sink.bytes - bytesBefore;
  return {
    megabytesPerSecond: bytes / seconds / 1e6,
    wirePerByte: (stats.sentBytes - wireBefore) / bytes,
    use: ((queue!.stats.departedBytes - lineBefore) * 8) / (seconds * megabits * MEGABIT),
    delays: Float64Array.from(aim.delays).sort(),
    startUpMicros: aim.startUpMicros,
  };
}

/** The greatest delay of the real-time channel while nothing is beside it. */
export async function emptyLinkMicros(options: TransferOptions): Promise<Micros> {
  const alone = { ...options, bulk: false, realTime: true, fromSecond: 0, toSecond: EMPTY_SECONDS };
  return (await transfer(alone)).startUpMicros;
}

export interface ShareOptions {
  readonly seed: number;
  readonly megabits: number;
  readonly bufferMicros: Micros;
  readonly fromSecond: number;
  readonly toSecond: number;
}

/** Jain's index of two transfers from one server to two clients over one line; the second begins 5 s after the first. */
export async function shareOfTwo(options: ShareOptions): Promise<number> {
  const world = new World({ seed: options.seed });
  const line = openLine(world, options);
  const { serverHost, connections } = await openEngineWorld(world, {
    links: [overLine(line), overLine(line)],
    tickRateHz: 0,
    memory: { windowBytes: WINDOW_BYTES },
  });
  const sinks = connections.map((connection, i) => {
    feed(serverHost, connection, beginning(world, i * APART_SECONDS));
    return new MapSink(connection, null);
  });
  await world.run({ untilMicros: at(options.fromSecond) });
  const before = sinks.map((sink) => sink.bytes);
  await world.run({ untilMicros: at(options.toSecond) });
  return jain(sinks.map((sink, i) => sink.bytes - before[i]!));
}

/** Who begins; the other follows 5 s later. */
export type First = 'we' | 'they';

/** Jain's index of a transfer of ours and a TCP-like source over one line. Seconds count from when both are there. */
export async function shareWithTcp(options: ShareOptions, first: First): Promise<number> {
  const world = new World({ seed: options.seed });
  const line = openLine(world, options);
  const { serverHost, connections } = await openEngineWorld(world, {
    links: [overLine(line)],
    tickRateHz: 0,
    memory: { windowBytes: WINDOW_BYTES },
  });
  const connection = connections[0]!;
  feed(serverHost, connection, beginning(world, first === 'we' ? 0 : APART_SECONDS));
  const sink = new MapSink(connection, null);
  const source: AimdSource = world.aimdSource('tcp', {
    over: { bottleneck: line },
    rttMicros: 2 * ONE_WAY_MICROS,
    startMicros: beginning(world, first === 'we' ? APART_SECONDS : 0),
  });
  await world.run({ untilMicros: at(options.fromSecond + APART_SECONDS) });
  const before = [sink.bytes, source.stats.goodputBytes];
  await world.run({ untilMicros: at(options.toSecond + APART_SECONDS) });
  return jain([sink.bytes - before[0]!, source.stats.goodputBytes - before[1]!]);
}

/** World time of a second of the transfer. */
function at(second: number): Micros {
  return BEGIN_MICROS + second * SECOND_MICROS;
}

function bufferOf(megabits: number, micros: Micros): number {
  return Math.round((megabits * micros) / 8);
}

function openLine(world: World, { megabits, bufferMicros }: ShareOptions): Bottleneck {
  return world.bottleneck('line', {
    rateBitsPerSecond: megabits * MEGABIT,
    queueBytes: bufferOf(megabits, bufferMicros),
  });
}

function overLine(line: Bottleneck): { up: DirectionOptions; down: DirectionOptions } {
  return { up: { latencyMicros: ONE_WAY_MICROS }, down: { latencyMicros: ONE_WAY_MICROS, bottleneck: line } };
}

function beginning(world: World, second: number): Micros {
  return at(second) + world.streams.stream(`bench/beginning/${second}`).below(BEGINNING_MICROS_MAX);
}

/** Lets the server send blocks to a client, as many as are taken, from world time `begin` on. */
function feed(serverHost: SimHost, { peer }: BenchConnection, begin: Micros): void {
  const block = new Uint8Array(BLOCK_BYTES);
  const fill = (): void => {
    while (peer.send('map', block) === 'queued');
  };
  peer.on('writable', fill);
  serverHost.at(begin, fill);
}

/** Counts what arrives of transfers at a client, and passes on what is real time. */
class MapSink {
  bytes = 0;

  constructor({ client }: BenchConnection, aim: AimChannel | null) {
    client.on('message', (channel, message) => {
      if (channel === 'map') this.bytes += message.length;
      else aim!.hear(message);
    });
  }
}

/** 32 bytes at 60 Hz on an unreliable channel, and how long they were on their way. */
class AimChannel {
  readonly delays: Micros[] = [];
  startUpMicros: Micros = 0;
  readonly #world: World;
  readonly #message: Uint8Array = new Uint8Array(AIM_BYTES);
  readonly #view: DataView = new DataView(this.#message.buffer);

  constructor(world: World) {
    this.#world = world;
  }

  begin(serverHost: SimHost, { peer }: BenchConnection): void {
    const tick = (): void => {
      this.#view.setFloat64(0, this.#world.now, true);
      peer.send('aim', this.#message);
      serverHost.at(this.#world.now + TICK_MICROS, tick);
    };
    serverHost.at(BEGIN_MICROS, tick);
  }

  hear(message: { f64(): number }): void {
    const micros = this.#world.now - message.f64();
    if (this.#world.now >= BEGIN_MICROS + START_UP_MICROS) this.delays.push(micros);
    else this.startUpMicros = Math.max(this.startUpMicros, micros);
  }
}
