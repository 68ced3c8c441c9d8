/**
 * Latency under loss and a transfer through a bottleneck, in virtual time and through the whole engine (`engine-world.ts`): what a
 * message's latency, its bytes, and a transfer's goodput come to. Latency is from `send` on one side to the event `message` on the
 * other. A run is a function of its seed and of the code; the machine does not matter.
 */

import type { DirectionOptions } from '../../sim/link/direction-options.ts';
import { World } from '../../sim/world/world.ts';
import type { Micros } from '../../sys/api.ts';
import { BEGIN_MICROS, DIAL_MICROS, type EngineWorld, openEngineWorld } from './engine-world.ts';

const SECOND_MICROS = 1_000_000;
const TICK_MICROS = 16_667;
const ONE_WAY_MICROS = 25_000;
const MESSAGE_BYTES = 32;
/** Messages sent before this are not counted: a connection that begins knows nothing of its path. */
const WARM_UP_MICROS = 2 * SECOND_MICROS;
/** After the last message was sent, all have arrived by then. */
const TAIL_MICROS = 3 * SECOND_MICROS;

export interface LatencyResult {
  /** One-way latencies in microseconds, sorted. */
  readonly latencies: Float64Array;
  /** Messages delivered, and the UDP payload bytes of both directions that it took. */
  readonly messages: number;
  readonly wireBytes: number;
}

/** Sends a message; throws when the connection does not take it. */
type Say = (message: Uint8Array) => void;

/** One direction of the messages: what is said at 60 Hz, and what is heard of it. */
class Stream {
  heard = 0;
  #said = 0;
  #found = 0;
  readonly #world: World;
  readonly #latencies: Float64Array;
  readonly #message: Uint8Array = new Uint8Array(MESSAGE_BYTES);
  readonly #view: DataView = new DataView(this.#message.buffer);

  constructor(world: World, seconds: number) {
    this.#world = world;
    this.#latencies = new Float64Array(Math.ceil((seconds * SECOND_MICROS) / TICK_MICROS) + 2);
  }

  get latencies(): Float64Array {
    return this.#latencies.subarray(0, this.#found);
  }

  get isComplete(): boolean {
    return this.heard === this.#said;
  }

  say(say: Say): void {
    this.#view.setUint32(0, this.#said++, true);
    this.#view.setFloat64(8, this.#world.now, true);
    say(this.#message);
  }

  hear(message: { u32(): number; f64(): number }): void {
    const number = message.u32();
    message.u32();
    const sentAt = message.f64();
    if (number !== this.heard++) throw new Error('out of order');
    if (sentAt >= BEGIN_MICROS + WARM_UP_MICROS) this.#latencies[this.#found++] = this.#world.now - sentAt;
  }
}

export interface LatencyOptions {
  readonly seed: number;
  readonly loss: number;
  /** Mean length of bursts of loss; 1: each on its own. */
  readonly burst: number;
  readonly seconds: number;
  /** 0: messages are sent between ticks that there are not, and leave at once. Else in the tick of each side. */
  readonly tickRateHz: number;
}

/** 32 bytes at 60 Hz on a reliable ordered channel, both ways, 25 ms each way. */
export async function latencies(options: LatencyOptions): Promise<LatencyResult> {
  const { seed, loss, burst, seconds, tickRateHz } = options;
  const world = new World({ seed });
  const link: DirectionOptions = {
    latencyMicros: ONE_WAY_MICROS,
    loss: burst <= 1 ? loss : { model: 'gilbert-elliott', loss, meanBurstPackets: burst },
  };
  const dialMicros = DIAL_MICROS + shareOfTick(seed * 2);
  const engine = await openEngineWorld(world, { links: [{ up: link, down: link }], tickRateHz, dialMicros });
  const { serverHost, server, connections } = engine;
  const { host, client, peer } = connections[0]!;
  const up = new Stream(world, seconds);
  const down = new Stream(world, seconds);
  server.on('message', (_peer, _channel, message) => up.hear(message));
  client.on('message', (_channel, message) => down.hear(message));
  const sayUp: Say = (message) => queued(client.send('story', message));
  const sayDown: Say = (message) => queued(peer.send('story', message));
  const until = BEGIN_MICROS + seconds * SECOND_MICROS;
  const bytesBefore = wireBytes(world, engine);
  if (tickRateHz > 0) {
    client.on('tick', () => void (world.now < until && up.say(sayUp)));
    server.on('tick', () => void (world.now < until && down.say(sayDown)));
  } else {
    const every = (at: Micros, from: typeof host, act: () => void): void => {
      const tick = (): void => {
        act();
        if (world.now + TICK_MICROS < until) from.at(world.now + TICK_MICROS, tick);
      };
      from.at(at, tick);
    };
    // The two sides are out of step by a share of a tick that the seed decides.
    every(BEGIN_MICROS + shareOfTick(seed * 2), host, () => up.say(sayUp));
    every(BEGIN_MICROS + shareOfTick(seed * 2 + 1), serverHost, () => down.say(sayDown));
  }
  await world.run({ untilMicros: until + TAIL_MICROS });
  if (!up.isComplete || !down.isComplete) throw new Error(`seed ${seed}: messages are missing`);
  const all = new Float64Array(up.latencies.length + down.latencies.length);
  all.set(up.latencies);
  all.set(down.latencies, up.latencies.length);
  return {
    latencies: all.sort(),
    messages: up.heard + down.heard,
    wireBytes: wireBytes(world, engine) - bytesBefore,
  };
}

/** The value below which `share` of the sorted values lie. */
export function quantile(sorted: Float64Array, share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!;
}

function shareOfTick(number: number): Micros {
  return (number * 5003) % TICK_MICROS;
}

function queued(answer: string): void {
  if (answer !== 'queued') throw new Error(`a message was not taken: ${answer}`);
}

/** UDP payload of both directions so far. */
function wireBytes(world: World, { serverHost, connections }: EngineWorld): number {
  let bytes = 0;
  for (const { host } of connections) {
    bytes += world.direction(host, serverHost).stats.sentBytes + world.direction(serverHost, host).stats.sentBytes;
  }
  return bytes;
}
