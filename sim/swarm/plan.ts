/** What one seed of the swarm does: each thing that can go wrong is drawn, and half of the time left out altogether. */

import type { WakePolicy } from '../../engine/drive.ts';
import type { Micros } from '../../sys/api.ts';
import type { DirectionOptions } from '../link/direction-options.ts';
import type { LossModel } from '../link/loss.ts';
import type { StrangerOptions } from '../world/stranger.ts';
import type { Stream } from '../world/streams.ts';
import type { SwarmLimits } from './script.ts';

/** How a client leaves once the network has healed; the others stay. */
export type Ending = 'stay' | 'close' | 'drain' | 'server drains';

export interface ClientPlan {
  /** Until the network heals; each way has its own. */
  readonly up: DirectionOptions;
  readonly down: DirectionOptions;
  readonly rebindAt: Micros | null;
  readonly rebindAddress: boolean;
  readonly clientTickRateHz: number;
  readonly beginsAt: Micros;
  readonly ending: Ending;
  readonly toServer: TalkPlan;
  readonly toClient: TalkPlan;
}

/** What one side says to the other. */
export interface TalkPlan {
  /** Between two times at which it speaks; 0: with the ticks where there are any. */
  readonly everyMicros: Micros;
  /** Messages each time, at most. */
  readonly atOnceMax: number;
  /** Shares of the eight channels, 0: never. */
  readonly shares: readonly number[];
  readonly bytesMax: number;
  readonly receiptShare: number;
  readonly ttlShare: number;
}

export interface SwarmPlan {
  readonly tickRateHz: number;
  readonly wake: WakePolicy;
  /** Messages and bytes that may wait, and what the other side may hold. */
  readonly backlogMax: number;
  readonly backlogBytesMax: number;
  readonly windowBytes: number;
  readonly healsAt: Micros;
  /** Messages that each side says to the other at most. */
  readonly messagesMax: number;
  readonly clients: readonly ClientPlan[];
}

/** Longest message of the swarm, and so the least that a window must hold. */
export const SWARM_MESSAGE_BYTES_MAX = 32_768;
export const SWARM_CHANNELS = 8;
/** A netcode request: its token is not yet spent, and binds whoever is first with it. Stolen on its way it locks its owner out. */
const REQUEST_BYTES = 1_078;
const MILLI = 1_000;
const TICK_RATES: readonly number[] = [0, 20, 30, 60];
const ENDINGS: readonly Ending[] = ['stay', 'stay', 'close', 'drain', 'server drains'];

/** Draws the plan of a seed. `secondsMax`: how long it may be until the network heals; `clients`: so many, and not one or two. */
export function drawPlan(stream: Stream, secondsMax: number, clients?: number): SwarmPlan {
  const healsAt = 200 * MILLI + stream.below(Math.max(1, Math.round(secondsMax * 1_000_000)));
  const tickRateHz = TICK_RATES[stream.below(4)]!;
  const small = half(stream);
  return {
    tickRateHz,
    wake: tickRateHz > 0 && half(stream) ? 'tick' : 'arrival',
    backlogMax: half(stream) ? 8 + stream.below(200) : 1024,
    backlogBytesMax: half(stream) ? 40_000 + stream.below(200_000) : 4 << 20,
    windowBytes: SWARM_MESSAGE_BYTES_MAX * (small ? 2 : 8),
    healsAt,
    messagesMax: Number.POSITIVE_INFINITY,
    clients: Array.from({ length: clients ?? 1 + stream.below(2) }, () => drawClient(stream, healsAt)),
  };
}

/** The same plan, and less of it. */
export function limited(plan: SwarmPlan, { healsAt, messages, clients }: SwarmLimits): SwarmPlan {
  return {
    ...plan,
    healsAt: Math.min(plan.healsAt, healsAt ?? plan.healsAt),
    messagesMax: messages ?? plan.messagesMax,
    clients: plan.clients.slice(0, clients ?? plan.clients.length),
  };
}

/** Who listens and sends copies; half of the seeds have nobody. */
export function drawStranger(stream: Stream): StrangerOptions | null {
  if (half(stream)) return null;
  return {
    replay: (1 + stream.below(half(stream) ? 30 : 300)) / 1000,
    copiesMax: 1 + stream.below(4),
    damaged: half(stream) ? stream.below(100) / 100 : 0,
    elsewhere: half(stream) ? stream.below(100) / 100 : 0,
    notElsewhereBytes: REQUEST_BYTES,
    soonMicros: 1 + stream.below(100 * MILLI),
  };
}

/** The same way without what harms: rate, queue and latency stay. */
export function healed(link: DirectionOptions): DirectionOptions {
  const { rateBitsPerSecond, queueBytes, latencyMicros = 0 } = link;
  return {
    latencyMicros,
    ...(rateBitsPerSecond === undefined ? {} : { rateBitsPerSecond }),
    ...(queueBytes === undefined ? {} : { queueBytes }),
  };
}

function drawClient(stream: Stream, healsAt: Micros): ClientPlan {
  const latencyMicros = half(stream) ? stream.below(80 * MILLI) : 0;
  return {
    up: drawLink(stream, latencyMicros),
    down: drawLink(stream, latencyMicros),
    rebindAt: half(stream) ? stream.below(healsAt) : null,
    rebindAddress: half(stream),
    clientTickRateHz: TICK_RATES[stream.below(4)]!,
    beginsAt: MILLI + stream.below(20 * MILLI),
    ending: ENDINGS[stream.below(ENDINGS.length)]!,
    toServer: drawTalk(stream),
    toClient: drawTalk(stream),
  };
}

function drawLink(stream: Stream, latencyMicros: Micros): DirectionOptions {
  const rate = half(stream) ? { rateBitsPerSecond: 2_000_000 + stream.below(30_000_000) } : {};
  return {
    latencyMicros,
    loss: half(stream) ? drawLoss(stream) : 0,
    jitterMicros: half(stream) ? stream.below(latencyMicros + 1) : 0,
    keepOrder: half(stream),
    reorder: half(stream) ? stream.below(200) / 1000 : 0,
    duplicate: half(stream) ? stream.below(200) / 1000 : 0,
    duplicateDelayMicros: stream.below(30 * MILLI),
    ...rate,
    ...('rateBitsPerSecond' in rate && half(stream) ? { queueBytes: 20_000 + stream.below(200_000) } : {}),
  };
}

function drawLoss(stream: Stream): number | LossModel {
  const loss = (1 + stream.below(300)) / 1000;
  return half(stream) ? loss : { model: 'gilbert-elliott', loss, meanBurstPackets: 1 + stream.below(5) };
}

function drawTalk(stream: Stream): TalkPlan {
  return {
    everyMicros: half(stream) ? 0 : 5 * MILLI + stream.below(45 * MILLI),
    atOnceMax: 1 + stream.below(half(stream) ? 2 : 12),
    shares: Array.from({ length: SWARM_CHANNELS }, () => (half(stream) ? stream.below(100) : 0)),
    bytesMax: half(stream) ? 200 : half(stream) ? 3_000 : 30_000,
    receiptShare: half(stream) ? stream.below(100) / 100 : 0,
    ttlShare: half(stream) ? stream.below(60) / 100 : 0,
  };
}

function half(stream: Stream): boolean {
  return stream.below(2) === 1;
}
