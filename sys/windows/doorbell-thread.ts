/** The thread of a `Doorbell`. Exists as built code only (`dist/`): Node 20 runs no TypeScript. */

import { parentPort, workerData } from 'node:worker_threads';
import { NativeArena } from '../ffi/arena.ts';
import { type Field, StructArray } from '../ffi/struct.ts';
import { OverlappedEntry } from './abi.ts';
import { windowsCalls } from './calls.ts';
import { DOORBELL_KEY, LEAVING, LEFT, PORT, RANG, READY, RESTING, STATE, WATCHING } from './doorbell.ts';

/** How long the thread may be out of reach of `worker.terminate()`. */
const WAIT_MILLIS = 250;

const KEY = OverlappedEntry.key as number as Field<'u32'>;
const OVERLAPPED_LOW = OverlappedEntry.overlapped as number as Field<'u32'>;
const OVERLAPPED_HIGH = ((OverlappedEntry.overlapped as number) + 4) as Field<'u32'>;
const COUNT_AT: number = OverlappedEntry.SIZE;

function ring(shared: Int32Array): never {
  const calls = windowsCalls();
  const arena = NativeArena.map(COUNT_AT + 8);
  const entry = new StructArray(arena, OverlappedEntry, 0, 1);
  parentPort!.postMessage(READY);
  for (;;) {
    Atomics.wait(shared, STATE, RESTING);
    if (Atomics.load(shared, STATE) === LEAVING) {
      Atomics.store(shared, STATE, RESTING);
      parentPort!.postMessage(LEFT);
      continue;
    }
    const port = Atomics.load(shared, PORT);
    const took = calls.GetQueuedCompletionStatusEx(port, arena.address, 1, arena.address + COUNT_AT, WAIT_MILLIS, 0);
    if (took === 0 || entry.u32(0, KEY) === DOORBELL_KEY) continue;
    // Rests before it gives back and rings: whoever arms it afterwards has not yet seen the packet.
    Atomics.compareExchange(shared, STATE, WATCHING, RESTING);
    calls.PostQueuedCompletionStatus(
      port,
      entry.u32(0, OverlappedEntry.transferred),
      entry.u32(0, KEY),
      entry.u32(0, OVERLAPPED_HIGH) * 2 ** 32 + entry.u32(0, OVERLAPPED_LOW),
    );
    parentPort!.postMessage(RANG);
  }
}

ring(workerData as Int32Array);
