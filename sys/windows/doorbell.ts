/**
 * How Node's loop learns that a completion port has something: a small thread waits in its place.
 *
 * A port cannot be watched by Node's loop, and a call of koffi's in the background would take one of libuv's four threads
 * for as long as it waits. So a worker takes one packet, puts it back, and rings; then it rests until it is armed again.
 * All packets are thus taken by the owner's thread, also when that blocks in `wait()` meanwhile. One such thread is started
 * with the first `attach()` and serves one port after another.
 */

import { Worker } from 'node:worker_threads';
import { windowsCalls } from './calls.ts';

/** What the threads share: one word. */
export const STATE = 0;
/** States: the thread rests; it waits for a packet; it is asked to leave the port alone. */
export const RESTING = 0;
export const WATCHING = 1;
export const LEAVING = 2;
/** Words of `shared`: STATE, and the number of the port. */
export const PORT = 1;
export const SHARED_WORDS = 2;

/** The thread's messages. */
export const RANG = 1;
export const LEFT = 2;
export const READY = 3;
/** The key of the packet that gets the thread out of its wait. Nobody is enlisted under it. */
export const DOORBELL_KEY = 0;

/** A thread takes some 50 ms to start, and a moment to leave the port before. Until then the owner looks for itself, this often. */
const START_LOOK_MILLIS = 1;

/** Threads that no port needs. */
const free: DoorbellThread[] = [];

/** One port's bell. */
export class Doorbell {
  private readonly thread: DoorbellThread;

  /** @param onRing called from Node's loop when a packet is there; then `arm` again */
  constructor(port: number, onRing: () => void) {
    this.thread = free.pop() ?? new DoorbellThread();
    this.thread.serve(port, onRing);
  }

  /** Rings once when there is, or comes, a packet. */
  arm(): void {
    this.thread.arm();
  }

  /** Calls `left` when the thread no longer has the port's number. */
  end(left: () => void): void {
    this.thread.leave(left);
    free.push(this.thread);
  }
}

class DoorbellThread {
  private readonly shared = new Int32Array(new SharedArrayBuffer(SHARED_WORDS * 4));
  private readonly worker: Worker;
  /** Looks for the thread while that is not at the port yet. */
  private standIn: NodeJS.Timeout;
  private port = 0;
  private onRing: () => void = () => {};
  /** What to call when the thread has left the port before this one; null: it has. */
  private onLeft: (() => void) | null = null;
  /** Whether to arm it then. */
  private armed = false;

  constructor() {
    // .js: a worker is started from built code only, Node 20 runs no TypeScript.
    this.worker = new Worker(new URL('./doorbell-thread.js', import.meta.url), { workerData: this.shared });
    this.worker.on('message', (message: number) => {
      if (message === READY) clearInterval(this.standIn);
      else if (message === LEFT) this.left();
      else if (this.onLeft === null) this.onRing(); // else it rang for the port before
    });
    this.worker.unref(); // a bell alone is no reason for a process to live on
    this.standIn = this.lookMeanwhile();
    // Else the end of the process waits for the end of its wait.
    process.on('exit', () => this.callAway());
  }

  serve(port: number, onRing: () => void): void {
    this.port = port;
    this.onRing = onRing;
    this.armed = false;
    if (this.onLeft === null) {
      Atomics.store(this.shared, PORT, port);
      return;
    }
    clearInterval(this.standIn);
    this.standIn = this.lookMeanwhile();
  }

  arm(): void {
    this.armed = true;
    if (this.onLeft === null) this.set(WATCHING);
  }

  leave(left: () => void): void {
    this.onRing = () => {};
    this.port = 0;
    this.armed = false;
    if (this.onLeft !== null) {
      left(); // it is still on its way out of the port before, and has never heard of this one
      return;
    }
    this.onLeft = left;
    this.callAway();
  }

  private lookMeanwhile(): NodeJS.Timeout {
    return setInterval(() => this.onRing(), START_LOOK_MILLIS).unref();
  }

  private left(): void {
    clearInterval(this.standIn);
    const left = this.onLeft!;
    this.onLeft = null;
    Atomics.store(this.shared, PORT, this.port);
    left();
    if (this.armed) this.set(WATCHING);
  }

  /** Asks the thread to leave the port that it has the number of. */
  private callAway(): void {
    const port = this.shared[PORT]!;
    this.set(LEAVING);
    if (port !== 0) windowsCalls().PostQueuedCompletionStatus(port, 0, DOORBELL_KEY, 0);
  }

  private set(state: number): void {
    Atomics.store(this.shared, STATE, state);
    Atomics.notify(this.shared, STATE);
  }
}
