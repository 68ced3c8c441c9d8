/** Steps that the tests of Linux sockets share. */

import { ADDRESS_BYTES, type DatagramSocket, type Poller, READABLE, type Sys } from '../../../sys/api.ts';

/** How long a datagram on loopback may take. */
const PATIENCE_MICROS = 2_000_000;

/** Appends a datagram of `size` bytes that all say `mark`. */
export function append(socket: DatagramSocket, to: Uint8Array, size: number, mark: number): void {
  const { tx } = socket;
  const slot = tx.count++;
  tx.offset[slot] = tx.home(slot);
  tx.length[slot] = size;
  tx.address.set(to, slot * ADDRESS_BYTES);
  tx.localAddress?.fill(0, slot * ADDRESS_BYTES, (slot + 1) * ADDRESS_BYTES);
  tx.arena.fill(mark, tx.home(slot), tx.home(slot) + size);
}

/** What came: `[bytes, mark]` of each, in order; the mark is -1 where the bytes do not all say the same. */
export function marksOf(socket: DatagramSocket): [number, number][] {
  const { rx } = socket;
  const marks: [number, number][] = [];
  for (let slot = 0; slot < rx.count; slot++) {
    const bytes = rx.arena.subarray(rx.offset[slot]!, rx.offset[slot]! + rx.length[slot]!);
    const mark = bytes.length === 0 ? 0 : bytes[0]!;
    marks.push([bytes.length, bytes.every((byte) => byte === mark) ? mark : -1]);
  }
  return marks;
}

/** Waits until something waits in `socket`, and receives it. */
export function awaitReceive(sys: Sys, socket: DatagramSocket): number {
  const poller: Poller = sys.openPoller();
  try {
    poller.add(socket, 1, READABLE);
    return poller.wait(PATIENCE_MICROS) === 0 ? 0 : socket.receive();
  } finally {
    poller.close();
  }
}

/** Receives until `count` datagrams have come or nothing more comes; returns their marks. */
export function collectMarks(sys: Sys, socket: DatagramSocket, count: number): [number, number][] {
  const marks: [number, number][] = [];
  while (marks.length < count && awaitReceive(sys, socket) > 0) marks.push(...marksOf(socket));
  return marks;
}
