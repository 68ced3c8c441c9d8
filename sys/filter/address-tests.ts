/** Tests that Ethernet frames and UDP sockets have in common: addresses and ports at known offsets. */

import type { AddressPattern, Direction } from './expression.ts';
import { ALWAYS, all, any, atLeast, atMost, type Condition, equals, type Load, loadAt } from './packet-test.ts';

/** The condition for the source, the destination, either or both. */
export function inDirection(direction: Direction, source: () => Condition, destination: () => Condition): Condition {
  switch (direction) {
    case 'source':
      return source();
    case 'destination':
      return destination();
    case 'either':
      return any(source(), destination());
    case 'both':
      return all(source(), destination());
  }
}

/** Whether the address at `offset` is of the pattern, four bytes a test. Words whose bits do not count are not loaded. */
export function addressAt(offset: number, { bytes, mask }: AddressPattern): Condition {
  const words: Condition[] = [];
  for (let i = 0; i < bytes.length; i += 4) {
    const bits = wordAt(mask, i);
    if (bits !== 0) words.push(equals(loadAt(offset + i, 4, bits), wordAt(bytes, i)));
  }
  const [first, ...rest] = words;
  return first === undefined ? ALWAYS : all(first, ...rest);
}

/** Whether a port is within `first .. last`. */
export function portWithin(port: Load, first: number, last: number): Condition {
  return first === last ? equals(port, first) : all(atLeast(port, first), atMost(port, last));
}

/** Whether the length of the packet is within `first .. last`. */
export function lengthWithin(length: Load, first: number, last: number): Condition {
  return first === 0 ? atMost(length, last) : atLeast(length, first);
}

function wordAt(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
}
