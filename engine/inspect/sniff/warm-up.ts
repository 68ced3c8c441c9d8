/**
 * Lets V8 compile the way of a packet before the first one comes: at 400,000 packets a second interpreted code falls behind
 * by more than the ring holds while the compiler waits for a busy processor.
 */

import { PacketWatch } from './packet-watch.ts';

/** Enough for the optimizing compiler to have been through; about 30 ms. */
const PACKETS = 40_000;
/** Frames in a block's worth of memory: as the ring has them, one behind the other. */
const FRAMES = 64;
const STRIDE_BYTES = 256;
const FRAME_BYTES = 42 + 100;
/** Ethernet, IPv4 and UDP from 10.0.0.x:50000 to 10.0.0.254:40000. */
const HEADERS: readonly number[] = [
  ...[2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0],
  ...[0x45, 0, 0, FRAME_BYTES - 14, 0, 0, 0x40, 0, 64, 17, 0, 0, 10, 0, 0, 0, 10, 0, 0, 254],
  ...[0xc3, 0x50, 0x9c, 0x40, 0, FRAME_BYTES - 34, 0, 0],
];
const SOURCE_AT = 29;
const PREFIX_AT = 42;
/** netcode payload with a number of four bytes. */
const PREFIX = 0x45;

/** Counts made-up packets in tables that are thrown away. */
export function warmUp(): void {
  const bytes = new Uint8Array(FRAMES * STRIDE_BYTES);
  for (let i = 0; i < FRAMES; i++) {
    bytes.set(HEADERS, i * STRIDE_BYTES);
    bytes[i * STRIDE_BYTES + SOURCE_AT] = i;
    if (i % 2 === 0) bytes[i * STRIDE_BYTES + PREFIX_AT] = PREFIX;
  }
  const watch = new PacketWatch(1);
  for (let i = 0; i < PACKETS; i++) {
    const at = (i % FRAMES) * STRIDE_BYTES;
    bytes[at + PREFIX_AT + 1] = i >> 6;
    bytes[at + PREFIX_AT + 2] = i >> 14;
    watch.addFrame(bytes, at, at + FRAME_BYTES, FRAME_BYTES, i >> 12, i);
  }
}
