/**
 * How long each message of a game was under way, by channel and direction, without the game's help.
 *
 * A message is known again by its bytes: the sender's tap notes a hash and the time, the receiver's tap looks for it among
 * the last ones of that connection, channel and direction. Where several of the same bytes are under way, a reliable channel
 * delivers each of them, and the oldest is meant; on the others it cannot be told which one arrived, and
 * such an arrival is counted but not timed.
 */

import type { MessageTap, TappedChannel } from '../../engine/message-tap.ts';
import type { Micros } from '../../sys/api.ts';
import { LatencyHistogram, millisOf } from '../world/latency-histogram.ts';

/** Who sent it. */
export type Side = 'server' | 'clients';

/** What became of the messages of one channel in one direction, all clients together. */
export interface ChannelReport {
  readonly channel: string;
  readonly kind: string;
  readonly from: Side;
  /** Taken by `send`, `broadcast` or `request`. */
  readonly queued: number;
  /** Handed out at the other side. Those under way when the run ended are in neither. */
  readonly arrived: number;
  /** From `send` to the listener; null when nothing was timed. */
  readonly latencyMs: {
    readonly mean: number | null;
    readonly p50: number | null;
    readonly p95: number | null;
    readonly p99: number | null;
    readonly p999: number | null;
  };
}

/** Kinds that deliver every message: of several with the same bytes, one counts as well as another, so the oldest. */
const IN_TURN: readonly string[] = ['reliableOrdered', 'reliableUnordered', 'tickInput', 'requests'];
/** The last messages of one stream that may still arrive; what is older has been lost, or counts as that. */
const RECENT = 1_024;
/** And so is what may be lost and has not come by then. */
const LOST_AFTER_MICROS: Micros = 5_000_000;
/** Latencies are exact below 8 ms and within 1/4,096 above. */
const LATENCY_SUB_BITS = 12;

/** The messages of all hosts of a run. */
export class MessageLatencies {
  readonly #now: () => Micros;
  /** By the client's id: one connection each, seen from both ends. */
  readonly #connections: Map<bigint, ConnectionMessages> = new Map();
  /** By direction and name. */
  readonly #tallies: Map<string, Tally> = new Map();

  constructor(now: () => Micros) {
    this.#now = now;
  }

  /** The tap of the server. */
  server(): MessageTap {
    return {
      queued: (clientId, channel, bytes, offset, length) =>
        this.#of(clientId!)
          .stream('server', channel)
          .queued(hashOf(bytes, offset, length), this.#now()),
      arrived: (clientId, channel, bytes, offset, length) =>
        this.#of(clientId!)
          .stream('clients', channel)
          .arrived(hashOf(bytes, offset, length), this.#now()),
    };
  }

  /** The tap of a client that the server knows by this id. */
  client(clientId: bigint): MessageTap {
    const own = this.#of(clientId);
    return {
      queued: (_, channel, bytes, offset, length) =>
        own.stream('clients', channel).queued(hashOf(bytes, offset, length), this.#now()),
      arrived: (_, channel, bytes, offset, length) =>
        own.stream('server', channel).arrived(hashOf(bytes, offset, length), this.#now()),
    };
  }

  /** This client has another connection: what is still under way over the one before never comes. */
  forget(clientId: bigint): void {
    this.#connections.get(clientId)?.forget();
  }

  /** By direction and name of the channel. */
  report(): ChannelReport[] {
    return [...this.#tallies.keys()].sort().map((key) => this.#tallies.get(key)!.report());
  }

  #of(clientId: bigint): ConnectionMessages {
    const known = this.#connections.get(clientId);
    if (known !== undefined) return known;
    const made = new ConnectionMessages((from, channel) => this.#tally(from, channel));
    this.#connections.set(clientId, made);
    return made;
  }

  #tally(from: Side, channel: TappedChannel): Tally {
    const name = `${from}/${channel.name}`;
    const known = this.#tallies.get(name);
    if (known !== undefined) return known;
    const made = new Tally(from, channel);
    this.#tallies.set(name, made);
    return made;
  }
}

/** The streams of one connection: by direction, and by name of the channel. */
class ConnectionMessages {
  readonly #tallyOf: (from: Side, channel: TappedChannel) => Tally;
  readonly #streams: Readonly<Record<Side, Map<string, Stream>>> = { server: new Map(), clients: new Map() };

  constructor(tallyOf: (from: Side, channel: TappedChannel) => Tally) {
    this.#tallyOf = tallyOf;
  }

  stream(from: Side, channel: TappedChannel): Stream {
    const streams = this.#streams[from];
    const known = streams.get(channel.name);
    if (known !== undefined) return known;
    const made = new Stream(this.#tallyOf(from, channel));
    streams.set(channel.name, made);
    return made;
  }

  forget(): void {
    for (const streams of Object.values(this.#streams)) for (const stream of streams.values()) stream.forget();
  }
}

/** One channel in one direction. */
class Tally {
  queued = 0;
  arrived = 0;
  readonly latencies: LatencyHistogram = new LatencyHistogram(LATENCY_SUB_BITS);
  /** Of equal messages the oldest arrives first. */
  readonly inTurn: boolean;
  readonly #from: Side;
  readonly #channel: TappedChannel;

  constructor(from: Side, channel: TappedChannel) {
    this.#from = from;
    this.#channel = channel;
    this.inTurn = IN_TURN.includes(channel.kind);
  }

  report(): ChannelReport {
    const { latencies } = this;
    const at = (share: number): number | null => millisOf(latencies.quantile(share));
    return {
      channel: this.#channel.name,
      kind: this.#channel.kind,
      from: this.#from,
      queued: this.queued,
      arrived: this.arrived,
      latencyMs: {
        mean: millisOf(latencies.meanMicros),
        p50: at(0.5),
        p95: at(0.95),
        p99: at(0.99),
        p999: at(0.999),
      },
    };
  }
}

/** The last messages of a connection, a channel and a direction: a ring by number. */
class Stream {
  readonly #tally: Tally;
  readonly #hashes: Int32Array = new Int32Array(RECENT);
  readonly #times: Float64Array = new Float64Array(RECENT);
  /** 1: may still arrive. */
  readonly #open: Uint8Array = new Uint8Array(RECENT);
  #next = 0;
  /** The lowest number that may still arrive. */
  #oldest = 0;

  constructor(tally: Tally) {
    this.#tally = tally;
  }

  queued(hash: number, now: Micros): void {
    const slot = this.#next++ & (RECENT - 1);
    if (this.#next - this.#oldest > RECENT) this.#oldest++;
    if (!this.#tally.inTurn) this.#forgetBefore(now - LOST_AFTER_MICROS);
    this.#hashes[slot] = hash;
    this.#times[slot] = now;
    this.#open[slot] = 1;
    this.#tally.queued++;
  }

  arrived(hash: number, now: Micros): void {
    this.#tally.arrived++;
    let [found, count] = [-1, 0];
    for (let number = this.#oldest; number < this.#next; number++) {
      const slot = number & (RECENT - 1);
      if (this.#open[slot] === 0 || this.#hashes[slot] !== hash) continue;
      if (count++ === 0) found = slot;
      if (count === 2 || this.#tally.inTurn) break;
    }
    if (count !== 1) return; // unknown, or one of several
    this.#tally.latencies.add(now - this.#times[found]!);
    this.#open[found] = 0;
    while (this.#oldest < this.#next && this.#open[this.#oldest & (RECENT - 1)] === 0) this.#oldest++;
  }

  /** Nothing of what was sent so far will come. */
  forget(): void {
    this.#oldest = this.#next;
  }

  /** What was sent before `time` and has not come is lost: it is not looked at any more. */
  #forgetBefore(time: Micros): void {
    while (this.#oldest < this.#next && this.#times[this.#oldest & (RECENT - 1)]! < time) this.#oldest++;
  }
}

/** FNV-1a over the bytes, and the length: 32 bits are enough to tell a thousand apart. */
function hashOf(bytes: Uint8Array, offset: number, length: number): number {
  let hash = 0x811c_9dc5 ^ length;
  for (let i = 0; i < length; i++) hash = Math.imul(hash ^ bytes[offset + i]!, 0x0100_0193);
  return hash;
}
