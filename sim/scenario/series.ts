/**
 * A run over time: what flowed, what waited and how the first client's connection fared, sampled at equal steps of virtual
 * time. The world stops between two events for each sample, so that a run with samples has the digest of one without.
 */

import type { ConnectionStats } from '../../transport/connection-stats.ts';
import type { LinkDirection } from '../link/link.ts';
import type { World } from '../world/world.ts';
import type { ConnectionWatch } from './connection-watch.ts';
import type { MessageLatencies, Side } from './message-latencies.ts';
import type { ConnectionColumns, FlowColumns, SeriesReport } from './series-report.ts';

/** Ten samples a second show a tenth of a second's outage. */
const STEP_MICROS = 100_000;
/** Longer runs have longer steps: no screen has more columns, and the file stays small. */
const SAMPLES_MAX = 3_000;
const SIDES: readonly Side[] = ['server', 'clients'];
const CLIENT_SHOWN = 0;

/** Columns that can be written to. */
type Growing<T> = { -readonly [K in keyof T]: T[K] extends readonly (infer V)[] ? V[] : T[K] };

/** Takes the samples of one run. */
export class Series {
  readonly #world: World;
  readonly #messages: MessageLatencies;
  readonly #watch: ConnectionWatch;
  readonly #flows: Record<Side, Growing<FlowColumns>> = { server: flowColumns(), clients: flowColumns() };
  readonly #connection: Record<Side, Growing<ConnectionColumns>> = {
    server: connectionColumns(),
    clients: connectionColumns(),
  };
  readonly #queueBytes: Record<string, number[]> = {};
  readonly #dropped: number[] = [];
  /** Kept for each end, since they are filled again and again. */
  readonly #stats: Partial<Record<Side, ConnectionStats>> = {};
  /** At the last sample. */
  readonly #before: Record<Side, { bytes: number; timed: number; late: number }> = {
    server: { bytes: 0, timed: 0, late: 0 },
    clients: { bytes: 0, timed: 0, late: 0 },
  };
  #droppedBefore = 0;
  #stepMicros = STEP_MICROS;
  #samples = 0;

  constructor(world: World, messages: MessageLatencies, watch: ConnectionWatch) {
    this.#world = world;
    this.#messages = messages;
    this.#watch = watch;
  }

  /** Lets the world run to `untilMicros`, which comes after now, and takes samples on the way. */
  async run(untilMicros: number): Promise<void> {
    const steps = Math.min(SAMPLES_MAX, Math.ceil(untilMicros / STEP_MICROS));
    this.#stepMicros = steps === SAMPLES_MAX ? Math.ceil(untilMicros / SAMPLES_MAX) : STEP_MICROS;
    for (let time = this.#stepMicros; time <= untilMicros; time += this.#stepMicros) {
      await this.#world.run({ untilMicros: time });
      this.#sample();
    }
    await this.#world.run({ untilMicros });
  }

  report(): SeriesReport {
    return {
      stepMs: this.#stepMicros / 1000,
      client: CLIENT_SHOWN,
      flows: this.#flows,
      dropped: this.#dropped,
      queueBytes: this.#queueBytes,
      connection: this.#connection,
    };
  }

  #sample(): void {
    for (const side of SIDES) {
      this.#sampleFlow(side);
      this.#sampleConnection(side);
    }
    const { lost, queueDropped, tooLarge, policed, overflowed, unheard } = this.#world.stats;
    const dropped = lost + queueDropped + tooLarge + policed + overflowed + unheard;
    this.#dropped.push(dropped - this.#droppedBefore);
    this.#droppedBefore = dropped;
    this.#sampleQueues();
    this.#samples++;
  }

  #sampleFlow(side: Side): void {
    const flow = this.#messages.flows[side];
    const before = this.#before[side];
    const columns = this.#flows[side];
    const timed = flow.timed - before.timed;
    columns.goodputBytesPerSecond.push(Math.round(((flow.bytes - before.bytes) * 1_000_000) / this.#stepMicros));
    columns.lateShare.push(timed === 0 ? null : Math.round(((flow.late - before.late) * 10_000) / timed) / 10_000);
    columns.worstMs.push(timed === 0 ? null : Math.round(flow.worstMicros / 100) / 10);
    [before.bytes, before.timed, before.late] = [flow.bytes, flow.timed, flow.late];
    flow.worstMicros = 0;
  }

  #sampleConnection(side: Side): void {
    const { rttMs, cwndBytes, inFlightBytes, budgetBytesPerSecond } = this.#connection[side];
    const end = side === 'clients' ? this.#watch.clientOf(CLIENT_SHOWN) : this.#watch.peerOf(CLIENT_SHOWN);
    if (end === null) {
      for (const column of [rttMs, cwndBytes, inFlightBytes, budgetBytesPerSecond]) column.push(null);
      return;
    }
    const stats = end.stats(this.#stats[side]);
    this.#stats[side] = stats;
    rttMs.push(stats.rttIsMeasured ? Math.round(stats.rttMicros / 100) / 10 : null);
    cwndBytes.push(Math.round(stats.cwndBytes));
    inFlightBytes.push(Math.round(stats.inFlightBytes));
    budgetBytesPerSecond.push(Math.round(stats.budgetBytesPerSecond));
  }

  #sampleQueues(): void {
    const now: Record<string, number> = {};
    for (const direction of this.#world.directions) {
      if (direction.queue === null) continue;
      const name = wayOf(direction);
      now[name] = (now[name] ?? 0) + direction.queue.stats.bytesNow;
    }
    for (const { name, stats } of this.#world.bottlenecks) now[name] = stats.bytesNow;
    for (const [name, bytes] of Object.entries(now)) {
      // A line that comes late was empty before.
      this.#queueBytes[name] ??= new Array<number>(this.#samples).fill(0);
      this.#queueBytes[name]!.push(bytes);
    }
  }
}

/** Which way a direction leads, as people speak of access networks. */
function wayOf({ name }: LinkDirection): string {
  return name.startsWith('server>') ? 'down' : 'up';
}

function flowColumns(): Growing<FlowColumns> {
  return { goodputBytesPerSecond: [], lateShare: [], worstMs: [] };
}

function connectionColumns(): Growing<ConnectionColumns> {
  return { rttMs: [], cwndBytes: [], inFlightBytes: [], budgetBytesPerSecond: [] };
}
