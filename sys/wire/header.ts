/**
 * What the headers of this folder have in common.
 *
 * A header here is a flyweight: one object that is pointed at bytes (`wrap`), asked whether they are such a header
 * (`check`), and then read and written through named fields. One object serves every packet, so nothing is allocated.
 *
 * - Each file has five parts in one order: offsets, check, getters, setters, plain values.
 * - `wrap` is given the end of what may be read: that of the frame, or of the payload of the header before.
 * - Fields may be read after a `check()` of `WHOLE` or `CUT` and are nonsense (but harmless) otherwise.
 * - A field of 32 bits is a signed number, as everywhere in `sys`: an unsigned one beyond 31 bits may be boxed.
 *   `value >>> 0` is what people expect to see.
 * - Addresses are never made into values: `sourceAt` says where one lies, `canonical.ts` copies it.
 * - There is no common base class on purpose: a `wrap` shared by nine shapes of object is several times slower.
 */

/** `check()`: the header is whole, and so is all that it says it carries. */
export const WHOLE = 0;
/** `check()`: the header is whole, what it carries was cut off (a capture with a limit, a quote in an ICMP error). */
export const CUT = 1;
/** `check()`: the bytes end within the header. */
export const SHORT = 2;
/** `check()`: the bytes contradict themselves, or are something else. */
export const WRONG = 3;

/** What every flyweight offers. */
export interface Header {
  readonly bytes: Uint8Array;
  /** Of its first byte. */
  readonly offset: number;
  /** One past the last byte that may be read. */
  readonly end: number;
  /** Points it at `bytes[offset .. end)`, which stay the caller's. `end` must be within `bytes`. */
  wrap(bytes: Uint8Array, offset: number, end: number): this;
  /** `WHOLE`, `CUT`, `SHORT` or `WRONG`. Never throws, reads nothing outside the range. */
  check(): number;
  /** The fields as an object, for people and tests. Allocates. */
  toPlain(): object;
}

/** What a flyweight points at before its first `wrap`. */
export const NOTHING: Uint8Array = new Uint8Array(0);

/** The 16 bits at `at`, in network order. */
export function u16(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!;
}

export function setU16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 8; // the array keeps the low 8 bits
  bytes[at + 1] = value;
}

/** The 32 bits at `at`, in network order, as a signed number. */
export function i32(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
}

/** `value` may be signed or unsigned. */
export function setI32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}
