/**
 * One worker's place in a group, whoever sits in it: starts the thread, sees whether it lives, and when it does not, says
 * goodbye for it, closes what it left open and starts the next.
 *
 *     starting -> running -> (throws, hangs, ends) -> lost -> starting ...
 *        any of them -> (stop) -> stopped
 */

import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { type DatagramSocket, type Micros, NEVER } from '../../sys/api.ts';
import { closeNoted, descriptorMemory } from '../../sys/index.ts';
import type { DisconnectCode } from '../../transport/endpoint.ts';
import { Farewells } from '../../transport/netcode/farewells.ts';
import { SessionLedger } from '../../transport/netcode/session-ledger.ts';
import type { EngineContext } from '../context.ts';
import { type RunningWorker, startWorker } from '../executor/worker.ts';
import type { GroupArgs } from './group-boot.ts';
import type { LinkRequest } from './mail.ts';
import type { LedgerReport, Membership } from './member.ts';
import { Pulse } from './pulse.ts';
import { RESTART_MICROS_MAX, RESTART_MICROS_MIN, SETTLED_MICROS, START_MICROS } from './timing.ts';

export type WorkerState = 'starting' | 'running' | 'lost' | 'stopped';

/** What every seat of a group has in common. */
export interface SeatOptions {
  readonly context: EngineContext;
  readonly moduleUrl: URL;
  readonly exportName: string;
  readonly args: unknown;
  readonly hangMicros: Micros;
  readonly membership: Omit<Membership, 'number' | 'descriptor' | 'pulse' | 'descriptors' | 'port'>;
  /** Told of each thread that ended by itself, when its clients have been told. */
  readonly onLost: (seat: WorkerSeat, error: Error, clientsTold: number) => void;
  readonly onRunning: (seat: WorkerSeat) => void;
  /** The thread asks for a way to another worker. */
  readonly onLinkRequest: (seat: WorkerSeat, worker: number) => void;
}

// Built code, so .js.
const GROUP_BOOT_URL = new URL('./group-boot.js', import.meta.url);
const FAREWELL_SLOTS = 64;
const SLOT_BYTES = 2048;
/** Tries to get goodbyes out while the kernel is full: a millisecond each. */
const FLUSHES_MAX = 100;

export class WorkerSeat {
  readonly number: number;
  state: WorkerState = 'starting';
  /** Threads that were lost. */
  lost = 0;
  readonly pulse: Pulse = new Pulse();
  /** To the thread that runs, null: none does. */
  port: MessagePort | null = null;
  readonly #options: SeatOptions;
  readonly #descriptor: number;
  #abort = new AbortController();
  #running: RunningWorker | null = null;
  #ledger: LedgerReport | null = null;
  #descriptors = descriptorMemory();
  #startedAt: Micros = 0;
  #beats = 0;
  #beatAt: Micros = 0;
  #delay: Micros = RESTART_MICROS_MIN;
  /** When the next thread is to be started. */
  #restartAt: Micros = NEVER;
  #why: Error | null = null;
  /** What must be over before the port is closed: a thread that starts, goodbyes. */
  #settling: Promise<void> = Promise.resolve();
  #stopped: Promise<void> | null = null;

  constructor(number: number, descriptor: number, options: SeatOptions) {
    this.number = number;
    this.#descriptor = descriptor;
    this.#options = options;
  }

  /** Starts a thread. Rejects when its game could not be started; the thread has ended then. */
  start(): Promise<void> {
    const started = this.#start();
    this.#settling = started.catch(() => {}); // for `stop`: whoever asked to start is told why not
    return started;
  }

  async #start(): Promise<void> {
    const { context, moduleUrl, exportName, args, membership } = this.#options;
    const { port1, port2 } = new MessageChannel();
    port1.on('message', (said: LedgerReport | LinkRequest) => {
      if ('linkTo' in said) this.#options.onLinkRequest(this, said.linkTo);
      else this.#ledger = said;
    });
    port1.unref();
    this.state = 'starting';
    this.#why = null;
    this.#ledger = null;
    this.#restartAt = NEVER;
    this.#abort = new AbortController();
    this.#descriptors = descriptorMemory();
    this.#startedAt = context.sys.clock.now();
    this.pulse.clear();
    const groupArgs: GroupArgs = {
      args,
      membership: {
        ...membership,
        number: this.number,
        descriptor: this.#descriptor,
        pulse: this.pulse.memory,
        descriptors: this.#descriptors,
        port: port2,
      },
    };
    try {
      this.#running = await startWorker({
        name: `worker-${this.number}`,
        moduleUrl,
        exportName,
        args: groupArgs,
        bootUrl: GROUP_BOOT_URL,
        transfer: [port2],
        signal: this.#abort.signal,
      });
    } catch (error) {
      port1.close();
      throw this.#why ?? error;
    }
    if (this.#stopped === null) this.state = 'running';
    this.port = port1;
    this.#beatAt = context.sys.clock.now();
    void this.#running.exited
      .then(
        () => new Error('the thread ended by itself'),
        (error: Error) => error,
      )
      .then((error) => {
        port1.close();
        this.port = null;
        this.#running = null;
        if (this.#stopped === null) this.#lose(this.#why ?? error);
      });
    if (this.#stopped === null) this.#options.onRunning(this);
  }

  /** Looks whether the heart beats, and whether it is time to start again. */
  watch(now: Micros): void {
    if (this.#restartAt <= now) {
      this.start().catch((error: Error) => {
        if (this.#stopped === null) this.#lose(error);
      });
      return;
    }
    const { beats } = this.pulse;
    if (beats !== this.#beats) {
      this.#beats = beats;
      this.#beatAt = now;
    }
    if (this.state === 'starting' && now - this.#startedAt > START_MICROS) {
      this.#end(`its game did not start within ${START_MICROS / 1e6} s`);
    } else if (this.state === 'running' && now - this.#beatAt > this.#options.hangMicros) {
      this.#end(`it hung: nothing was heard for ${(now - this.#beatAt) / 1e6} s`);
    }
  }

  /** Ends the thread as it wishes, says goodbye to its clients; no other follows. Twice is once. */
  stop(text: string): Promise<void> {
    this.#stopped ??= this.#stop(text);
    return this.#stopped;
  }

  async #stop(text: string): Promise<void> {
    this.state = 'stopped';
    this.#restartAt = NEVER;
    // A thread that starts, or the goodbyes of one that was lost. To end a thread from outside is the last resort: where it
    // happens to be in native code, the process may end with it.
    await this.#within(this.#settling);
    const ended = this.#running?.stop().catch((error: Error) => {
      this.#options.context.warn(`worker ${this.number}: ${error.message}`);
    });
    await this.#within(ended);
    await this.#sayGoodbye('shutdown', text);
    closeNoted(this.#descriptors);
  }

  /** Waits for what lets a thread end by itself, as long as one may hang; then the thread is ended. */
  async #within(over: Promise<void> | undefined): Promise<void> {
    const { runtime } = this.#options.context;
    await Promise.race([over, runtime.sleep(this.#options.hangMicros).then(() => this.#abort.abort())]);
    await over;
  }

  #end(why: string): void {
    this.#why ??= new Error(why);
    this.#abort.abort();
  }

  #lose(error: Error): void {
    this.state = 'lost';
    this.lost++;
    this.#settling = this.#bury(error);
  }

  async #bury(error: Error): Promise<void> {
    const { clock } = this.#options.context.sys;
    const told = await this.#sayGoodbye('shutdown', 'the worker was lost');
    closeNoted(this.#descriptors);
    this.pulse.clear();
    if (this.#stopped !== null) return;
    const now = clock.now();
    if (now - this.#startedAt >= SETTLED_MICROS) this.#delay = RESTART_MICROS_MIN;
    this.#restartAt = now + this.#delay;
    this.#delay = Math.min(RESTART_MICROS_MAX, this.#delay * 2);
    this.#options.onLost(this, error, told);
  }

  /** The thread has ended. Returns how many clients were told; where that fails it is said, and they wait for their timeout. */
  async #sayGoodbye(code: DisconnectCode, text: string): Promise<number> {
    try {
      return await this.#tellClients(code, text);
    } catch (error) {
      this.#options.context.warn(`the clients of worker ${this.number} could not be told: ${(error as Error).message}`);
      return 0;
    }
  }

  async #tellClients(code: DisconnectCode, text: string): Promise<number> {
    if (this.#ledger === null) return 0;
    const { sys, runtime } = this.#options.context;
    const { memory, rows, clients } = this.#ledger;
    this.#ledger = null;
    const aead = sys.openAead(1, SLOT_BYTES);
    const farewells = new Farewells(new SessionLedger(rows, memory), clients, aead, code, text);
    const { bound } = this.#options.membership;
    const socket = await sys.openUdp(bound, {
      txSlots: FAREWELL_SLOTS,
      slotBytes: SLOT_BYTES,
      descriptor: this.#descriptor,
    });
    for (let more = true; more; ) {
      more = farewells.write(socket.tx);
      await flushAll(socket, () => runtime.sleep(1000));
    }
    socket.close();
    return farewells.told;
  }
}

async function flushAll(socket: DatagramSocket, wait: () => Promise<void>): Promise<void> {
  for (let flushes = 0; flushes < FLUSHES_MAX; flushes++) {
    socket.flush();
    if (socket.tx.count === 0) return;
    await wait();
  }
  socket.tx.count = 0; // the way out is blocked for good: these clients wait for their timeout
}
