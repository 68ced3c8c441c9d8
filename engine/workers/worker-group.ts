/**
 * A game server on several cores: the same game module in each of several worker threads, all on one UDP port.
 *
 *     the kernel --(source address, or the worker named in a packet's id)--> socket of worker i --> its server, its game
 *     supervisor: starts the workers, watches their pulses, says goodbye for those that are lost and starts others
 *
 * Each worker is a world of its own: what they share is the port, the table of spent tokens, and the supervisor's figures.
 */

import { EventEmitter } from 'eventemitter3';
import {
  type Backend,
  type BackendOptions,
  formatAddress,
  type Micros,
  type PortGroup,
  portOf,
  type SocketWay,
} from '../../sys/api.ts';
import { openPortGroup } from '../../sys/index.ts';
import { checkWhole } from '../../transport/config-error.ts';
import { PACKET_PATH, PACKET_PAYLOAD_WITH_ID } from '../../transport/netcode/packets.ts';
import { type EngineContext, resolveAddress } from '../context.ts';
import { ConfigError } from '../errors.ts';
import type { Task, TaskBody } from '../executor/task.ts';
import { sharedContext } from '../open.ts';
import { SERVER_DEFAULTS } from '../options.ts';
import { type GroupWay, openGroupWay } from './group-way.ts';
import { introduce } from './mail.ts';
import { sumGauges, type WorkerGauges } from './pulse.ts';
import { SharedSpentTokens } from './shared-spent-tokens.ts';
import { HANG_MICROS, WATCH_MICROS } from './timing.ts';
import { type SeatOptions, WorkerSeat, type WorkerState } from './worker-seat.ts';

export interface WorkerGroupOptions {
  /** Worker threads, 1 .. 256. More than there are cores make nothing faster. */
  readonly workers: number;
  /** The game: its export `exportName` (default `server`) is called in each worker with a host and `args`. */
  readonly moduleUrl: URL;
  readonly exportName?: string;
  /** For the game; must be cloneable. */
  readonly args?: unknown;
  /** The UDP port; 0 lets the system choose (`group.port` tells). The game's `listen` with this `host` and port is the group's. */
  readonly port: number;
  /** Default 127.0.0.1. */
  readonly host?: string;
  /** SO_RCVBUF of each worker's socket, in bytes. Default 4 MiB. */
  readonly receiveBufferBytes?: number;
  /** Tokens of all workers that are remembered until they expire. Default 65,536; 48 bytes each. Beyond, clients are refused. */
  readonly spentTokensMax?: number;
  /**
   * The workers' way to the network, as of a server. AF_XDP serves one socket a port: with `xdp` the workers' sockets are the
   * kernel's, behind the filter of its `admission` if there is one; `group.way` and a warning say so.
   */
  readonly sys?: Backend | BackendOptions;
  /**
   * Silence in microseconds after which a worker counts as hanging and is replaced, and what it may take to end when the group
   * stops. Default 2,000,000.
   */
  readonly hangMicros?: Micros;
}

export interface WorkerGroupEvents {
  /** A worker's game has started; at first, and again after it was lost. */
  running: (worker: number) => void;
  /** A worker threw, hung or ended. Its clients have been told to come back; another follows. Nobody listens: a warning. */
  lost: (worker: number, error: Error, clientsTold: number) => void;
}

/** How one worker fares. */
export interface WorkerReport extends WorkerGauges {
  readonly worker: number;
  readonly state: WorkerState;
  /** Threads that were lost in this place. */
  readonly lost: number;
}

/** How the group fares: each worker, and the sum. */
export interface WorkerGroupReport {
  readonly workers: readonly WorkerReport[];
  readonly total: WorkerGauges;
  /** Datagrams that the admission filter dropped before they reached a worker. */
  readonly notAdmitted: number;
}

const WORKERS_MAX = 256;
const SPENT_TOKENS_DEFAULT = 65_536;
const SPENT_TOKENS_MAX = 2 ** 24;
const HANG_MICROS_MIN = 300_000;
const HOUR_MICROS = 3_600_000_000;

/** Binds the port and starts the workers. Rejects with ConfigError, SysError, or the error of a game that cannot start. */
export async function startWorkers(
  options: WorkerGroupOptions,
  context: EngineContext = sharedContext(),
): Promise<WorkerGroup> {
  const workers = checkWhole('workers', options.workers, 1, WORKERS_MAX);
  const spentTokensMax = checkWhole(
    'spentTokensMax',
    options.spentTokensMax ?? SPENT_TOKENS_DEFAULT,
    1,
    SPENT_TOKENS_MAX,
  );
  const hangMicros = checkWhole('hangMicros', options.hangMicros ?? HANG_MICROS, HANG_MICROS_MIN, HOUR_MICROS);
  if (!(options.moduleUrl instanceof URL)) {
    throw new ConfigError('moduleUrl', "give a URL, as in new URL('./game.js', import.meta.url)");
  }
  const asked = (await resolveAddress(context, 'host', options.host ?? SERVER_DEFAULTS.host, options.port))[0]!;
  const ports = openPortGroup(
    asked,
    workers,
    { namedTypes: [PACKET_PATH, PACKET_PAYLOAD_WITH_ID] },
    {
      receiveBufferBytes: options.receiveBufferBytes ?? SERVER_DEFAULTS.receiveBufferBytes,
    },
  );
  const way = wayOfGroup(ports, options.sys);
  const { fallback } = way.way;
  if (fallback !== '')
    context.warn(`the workers on ${formatAddress(ports.localAddress)} go by the kernel's UDP: ${fallback}`);
  const group = new WorkerGroup(context, ports, way, {
    moduleUrl: options.moduleUrl,
    exportName: options.exportName ?? 'server',
    args: options.args,
    hangMicros,
    membership: {
      asked,
      bound: ports.localAddress,
      workers,
      spentTokens: SharedSpentTokens.allocate(spentTokensMax),
      sinceUnixSeconds: context.sys.clock.unixSeconds(),
      sys: way.workers,
    },
  });
  await group.ready;
  return group;
}

/** The port is given back where the way cannot be had. */
function wayOfGroup(ports: PortGroup, asked: Backend | BackendOptions | undefined): GroupWay {
  try {
    return openGroupWay(ports.localAddress, asked);
  } catch (error) {
    ports.close();
    throw error;
  }
}

/** Worker threads that serve one port. Made by `startWorkers`. */
export class WorkerGroup extends EventEmitter<WorkerGroupEvents> {
  /** Settles when every game has started; when one cannot, all are stopped and it rejects. */
  readonly ready: Promise<void>;
  readonly #ports: PortGroup;
  readonly #way: GroupWay;
  readonly #seats: readonly WorkerSeat[];
  readonly #watch: Task<void>;
  #stopping: Promise<void> | null = null;

  constructor(
    context: EngineContext,
    ports: PortGroup,
    way: GroupWay,
    options: Omit<SeatOptions, 'context' | 'onLost' | 'onRunning' | 'onLinkRequest'>,
  ) {
    super();
    this.#ports = ports;
    this.#way = way;
    const seat: SeatOptions = {
      ...options,
      context,
      onLinkRequest: (from, to) => {
        if (from.port === null) return;
        introduce({ worker: from.number, port: from.port }, { worker: to, port: this.#seats[to]?.port ?? null });
      },
      onRunning: ({ number }) => void this.emit('running', number),
      onLost: ({ number }, error, told) => {
        if (this.emit('lost', number, error, told)) return;
        context.warn(`worker ${number} was lost, ${told} clients were told: ${error.stack ?? error.message}`);
      },
    };
    this.#seats = ports.descriptors.map((descriptor, number) => new WorkerSeat(number, descriptor, seat));
    this.#watch = context.runtime.spawn(this.#watching(context), 'workers');
    this.ready = this.#start();
  }

  get port(): number {
    return portOf(this.#ports.localAddress);
  }

  /** The bound address, `a.b.c.d:port` or `[ipv6]:port`. */
  get address(): string {
    return formatAddress(this.#ports.localAddress);
  }

  /** How the workers fare, as of their last beat: a tenth of a second ago at most. */
  report(): WorkerGroupReport {
    const workers = this.#seats.map(
      ({ number, state, lost, pulse }): WorkerReport => ({ worker: number, state, lost, ...pulse.read() }),
    );
    return { workers, total: sumGauges(workers), notAdmitted: this.#way.notAdmitted() };
  }

  /** Which way the workers' datagrams go, and, where that is less than was asked for, why. */
  get way(): SocketWay {
    return this.#way.way;
  }

  /** Ends all workers, tells their clients that the server stops (with a text), and closes the port. Twice is once. */
  stop(text = 'the server stops'): Promise<void> {
    this.#stopping ??= this.#stop(text);
    return this.#stopping;
  }

  async #start(): Promise<void> {
    try {
      await Promise.all(this.#seats.map((seat) => seat.start()));
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  async #stop(text: string): Promise<void> {
    this.#watch.cancel();
    await Promise.all(this.#seats.map((seat) => seat.stop(text)));
    this.#way.close();
    this.#ports.close();
  }

  *#watching({ runtime }: EngineContext): TaskBody<void> {
    for (;;) {
      yield* runtime.sleepUntil(runtime.now + WATCH_MICROS);
      for (const seat of this.#seats) seat.watch(runtime.now);
    }
  }
}
