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

/** A thread takes some 50 ms to start. Until then the owner looks for itself, this often. */
const START_LOOK_MILLIS = 1;

/** Threads between two ports. */
const idle: DoorbellThread[] = [];

/** One port's bell. */
export class Doorbell {
  private readonly thread: DoorbellThread;

  /** @param onRing called from Node's loop when a packet is there; then `arm` again */
  constructor(port: number, onRing: () => void) {
    this.thread = idle.pop() ?? new DoorbellThread();
    this.thread.serve(port, onRing);
  }

  /** Rings once when there is, or comes, a packet. */
  arm(): void {
    this.thread.set(WATCHING);
  }

  /** Calls `left` when the thread no longer has the port's number. */
  end(left: () => void): void {
    this.thread.leave(() => {
      left();
      idle.push(this.thread);
    });
  }
}

class DoorbellThread {
  private readonly shared = new Int32Array(new SharedArrayBuffer(SHARED_WORDS * 4));
  private readonly worker: Worker;
  private onRing: () => void = () => {};
  private onLeft: () => void = () => {};
  private readonly starting: NodeJS.Timeout;

  constructor() {
    // .js: a worker is started from built code only, Node 20 runs no TypeScript.
    this.worker = new Worker(new URL('./doorbell-thread.js', import.meta.url), { workerData: this.shared });
    this.worker.on('message', (message: number) => {
      if (message === READY) clearInterval(this.starting);
      else if (message === RANG) this.onRing();
      else this.onLeft();
    });
    this.starting = setInterval(() => this.onRing(), START_LOOK_MILLIS).unref();
    this.worker.unref(); // a bell alone is no reason for a process to live on
    // Else the end of the process waits for the end of its wait.
    process.on('exit', () => {
      if (this.shared[PORT] !== 0) this.leave(() => {});
    });
  }

  serve(port: number, onRing: () => void): void {
    this.onRing = onRing;
    Atomics.store(this.shared, PORT, port);
  }

  set(state: number): void {
    Atomics.store(this.shared, STATE, state);
    Atomics.notify(this.shared, STATE);
  }

  leave(left: () => void): void {
    const port = this.shared[PORT]!;
    this.onRing = () => {};
    this.onLeft = () => {
      Atomics.store(this.shared, PORT, 0);
      left();
    };
    this.set(LEAVING);
    windowsCalls().PostQueuedCompletionStatus(port, 0, DOORBELL_KEY, 0);
  }
}
