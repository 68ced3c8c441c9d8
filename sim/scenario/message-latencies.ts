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
import { SentMessages, type StreamTally } from './sent-messages.ts';

/** Who sent it. */
export type Side = 'server' | 'clients';

/** What became of the messages of one channel in one direction, all clients together. */
export interface ChannelReport {
  readonly channel: string;
  readonly kind: string;
  readonly from: Side;
  /** Taken by `send`, `broadcast` or `request`. */
  readonly queued: number;
  /** Handed out at the other side. Those under way when the run ended are not among them. */
  readonly arrived: number;
  /** Of those that arrived, the ones of which it could not be told when they were sent. */
  readonly untimed: number;
  /** Bytes of messages that arrived, without headers and resends, a second of the whole run. */
  readonly goodputBytesPerSecond: number;
  /**
   * Share of messages that came later than the run's deadline after `send`, or never. What was sent less than a deadline
   * before the run ended is left out, and so is what was not timed; null when nothing is left.
   */
  readonly deadlineMissShare: number | null;
  /**
   * The same for a deadline of one tick of the sender after the channel's median: what a receiver goes without that is set
   * to the usual delay and buffers one tick more. Null for kinds that are not sent each tick, and for senders without ticks.
   */
  readonly tickMissShare: number | null;
  /** From `send` to the listener; null when nothing was timed. */
  readonly latencyMs: {
    readonly mean: number | null;
    readonly p50: number | null;
    readonly p95: number | null;
    readonly p99: number | null;
    readonly p999: number | null;
    /** At each of `LATENCY_SHARES`: the distribution for a chart. Null when nothing was timed. */
    readonly quantiles: readonly number[] | null;
  };
}

/** What the reports need to know of the run besides the messages. */
export interface RunFacts {
  /** Interval of the ticks of each side; null when it has none. Default: none. */
  readonly tickMicros?: Readonly<Record<Side, Micros | null>>;
}

/** What has arrived so far from one side, all channels and clients together; who samples it takes the worst away. */
export interface Flow {
  bytes: number;
  timed: number;
  /** Of those timed: later than the deadline. */
  late: number;
  /** Longest time under way since somebody set this to 0. */
  worstMicros: Micros;
}

/**
 * Shares of messages for which the report says how long they took at most: each percent, then each tenth of one above 99,
 * each hundredth above 99.9, and the slowest.
 */
export const LATENCY_SHARES: readonly number[] = [
  ...Array.from({ length: 99 }, (_, i) => i / 100),
  ...Array.from({ length: 9 }, (_, i) => (990 + i) / 1_000),
  ...Array.from({ length: 10 }, (_, i) => (9_990 + i) / 10_000),
  1,
];

/** Later is too late: the tenth of a second beyond which people notice that a thing does not happen at once (Miller 1968). */
export const DEADLINE_MICROS: Micros = 100_000;
/** Kinds of which a game sends one each tick, and a later one makes up for one that is late. */
const EACH_TICK: readonly string[] = ['tickInput', 'unreliable', 'unreliableSequenced'];

/** Kinds that deliver (nearly) every message: of several with the same bytes the oldest is meant. */
const IN_TURN: readonly string[] = ['reliableOrdered', 'reliableUnordered', 'tickInput', 'requests'];
/**
 * Kinds that never go back: what is older than a message that came will not come. Else an input that was lost would be
 * found again seconds later, when the player does the same once more.
 */
const NEVER_BACK: readonly string[] = ['reliableOrdered', 'tickInput', 'unreliableSequenced', 'reliableSequenced'];
/**
 * So much longer than the longest time under way a stream remembers what has come: the report asks for what was sent up to a tick
 * longer ago than the median, and the slowest games have two ticks a second.
 */
const LOOK_BACK_MICROS: Micros = 500_000;
/** Latencies are exact below 8 ms and within 1/4,096 above. */
const LATENCY_SUB_BITS = 12;

/** The messages of all hosts of a run. */
export class MessageLatencies {
  readonly #now: () => Micros;
  /** By the client's id: one connection each, seen from both ends. */
  readonly #connections: Map<bigint, ConnectionMessages> = new Map();
  /** By direction and name. */
  readonly #tallies: Map<string, Tally> = new Map();
  readonly deadlineMicros: Micros;
  readonly flows: Readonly<Record<Side, Flow>> = { server: newFlow(), clients: newFlow() };

  constructor(now: () => Micros, deadlineMicros: Micros = DEADLINE_MICROS) {
    this.#now = now;
    this.deadlineMicros = deadlineMicros;
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
          .arrived(hashOf(bytes, offset, length), length, this.#now()),
    };
  }

  /** The tap of a client that the server knows by this id. */
  client(clientId: bigint): MessageTap {
    const own = this.#of(clientId);
    return {
      queued: (_, channel, bytes, offset, length) =>
        own.stream('clients', channel).queued(hashOf(bytes, offset, length), this.#now()),
      arrived: (_, channel, bytes, offset, length) =>
        own.stream('server', channel).arrived(hashOf(bytes, offset, length), length, this.#now()),
    };
  }

  /** This client has another connection: what is still under way over the one before never comes. */
  forget(clientId: bigint): void {
    this.#connections.get(clientId)?.forget();
  }

  /** By direction and name of the channel. */
  report(facts: RunFacts = {}): ChannelReport[] {
    const end = this.#now();
    return [...this.#tallies.keys()].sort().map((key) => this.#tallies.get(key)!.report(end, facts));
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
    const made = new Tally(from, channel, this.deadlineMicros, this.flows[from]);
    this.#tallies.set(name, made);
    return made;
  }
}

/** The streams of one connection: by direction, and by name of the channel. */
class ConnectionMessages {
  readonly #tallyOf: (from: Side, channel: TappedChannel) => Tally;
  readonly #streams: Readonly<Record<Side, Map<string, SentMessages>>> = { server: new Map(), clients: new Map() };

  constructor(tallyOf: (from: Side, channel: TappedChannel) => Tally) {
    this.#tallyOf = tallyOf;
  }

  stream(from: Side, channel: TappedChannel): SentMessages {
    const streams = this.#streams[from];
    const known = streams.get(channel.name);
    if (known !== undefined) return known;
    const tally = this.#tallyOf(from, channel);
    const made = new SentMessages(tally);
    tally.streams.push(made);
    streams.set(channel.name, made);
    return made;
  }

  forget(): void {
    for (const streams of Object.values(this.#streams)) for (const stream of streams.values()) stream.forget();
  }
}

/** One channel in one direction. */
class Tally implements StreamTally {
  queued = 0;
  arrived = 0;
  arrivedBytes = 0;
  readonly latencies: LatencyHistogram = new LatencyHistogram(LATENCY_SUB_BITS);
  /** Of equal messages the oldest arrives first. */
  readonly inTurn: boolean;
  readonly neverBack: boolean;
  lookBackMicros: Micros;
  /** One a connection. */
  readonly streams: SentMessages[] = [];
  readonly #from: Side;
  readonly #channel: TappedChannel;
  readonly #deadlineMicros: Micros;
  readonly #flow: Flow;

  constructor(from: Side, channel: TappedChannel, deadlineMicros: Micros, flow: Flow) {
    this.#from = from;
    this.#channel = channel;
    this.#deadlineMicros = deadlineMicros;
    this.#flow = flow;
    this.lookBackMicros = Math.max(deadlineMicros, LOOK_BACK_MICROS);
    this.inTurn = IN_TURN.includes(channel.kind);
    this.neverBack = NEVER_BACK.includes(channel.kind);
  }

  countArrival(lengthBytes: number): void {
    this.arrived++;
    this.arrivedBytes += lengthBytes;
    this.#flow.bytes += lengthBytes;
  }

  time(micros: Micros): void {
    this.latencies.add(micros);
    if (micros + LOOK_BACK_MICROS > this.lookBackMicros) this.lookBackMicros = micros + LOOK_BACK_MICROS;
    const flow = this.#flow;
    flow.timed++;
    if (micros > this.#deadlineMicros) flow.late++;
    if (micros > flow.worstMicros) flow.worstMicros = micros;
  }

  report(end: Micros, { tickMicros }: RunFacts): ChannelReport {
    const { latencies } = this;
    const { name, kind } = this.#channel;
    const at = (share: number): number | null => millisOf(latencies.quantile(share));
    const tick = tickMicros?.[this.#from] ?? null;
    const usual = latencies.quantile(0.5);
    return {
      channel: name,
      kind,
      from: this.#from,
      queued: this.queued,
      arrived: this.arrived,
      untimed: this.arrived - latencies.count,
      goodputBytesPerSecond: end === 0 ? 0 : Math.round((this.arrivedBytes * 1_000_000) / end),
      deadlineMissShare: this.#missShare(this.#deadlineMicros, end),
      tickMissShare:
        tick === null || usual === null || !EACH_TICK.includes(kind) ? null : this.#missShare(usual + tick, end),
      latencyMs: {
        mean: millisOf(latencies.meanMicros),
        p50: at(0.5),
        p95: at(0.95),
        p99: at(0.99),
        p999: at(0.999),
        quantiles: latencies.quantiles(LATENCY_SHARES)?.map((micros) => millisOf(micros)!) ?? null,
      },
    };
  }

  /** Share of the messages sent up to `end - limit` that took longer than `limit`, or did not come. */
  #missShare(limit: Micros, end: Micros): number | null {
    let [sentLately, cameAtOnce] = [0, 0];
    for (const stream of this.streams) {
      sentLately += stream.sentAfter(end - limit, false);
      cameAtOnce += stream.sentAfter(end - limit, true);
    }
    const due = this.queued - (this.arrived - this.latencies.count) - sentLately;
    const inTime = this.latencies.countUpTo(limit) - cameAtOnce;
    return due <= 0 ? null : Math.max(0, Math.round((1 - inTime / due) * 1e6) / 1e6);
  }
}

function newFlow(): Flow {
  return { bytes: 0, timed: 0, late: 0, worstMicros: 0 };
}

/** FNV-1a over the bytes, and the length: 32 bits are enough to tell a thousand apart. */
function hashOf(bytes: Uint8Array, offset: number, length: number): number {
  let hash = 0x811c_9dc5 ^ length;
  for (let i = 0; i < length; i++) hash = Math.imul(hash ^ bytes[offset + i]!, 0x0100_0193);
  return hash;
}
