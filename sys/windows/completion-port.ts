/**
 * One completion port for a whole `Sys`, since a socket belongs to one port for life and to many pollers in turn.
 *
 * A packet that comes out of it is only a hint "look at what you have under way": the truth is the status in each
 * OVERLAPPED. So nothing depends on which packets the system queues (it differs between Windows versions for operations
 * that are done at once), on their order, or on when they come.
 */

import { sysError } from '../errno.ts';
import { NativeArena } from '../ffi/arena.ts';
import { type Field, StructArray } from '../ffi/struct.ts';
import { INFINITE, INVALID_HANDLE_VALUE, OverlappedEntry } from './abi.ts';
import { type WindowsCalls, windowsCalls } from './calls.ts';
import { Doorbell } from './doorbell.ts';
import { mustWin, WAIT_TIMEOUT, windowsErrorName } from './errors.ts';

/** Packets that one call takes; 128 are one page. */
const ENTRIES_MAX = 128;
/** Keys stay below 2^32, so the low word says all. */
const KEY = OverlappedEntry.key as number as Field<'u32'>;
const COUNT_AT: number = ENTRIES_MAX * OverlappedEntry.SIZE;
/** Calls of one `pump`: packets that come faster than we take them must not keep us here. */
const ROUNDS_MAX = 16;
/** Milliseconds between ticks of the system's timer while a port is open; else 15.6, longer than a game's tick. */
const TIMER_MILLIS = 1;

/** Who a packet is for. */
export interface CompletionTarget {
  /** Something of yours may be done. */
  completed(): void;
}

/** The port of one `Sys`. Exists in the system while anybody is enlisted. */
export class CompletionPort {
  private readonly calls: WindowsCalls = windowsCalls();
  private readonly arena: NativeArena = NativeArena.map(COUNT_AT + 8);
  private readonly entries: StructArray = new StructArray(this.arena, OverlappedEntry, 0, ENTRIES_MAX);
  private readonly targets = new Map<number, CompletionTarget>();
  /** Keys are never used twice: a late packet must not reach the next owner. */
  private nextKey = 1;
  private handle = 0;
  private doorbell: Doorbell | null = null;
  private holders = 0;

  /** Gives `target` a key of its own, to associate files and to post with. */
  enlist(target: CompletionTarget): number {
    if (this.targets.size === 0) this.open();
    const key = this.nextKey++;
    this.targets.set(key, target);
    return key;
  }

  /** Packets under `key` reach nobody from now on. */
  dismiss(key: number): void {
    if (this.targets.delete(key) && this.targets.size === 0) this.close();
  }

  /** The number of the handle, for threads that post to it while somebody here is enlisted. */
  get number(): number {
    return this.handle;
  }

  /** Lets operations on `file` report here under `key`. */
  associate(file: number, key: number): void {
    mustWin('CreateIoCompletionPort', () => this.calls.CreateIoCompletionPort(file, this.handle, key, 0));
  }

  /**
   * Waits up to `timeoutMillis` (INFINITE: without limit) for packets, and tells their targets.
   *
   * @throws SysError
   */
  pump(timeoutMillis: number): void {
    const { entries, targets } = this;
    let timeout = timeoutMillis;
    for (let rounds = 0; rounds < ROUNDS_MAX; rounds++) {
      const count = this.take(timeout);
      for (let i = 0; i < count; i++) targets.get(entries.u32(i, KEY))?.completed();
      if (count < ENTRIES_MAX) return;
      timeout = 0;
    }
  }

  /** While anybody holds it, packets that arrive are pumped from Node's loop. */
  hold(): void {
    this.holders++;
    this.doorbell ??= new Doorbell(this.handle, () => this.rung());
    this.doorbell.arm();
  }

  release(): void {
    this.holders--;
  }

  private rung(): void {
    if (this.holders === 0) return;
    // Armed first: what comes after the pump must ring again.
    this.doorbell!.arm();
    this.pump(0);
  }

  private take(timeoutMillis: number): number {
    const { arena } = this;
    arena.u32[COUNT_AT / 4] = 0;
    const done = this.calls.GetQueuedCompletionStatusEx(
      this.handle,
      arena.address,
      ENTRIES_MAX,
      arena.address + COUNT_AT,
      timeoutMillis,
      0,
    );
    if (done !== 0) return arena.u32[COUNT_AT / 4]!;
    const code = this.calls.GetLastError();
    if (code === WAIT_TIMEOUT) return 0;
    throw sysError(windowsErrorName(code), 'GetQueuedCompletionStatusEx');
  }

  private open(): void {
    // One thread takes from it.
    this.handle = mustWin('CreateIoCompletionPort', () =>
      this.calls.CreateIoCompletionPort(INVALID_HANDLE_VALUE, 0, 0, 1),
    );
    this.calls.timeBeginPeriod?.(TIMER_MILLIS);
  }

  private close(): void {
    this.calls.timeEndPeriod?.(TIMER_MILLIS);
    const { handle, calls, doorbell } = this;
    this.handle = 0;
    this.doorbell = null;
    if (doorbell === null) calls.CloseHandle(handle);
    // Another thread still has the number: it may belong to somebody else as soon as it is closed.
    else doorbell.end(() => calls.CloseHandle(handle));
  }
}

/** Milliseconds for a wait of `micros`, never too short; INFINITE from `longestMicros` on. */
export function millisOf(micros: number, longestMicros: number): number {
  return micros >= longestMicros ? INFINITE : Math.min(Math.ceil(micros / 1000), INFINITE - 1);
}
