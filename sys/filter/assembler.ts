/**
 * Lays out a graph of tests as instructions: loads that are still in the registers are not made again, and a jump that
 * reaches farther than 255 instructions goes by way of an unconditional one, which reaches anywhere.
 */

import { headerLength, type PacketTest } from './packet-test.ts';
import { BPF_JA, BPF_JMP, BPF_RET, FilterProgram, type Instruction, SKIP_MAX } from './program.ts';
import { ACCEPT, type TestGraph } from './test-graph.ts';

/** What A and X hold, as the key of a load and the place of a header; null for anything else. */
interface Registers {
  a: string | null;
  x: number | null;
}

/** A node as instructions, before jumps know how far they go. */
interface Block {
  readonly loads: readonly Instruction[];
  readonly test: PacketTest;
  readonly whenTrue: number;
  readonly whenFalse: number;
  /** Whether the way goes by an unconditional jump behind the conditional one. */
  farTrue: boolean;
  farFalse: boolean;
}

/** @param keepBytes what a program returns that accepts: bytes of the packet to keep */
export function assemble(graph: TestGraph, keepBytes: number): FilterProgram {
  const blocks = blocksOf(graph);
  // Each round may only make jumps longer, so it ends after as many rounds as there are jumps.
  while (lengthen(blocks)) {}
  const at = positions(blocks);
  const end = at[blocks.length]!;
  const positionOf = (target: number): number => (target >= 0 ? at[target]! : target === ACCEPT ? end : end + 1);
  const instructions: Instruction[] = [];
  if (blocks.length === 0) instructions.push(accept(graph.entry === ACCEPT ? keepBytes : 0));
  for (const { loads, test, whenTrue, whenFalse, farTrue, farFalse } of blocks) {
    instructions.push(...loads);
    const next = instructions.length + 1;
    instructions.push({
      code: BPF_JMP | test.operation,
      jumpTrue: farTrue ? 0 : positionOf(whenTrue) - next,
      jumpFalse: farFalse ? (farTrue ? 1 : 0) : positionOf(whenFalse) - next,
      operand: test.operand,
    });
    if (farTrue) instructions.push(always(positionOf(whenTrue) - instructions.length - 1));
    if (farFalse) instructions.push(always(positionOf(whenFalse) - instructions.length - 1));
  }
  if (blocks.length > 0) instructions.push(accept(keepBytes), accept(0));
  return new FilterProgram(instructions);
}

function blocksOf({ nodes }: TestGraph): Block[] {
  const before: (Registers | null)[] = nodes.map(() => null);
  return nodes.map(({ test, whenTrue, whenFalse }, number) => {
    const { load } = test;
    const found = before[number] ?? { a: null, x: null };
    const loads: Instruction[] = [];
    if (found.a !== load.key) {
      if (load.headerAt !== null && found.x !== load.headerAt) loads.push(headerLength(load.headerAt));
      loads.push(...load.instructions);
    }
    const after: Registers = { a: load.key, x: load.headerAt ?? found.x };
    for (const target of [whenTrue, whenFalse]) {
      if (target < 0) continue;
      const other = before[target];
      before[target] =
        other == null ? after : { a: other.a === after.a ? after.a : null, x: other.x === after.x ? after.x : null };
    }
    return { loads, test, whenTrue, whenFalse, farTrue: false, farFalse: false };
  });
}

/** Number of the first instruction of each block, and one past the last. */
function positions(blocks: readonly Block[]): number[] {
  const at = [0];
  for (const { loads, farTrue, farFalse } of blocks)
    at.push(at.at(-1)! + loads.length + 1 + (farTrue ? 1 : 0) + (farFalse ? 1 : 0));
  return at;
}

/** Makes jumps far that reach too far; whether there was one. */
function lengthen(blocks: readonly Block[]): boolean {
  const at = positions(blocks);
  const end = at[blocks.length]!;
  let changed = false;
  for (const [number, block] of blocks.entries()) {
    const next = at[number]! + block.loads.length + 1;
    const skip = (target: number): number => (target >= 0 ? at[target]! : target === ACCEPT ? end : end + 1) - next;
    if (!block.farTrue && skip(block.whenTrue) > SKIP_MAX) changed = block.farTrue = true;
    if (!block.farFalse && skip(block.whenFalse) > SKIP_MAX) changed = block.farFalse = true;
  }
  return changed;
}

function always(skip: number): Instruction {
  return { code: BPF_JMP | BPF_JA, jumpTrue: 0, jumpFalse: 0, operand: skip };
}

function accept(keepBytes: number): Instruction {
  return { code: BPF_RET, jumpTrue: 0, jumpFalse: 0, operand: keepBytes };
}
