/**
 * Memory that the kernel may write to until an operation is done: nobody may unmap it before, whatever becomes of the
 * socket. So whoever has operations under way is held here, also when everybody else has forgotten it.
 */

/** Something with operations under way. */
export interface Operations {
  /** Whether the kernel is done with all of its memory. Asked after the socket was closed. */
  settled(): boolean;
}

const live = new Set<Operations>();
const closed = new Set<Operations>();

/** Holds `operations` until they are closed and settled. */
export function holdOperations(operations: Operations): void {
  live.add(operations);
}

/** The socket is closed: lets go of the memory as soon as the kernel has. */
export function closeOperations(operations: Operations): void {
  if (live.delete(operations)) closed.add(operations);
  releaseSettled();
}

/** Lets go of what has been settled since. Cheap where nothing is closed. */
export function releaseSettled(): void {
  for (const operations of closed) if (operations.settled()) closed.delete(operations);
}

/** How many closed sockets the kernel is not yet done with: for tests. */
export function unsettledCount(): number {
  return closed.size;
}
