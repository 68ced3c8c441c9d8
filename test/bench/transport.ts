/**
 * What the transport's own code costs a packet and a message, without sockets and ciphers: two ends of 1,000 connections over
 * a tape, served in turn, so that what a connection has is out of the nearest caches when its next packet comes. Times are
 * processor time; queueing and packing are `send`, frames, fates and delivery `receive`.
 */

import { ChannelSet, RELIABLE_ORDERED, UNRELIABLE } from '../../transport/channel/channel-set.ts';
import { heapBytesOfSlices } from '../sys/collect-garbage.ts';
import { ALL_KINDS } from '../transport/pair.ts';
import {
  type BenchOptions,
  type BenchReport,
  type Figure,
  figure,
  type Must,
  machine,
  RUNS_DEFAULT,
} from './report.ts';
import { broadcast, bulk, CONNECTIONS, each, mixed, nothing } from './transport-loads.ts';
import { type Load, type StandEnd, TransportStand } from './transport-stand.ts';

/** Ticks before those that count: compiled, round trips known, lists as long as they get. */
const WARM_UP_TICKS = 200;
const TICKS = 50; // 50,000 packets each way, a run
const HEAP_ROUNDS = 4; // of 100,000 packets, before those that count: V8 settles
const PACKETS_PER_TICK = 4096;
const SMALL_BYTES = 32;
const PACKED = 17;
const PACKED_BYTES = 64;

const PACKET_MUST: Must = { op: '<=', value: 500 };
const MESSAGE_MUST: Must = { op: '<=', value: 200 };

/** One load in both directions, or in one with a listener that only acks. */
interface Case {
  readonly load: Load;
  readonly answer?: Load;
  readonly late?: number;
  readonly loss?: number;
  /** What is told of it. */
  tell(runs: readonly Run[]): Figure[];
}

/** Nanoseconds of one run: of both ends, or of the end that speaks and the one that only acks. */
interface Run {
  readonly send: number;
  readonly receive: number;
  readonly ackOut: number;
  readonly ackIn: number;
  readonly message: number;
}

const both =
  (name: string, must?: Must) =>
  (runs: readonly Run[]): Figure[] => [
    figure(`${name}: send`, 'ns/packet', column(runs, 'send'), must),
    figure(`${name}: receive`, 'ns/packet', column(runs, 'receive'), must),
  ];

const CASES: readonly Case[] = [
  { load: each(UNRELIABLE, SMALL_BYTES), tell: both('unreliable 32 bytes', PACKET_MUST) },
  { load: each(RELIABLE_ORDERED, SMALL_BYTES), tell: both('reliable ordered 32 bytes', PACKET_MUST) },
  {
    load: each(RELIABLE_ORDERED, PACKED_BYTES, PACKED),
    tell: (runs) => [
      figure('reliable 64 bytes, 17 a packet: send and receive', 'ns/message', column(runs, 'message'), MESSAGE_MUST),
    ],
  },
  {
    load: each(UNRELIABLE, SMALL_BYTES),
    late: 0.05,
    tell: both('unreliable 32 bytes, 5 % come late'),
  },
  {
    load: broadcast(UNRELIABLE, 400),
    answer: nothing,
    tell: (runs) => [
      figure('broadcast of 400 bytes: send', 'ns/packet', column(runs, 'send')),
      figure('packet that only acks: send', 'ns/packet', column(runs, 'ackOut')),
      figure('packet that only acks: receive', 'ns/packet', column(runs, 'ackIn')),
    ],
  },
  {
    load: bulk(),
    answer: nothing,
    tell: (runs) => [
      figure('bulk fragment: send', 'ns/packet', column(runs, 'send')),
      figure('bulk fragment: receive', 'ns/packet', column(runs, 'receive')),
    ],
  },
  { load: mixed, loss: 0.05, tell: both('three messages of seven kinds, 5 % lost') },
];

export async function run(options: BenchOptions): Promise<BenchReport> {
  const runs = options.runs ?? RUNS_DEFAULT;
  const channels = new ChannelSet(ALL_KINDS);
  const open = ({ load, answer = load, ...fates }: Case): (() => Run) => {
    const stand = new TransportStand({
      connections: CONNECTIONS,
      channels,
      packetsPerTick: PACKETS_PER_TICK,
      ...fates,
    });
    stand.play(WARM_UP_TICKS, load, answer, true);
    return () => measure(stand, load, answer);
  };
  const measured = CASES.map(open);
  const samples = CASES.map((): Run[] => []);
  // In turn, so that a machine that slows down slows all of them.
  for (let i = 0; i < runs; i++) for (const [at, one] of measured.entries()) samples[at]!.push(one());
  return {
    bench: 'transport',
    machine: machine(),
    figures: [
      ...CASES.flatMap((one, at) => one.tell(samples[at]!)),
      figure('heap growth, seven kinds, 5 % lost', 'bytes/packet', heapGrowth(channels, runs), { op: '<=', value: 1 }),
    ],
    notes: [
      `${CONNECTIONS} connections at 60 Hz, 67 ms round trip, clock and packet numbers above 2^32`,
      'no netcode: header, replay window and cipher are measured by the bench of that name',
    ],
  };
}

function measure(stand: TransportStand, load: Load, answer: Load): Run {
  stand.reset();
  stand.play(TICKS, load, answer, true);
  const { a, b } = stand;
  const ackOnly = answer === nothing;
  const ends: readonly StandEnd[] = [a, b];
  const sum = (name: keyof StandEnd['counts'], of = ends): number => of.reduce((all, end) => all + end.counts[name], 0);
  return {
    send: (sum('sendMicros', ackOnly ? [a] : ends) * 1000) / sum('packetsSent', ackOnly ? [a] : ends),
    receive: (sum('receiveMicros', ackOnly ? [b] : ends) * 1000) / sum('packetsReceived', ackOnly ? [b] : ends),
    ackOut: (b.counts.sendMicros * 1000) / b.counts.packetsSent,
    ackIn: (a.counts.receiveMicros * 1000) / a.counts.packetsReceived,
    message: (sum('sendMicros') * 1000) / sum('messagesSent') + (sum('receiveMicros') * 1000) / sum('messagesReceived'),
  };
}

/** Bytes that the heap grows by for a packet sent and received. */
export function heapGrowth(channels: ChannelSet, runs: number): number[] {
  const stand = new TransportStand({
    connections: CONNECTIONS,
    channels,
    packetsPerTick: PACKETS_PER_TICK,
    loss: 0.05,
  });
  stand.play(WARM_UP_TICKS, mixed, mixed, false);
  const round = (): number => {
    stand.reset();
    const grown = heapBytesOfSlices(10, () => stand.play(TICKS / 10, mixed, mixed, false));
    return grown / (stand.a.counts.packetsSent + stand.b.counts.packetsSent);
  };
  for (let i = 0; i < HEAP_ROUNDS; i++) round();
  return Array.from({ length: runs }, round);
}

function column(runs: readonly Run[], name: keyof Run): number[] {
  return runs.map((one) => one[name]);
}
