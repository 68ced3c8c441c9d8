/** Tests that a program makes of a packet, and how they are joined: between what a filter says and the instructions. */

import {
  BPF_ABS,
  BPF_ALU,
  BPF_AND,
  BPF_B,
  BPF_H,
  BPF_IND,
  BPF_JEQ,
  BPF_JGE,
  BPF_JGT,
  BPF_JSET,
  BPF_LD,
  BPF_LDX,
  BPF_LEN,
  BPF_MSH,
  BPF_W,
  type Instruction,
} from './program.ts';

/** What a test looks at, as instructions that bring it to A. Equal keys are equal instructions. */
export interface Load {
  readonly key: string;
  readonly instructions: readonly Instruction[];
  /** Loads X before: the length of the IPv4 header that starts here; null where X is not needed. */
  readonly headerAt: number | null;
}

/** Compares A with a number. A load beside the packet ends the program: the packet is dropped. */
export interface PacketTest {
  readonly load: Load;
  /** BPF_JEQ, BPF_JGT, BPF_JGE or BPF_JSET; numbers have no sign. */
  readonly operation: number;
  readonly operand: number;
}

/** Tests joined, in the order in which they are made. */
export type Condition =
  | { readonly kind: 'test'; readonly test: PacketTest }
  | { readonly kind: 'and' | 'or'; readonly left: Condition; readonly right: Condition }
  | { readonly kind: 'not'; readonly of: Condition }
  | { readonly kind: 'always'; readonly value: boolean };

/** Bytes that one load brings: 1, 2 or 4. */
export type Width = 1 | 2 | 4;
const SIZES: Readonly<Record<Width, number>> = { 1: BPF_B, 2: BPF_H, 4: BPF_W };

export const ALWAYS: Condition = { kind: 'always', value: true };
export const NEVER_HOLDS: Condition = { kind: 'always', value: false };

/** The `width` bytes at `offset` of the packet, as far as `mask` has bits. */
export function loadAt(offset: number, width: Width, mask = 0xffff_ffff): Load {
  return masked(`${width}@${offset}`, { code: BPF_LD | BPF_ABS | SIZES[width], operand: offset }, mask, null);
}

/** The `width` bytes at `offset` behind the IPv4 header that starts at `headerAt`. */
export function loadBehind(headerAt: number, offset: number, width: Width): Load {
  const load = { code: BPF_LD | BPF_IND | SIZES[width], operand: headerAt + offset };
  return masked(`${width}@${offset} behind ${headerAt}`, load, 0xffff_ffff, headerAt);
}

/** The length of the packet. */
export function loadLength(): Load {
  return masked('length', { code: BPF_LD | BPF_LEN, operand: 0 }, 0xffff_ffff, null);
}

/** The instruction that brings to X the length of the IPv4 header at `headerAt`. */
export function headerLength(headerAt: number): Instruction {
  return { code: BPF_LDX | BPF_MSH | BPF_B, jumpTrue: 0, jumpFalse: 0, operand: headerAt };
}

function masked(key: string, load: { code: number; operand: number }, mask: number, headerAt: number | null): Load {
  const plain = { ...load, jumpTrue: 0, jumpFalse: 0 };
  if (mask === 0xffff_ffff) return { key, instructions: [plain], headerAt };
  const and = { code: BPF_ALU | BPF_AND, jumpTrue: 0, jumpFalse: 0, operand: mask };
  return { key: `${key} & ${mask}`, instructions: [plain, and], headerAt };
}

export function equals(load: Load, operand: number): Condition {
  return { kind: 'test', test: { load, operation: BPF_JEQ, operand: operand >>> 0 } };
}

export function atLeast(load: Load, operand: number): Condition {
  return { kind: 'test', test: { load, operation: BPF_JGE, operand: operand >>> 0 } };
}

export function atMost(load: Load, operand: number): Condition {
  return not({ kind: 'test', test: { load, operation: BPF_JGT, operand: operand >>> 0 } });
}

/** Whether any of the bits of `operand` is set. */
export function hasBits(load: Load, operand: number): Condition {
  return { kind: 'test', test: { load, operation: BPF_JSET, operand: operand >>> 0 } };
}

/** All of the conditions, tested in order. */
export function all(first: Condition, ...rest: readonly Condition[]): Condition {
  return rest.reduce((left, right): Condition => ({ kind: 'and', left, right }), first);
}

/** Any of the conditions, tested in order. */
export function any(first: Condition, ...rest: readonly Condition[]): Condition {
  return rest.reduce((left, right): Condition => ({ kind: 'or', left, right }), first);
}

export function not(of: Condition): Condition {
  return { kind: 'not', of };
}
