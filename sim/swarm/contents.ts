/**
 * What is in the messages of the swarm: bytes that follow from a ledger and a number, written and compared without a copy.
 *
 * A message says where it belongs: the number of its ledger, its own number, then bytes of a linear congruence that began
 * with both. Four steps of the congruence are taken at once, each in a lane of its own, since a step waits for the one
 * before it: that is three times as fast, and the bytes are those of one lane.
 */

/** Number of the ledger, number of the message. Shorter messages are known by their place in the order alone. */
export const HEAD_BYTES = 5;

const SPREAD = 0x9e37_79b1;
/** A step of the congruence (Numerical Recipes), and what four of them are: x -> A^4 x + C (A^3 + A^2 + A + 1). */
const A = 1_664_525;
const C = 1_013_904_223;
const A_4 = Math.imul(Math.imul(A, A), Math.imul(A, A));
const C_4 = step(step(step(step(0))));

/** Writes message `number` of ledger `lane` into all of `bytes`. */
export function fillMessage(bytes: Uint8Array, lane: number, number: number): void {
  const { length } = bytes;
  let a = step(Math.imul(number + 1, SPREAD) ^ lane);
  let b = step(a);
  let c = step(b);
  let d = step(c);
  let i = 0;
  for (; i + 4 <= length; i += 4) {
    bytes[i] = a >>> 24;
    bytes[i + 1] = b >>> 24;
    bytes[i + 2] = c >>> 24;
    bytes[i + 3] = d >>> 24;
    a = (Math.imul(a, A_4) + C_4) | 0;
    b = (Math.imul(b, A_4) + C_4) | 0;
    c = (Math.imul(c, A_4) + C_4) | 0;
    d = (Math.imul(d, A_4) + C_4) | 0;
  }
  for (; i < length; i++, a = step(a)) bytes[i] = a >>> 24;
  if (length < HEAD_BYTES) return;
  for (i = 0; i < HEAD_BYTES; i++) bytes[i] = headByte(i, lane, number);
}

/** Where `bytes` first differ from message `number` of ledger `lane`; -1: nowhere. */
export function firstDifference(bytes: Uint8Array, lane: number, number: number): number {
  const { length } = bytes;
  let a = step(Math.imul(number + 1, SPREAD) ^ lane);
  let i = 0;
  if (length >= HEAD_BYTES) {
    for (; i < HEAD_BYTES; i++, a = step(a)) if (bytes[i] !== headByte(i, lane, number)) return i;
  }
  let b = step(a);
  let c = step(b);
  let d = step(c);
  for (; i + 4 <= length; i += 4) {
    const wrong =
      (bytes[i]! ^ (a >>> 24)) |
      (bytes[i + 1]! ^ (b >>> 24)) |
      (bytes[i + 2]! ^ (c >>> 24)) |
      (bytes[i + 3]! ^ (d >>> 24));
    if (wrong !== 0) break;
    a = (Math.imul(a, A_4) + C_4) | 0;
    b = (Math.imul(b, A_4) + C_4) | 0;
    c = (Math.imul(c, A_4) + C_4) | 0;
    d = (Math.imul(d, A_4) + C_4) | 0;
  }
  for (; i < length; i++, a = step(a)) if (bytes[i] !== a >>> 24) return i;
  return -1;
}

/** The number that a message of at least HEAD_BYTES says it has. */
export function numberIn(bytes: Uint8Array): number {
  return (bytes[1]! | (bytes[2]! << 8) | (bytes[3]! << 16) | (bytes[4]! << 24)) >>> 0;
}

function headByte(at: number, lane: number, number: number): number {
  return (at === 0 ? lane : number >>> ((at - 1) * 8)) & 0xff;
}

function step(state: number): number {
  return (Math.imul(state, A) + C) | 0;
}
