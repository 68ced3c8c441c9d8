/**
 * What the kernel asks of a program before it takes it (`bpf_check_classic` of Linux): known instructions, jumps within
 * the program, memory within its sixteen words, no division by a constant zero, a return at the end.
 *
 * A program that passes always ends, because jumps go forward only.
 */

import {
  BPF_ABS,
  BPF_ALU,
  BPF_B,
  BPF_DIV,
  BPF_H,
  BPF_IMM,
  BPF_IND,
  BPF_JA,
  BPF_JEQ,
  BPF_JGE,
  BPF_JGT,
  BPF_JMP,
  BPF_JSET,
  BPF_K,
  BPF_LD,
  BPF_LDX,
  BPF_LEN,
  BPF_LSH,
  BPF_MEM,
  BPF_MEMORY_WORDS,
  BPF_MISC,
  BPF_MOD,
  BPF_MSH,
  BPF_NEG,
  BPF_RET,
  BPF_RSH,
  BPF_ST,
  BPF_STX,
  BPF_TAX,
  BPF_TXA,
  BPF_W,
  BPF_X,
  BPF_XOR,
  type FilterProgram,
  INSTRUCTIONS_MAX,
} from './program.ts';

/** Every code there is. */
const KNOWN: ReadonlySet<number> = new Set([
  ...[BPF_W, BPF_H, BPF_B].flatMap((size) => [BPF_LD | BPF_ABS | size, BPF_LD | BPF_IND | size]),
  ...[BPF_LD, BPF_LDX].flatMap((kind) => [kind | BPF_IMM, kind | BPF_MEM, kind | BPF_LEN]),
  BPF_LDX | BPF_MSH | BPF_B,
  BPF_ST,
  BPF_STX,
  ...alu(),
  BPF_JMP | BPF_JA,
  ...[BPF_JEQ, BPF_JGT, BPF_JGE, BPF_JSET].flatMap((test) => [BPF_JMP | test, BPF_JMP | test | BPF_X]),
  BPF_RET,
  BPF_RET | 0x10, // returns A
  BPF_MISC | BPF_TAX,
  BPF_MISC | BPF_TXA,
]);

function alu(): number[] {
  const codes = [BPF_ALU | BPF_NEG];
  for (let operation = 0; operation <= BPF_XOR; operation += 0x10)
    if (operation !== BPF_NEG) codes.push(BPF_ALU | operation, BPF_ALU | operation | BPF_X);
  return codes;
}

/** What is wrong with a program, in a sentence; null when the kernel takes it. */
export function verify(program: FilterProgram): string | null {
  const { length, codes, operands } = program;
  if (length === 0) return 'a program without an instruction';
  if (length > INSTRUCTIONS_MAX) return `${length} instructions; at most ${INSTRUCTIONS_MAX}`;
  for (let i = 0; i < length; i++) {
    const code = codes[i]!;
    const operand = operands[i]!;
    if (!KNOWN.has(code)) return `instruction ${i}: no such code: 0x${code.toString(16)}`;
    const memory = code === BPF_ST || code === BPF_STX || ((code & 7) <= BPF_LDX && (code & 0xe0) === BPF_MEM);
    if (memory && (operand < 0 || operand >= BPF_MEMORY_WORDS))
      return `instruction ${i}: no such word of memory: ${operand}`;
    if ((code === (BPF_ALU | BPF_DIV | BPF_K) || code === (BPF_ALU | BPF_MOD | BPF_K)) && operand === 0)
      return `instruction ${i}: divides by 0`;
    if ((code === (BPF_ALU | BPF_LSH | BPF_K) || code === (BPF_ALU | BPF_RSH | BPF_K)) && operand >>> 0 > 31)
      return `instruction ${i}: shifts by ${operand >>> 0}`;
    if ((code & 7) !== BPF_JMP) continue;
    const room = length - i - 1;
    const farthest =
      code === (BPF_JMP | BPF_JA) ? operand >>> 0 : Math.max(program.jumpTrue[i]!, program.jumpFalse[i]!);
    if (farthest >= room) return `instruction ${i}: jumps beside the program`;
  }
  return (codes[length - 1]! & 7) === BPF_RET ? null : 'the last instruction is no return';
}
