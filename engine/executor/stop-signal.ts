/** StopSignal: one word of shared memory by which any thread asks a runtime to end. */

/** Set once, never taken back. `shared` passes through `postMessage`; on the other side make a StopSignal of it again. */
export class StopSignal {
  readonly shared: SharedArrayBuffer;
  private readonly flag: Int32Array;

  constructor(shared: SharedArrayBuffer = new SharedArrayBuffer(4)) {
    this.shared = shared;
    this.flag = new Int32Array(shared);
  }

  /** Asks. The runtime sees it at its next turn: wake its poller too if that is to be soon. */
  request(): void {
    Atomics.store(this.flag, 0, 1);
  }

  get requested(): boolean {
    return Atomics.load(this.flag, 0) !== 0;
  }
}
