/**
 * The way of a packet, as one short loop: the only place where the kernel's sockets and the protocol meet.
 *
 * One turn:
 *
 *  1. receive    take datagrams from the socket, a bounded number of rounds
 *  2. drain      hand the game what came: connects, messages, disconnects
 *  3. tick       step the game, when it is due
 *  4. advance    fire the protocol's timers, drain again
 *  5. transmit   pack, seal and flush until nothing is due or the kernel is full
 *  6. wait       for a datagram, for room, or for the next deadline
 *
 * Two wake policies. `arrival`: a datagram wakes the loop (lowest latency; clients, relays). `tick`: nothing but the
 * clock wakes it; between ticks datagrams wait in the kernel. On a loaded server wake-ups on arrival cost half as much
 * again as all other work, so `tick` is a server's default. While a bulk transfer or an end that waits for acks is
 * pressing, the loop wakes as with `arrival`: sixty round trips a second would be too few.
 */

import type { Clock, DatagramBatch, DatagramSocket, Micros } from '../sys/api.ts';
import { NEVER, READABLE, WRITABLE } from '../sys/api.ts';
import type { GameEndpoint } from '../transport/endpoint.ts';
import type { Registration } from './executor/reactor.ts';
import type { Runtime } from './executor/runtime.ts';
import type { TaskBody } from './executor/task.ts';
import type { TickClock } from './tick-clock.ts';

/** When a drive wakes up by itself. */
export type WakePolicy = 'arrival' | 'tick';

/**
 * Full receive batches taken in one turn before others get theirs. When the bound is hit the loop queues itself again,
 * so nothing is left behind under edge triggering.
 */
const RECEIVE_ROUNDS_MAX = 16;

/** Flushes in one turn before others get theirs. */
const TRANSMIT_ROUNDS_MAX = 256;

/** How long a closing drive tries to get its last datagrams out. */
const CLOSE_MICROS_MAX = 1_000_000;

/** What a drive steps besides its endpoint. */
export interface DriveGame {
  /** A step of the game. */
  tick(tick: number): void;
  /** After a turn in which the game stepped: what it took from wake-up to the last send, and how late it started. */
  ticked(tick: number, durationMicros: Micros, latenessMicros: Micros): void;
}

export interface DriveOptions<Sink> {
  readonly runtime: Runtime;
  readonly clock: Clock;
  readonly socket: DatagramSocket;
  readonly endpoint: GameEndpoint<Sink>;
  readonly sink: Sink;
  readonly game: DriveGame;
  readonly ticks: TickClock;
  readonly wake: WakePolicy;
}

export class Drive<Sink> {
  readonly #clock: Clock;
  #socket: DatagramSocket;
  readonly #endpoint: GameEndpoint<Sink>;
  readonly #sink: Sink;
  readonly #game: DriveGame;
  readonly #ticks: TickClock;
  readonly #onArrival: boolean;
  readonly #runtime: Runtime;
  #registration: Registration;
  /** The socket to go on with; those left behind. */
  #next: DatagramSocket | null = null;
  readonly #former: DatagramSocket[] = [];
  #inTurn = false;
  /**
   * When this turn looked at the clock last. Null first, on purpose: so the field holds a reference, and to read it does not
   * make a number object each time.
   */
  #turnNow: Micros | null = null;
  #lateness: Micros = 0;
  #closeBy: Micros = NEVER;

  constructor(options: DriveOptions<Sink>) {
    this.#runtime = options.runtime;
    this.#clock = options.clock;
    this.#socket = options.socket;
    this.#endpoint = options.endpoint;
    this.#sink = options.sink;
    this.#game = options.game;
    this.#ticks = options.ticks;
    this.#onArrival = options.wake === 'arrival';
    this.#registration = options.runtime.reactor.register(options.socket);
  }

  /** The loop, a task for the runtime. Ends after `close()`, or by cancellation; then the socket is closed. */
  *run(): TaskBody<void> {
    try {
      for (;;) {
        if (this.#next !== null) this.#move(this.#next);
        const more = this.#turn();
        if (this.#isFinished()) return;
        if (more) yield* this.#runtime.yieldNow();
        else yield* this.#registration.ready(this.#listen());
      }
    } finally {
      this.#registration.close();
      this.#socket.close();
      this.#next?.close();
      for (const socket of this.#former) socket.close();
    }
  }

  /** In a turn: as it looked at the clock last, for a look costs more than a short message. Else now. */
  get now(): Micros {
    return this.#inTurn ? this.#turnNow! : this.#clock.now();
  }

  /** Datagrams that came another way than by the socket: taken as if it had received them now. Not in a turn. */
  receive(batch: DatagramBatch): void {
    this.#inTurn = true;
    try {
      const now = this.#readClock();
      this.#endpoint.receive(batch, now, this.#clock.unixSeconds());
      this.#endpoint.drain(this.#sink, now);
    } finally {
      this.#inTurn = false;
    }
    this.flush();
  }

  /** Something was queued from outside a turn: send it now rather than at the next wake-up (arrival policy only). */
  poke(): void {
    if (this.#onArrival && !this.#inTurn) this.#registration.wake();
  }

  /**
   * Goes on with another socket from the next turn on, whose batches have as many slots. The one before hears nothing more; it is
   * closed at the end, since messages of the endpoint may lie in its memory.
   */
  moveTo(socket: DatagramSocket): void {
    this.#next = socket;
    this.flush();
  }

  /** Has a turn now, whatever the policy. In a turn: it sends anyway. */
  flush(): void {
    if (!this.#inTurn) this.#registration.wake();
  }

  /**
   * Steps the game no more, sends what the endpoint still has to say (its goodbyes, already queued), and ends the loop.
   *
   * @param settleMicros how long the endpoint may wait for acks before its goodbyes; they have a second then
   */
  close(settleMicros: Micros = 0): void {
    if (this.#closeBy === NEVER) this.#closeBy = this.#clock.now() + settleMicros + CLOSE_MICROS_MAX;
    this.flush();
  }

  #move(socket: DatagramSocket): void {
    this.#next = null;
    this.#registration.close();
    this.#former.push(this.#socket);
    this.#socket = socket;
    this.#registration = this.#runtime.reactor.register(socket);
  }

  /** One turn without the waiting. Returns whether there is more to do at once. */
  #turn(): boolean {
    this.#inTurn = true;
    try {
      const start = this.#readClock();
      const moreToReceive = this.#receive(start);
      const tick = this.#tick(start);
      const now = this.#advance();
      const moreToSend = this.#transmit(now);
      if (tick >= 0) this.#game.ticked(tick, this.#clock.now() - start, this.#lateness);
      return moreToReceive || moreToSend;
    } finally {
      this.#inTurn = false;
    }
  }

  /** Steps 1 and 2. Returns whether the bound was hit, so that more may be waiting. */
  #receive(start: Micros): boolean {
    const unixSeconds = this.#clock.unixSeconds();
    let now = start;
    for (let round = 0; round < RECEIVE_ROUNDS_MAX; round++) {
      if (this.#socket.receive() === 0) return false;
      this.#endpoint.receive(this.#socket.rx, now, unixSeconds);
      this.#endpoint.drain(this.#sink, now);
      now = this.#readClock(); // the game's callbacks ran
    }
    return true;
  }

  /** Step 3. Returns the number of the last tick done, or -1. */
  #tick(start: Micros): number {
    if (this.#closeBy !== NEVER) return -1;
    const now = this.#readClock();
    const due = this.#ticks.deadline;
    let last = -1;
    for (let tick = this.#ticks.take(now); tick >= 0; tick = this.#ticks.take(now)) {
      this.#game.tick(tick);
      last = tick;
    }
    if (last >= 0) this.#lateness = Math.max(0, start - due); // from a turn that began before it was due: on time
    return last;
  }

  /** Step 4. */
  #advance(): Micros {
    const now = this.#readClock();
    this.#endpoint.advance(now);
    this.#endpoint.drain(this.#sink, now);
    return this.#readClock();
  }

  /** Step 5. Returns whether there is more to send and room for it. */
  #transmit(now: Micros): boolean {
    const tx = this.#socket.tx;
    for (let round = 0; round < TRANSMIT_ROUNDS_MAX; round++) {
      this.#endpoint.transmit(tx, now);
      if (tx.count === 0) return false;
      const wasFull = tx.full;
      this.#socket.flush();
      if (tx.count > 0) return false; // the kernel is full: wait for room
      if (!wasFull) return false;
    }
    return true;
  }

  /**
   * Step 6: says what is to wake this loop, and until when it may sleep. While the kernel is full only room counts: a
   * protocol deadline that has passed cannot be met by looking again, and a loop that tried would spin.
   */
  #listen(): Micros {
    const isClosing = this.#closeBy !== NEVER;
    const deadline = isClosing ? this.#closeBy : this.#ticks.deadline;
    if (this.#socket.tx.count > 0) {
      this.#registration.want(WRITABLE);
      return deadline;
    }
    const onArrival = this.#onArrival || isClosing || this.#endpoint.isPressing;
    this.#registration.want(onArrival ? READABLE : 0);
    const ticking = this.#ticks.deadline !== NEVER;
    return onArrival || !ticking ? Math.min(deadline, this.#endpoint.deadline()) : deadline;
  }

  #isFinished(): boolean {
    if (this.#closeBy === NEVER) return false;
    const now = this.#clock.now();
    const silent = this.#socket.tx.count === 0 && !this.#endpoint.isPressing && this.#endpoint.deadline() > now;
    return silent || now >= this.#closeBy;
  }

  #readClock(): Micros {
    const now = this.#clock.now();
    this.#turnNow = now;
    return now;
  }
}
