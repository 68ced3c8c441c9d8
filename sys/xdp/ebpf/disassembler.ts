/** eBPF as text, a line for each instruction, in the words of the assembler: for tests, and for whoever reads a verifier's log. */

import {
  ALU,
  ALU_SWAP,
  ATOMIC_ADD,
  CLASS_ALU32,
  CLASS_ALU64,
  CLASS_JUMP,
  CLASS_LDX,
  CLASS_ST,
  CLASS_STX,
  HELPERS,
  INSTRUCTION_BYTES,
  JUMP_ALWAYS,
  JUMP_CALL,
  JUMP_EXIT,
  JUMPS,
  LOAD_IMM64,
  MODE_ATOMIC,
  MODE_MEMORY,
  PSEUDO_MAP_FD,
  SOURCE_REGISTER,
  WIDTHS,
} from './instructions.ts';

const CLASS_MASK = 0x07;
const WIDTH_MASK = 0x18;
const MODE_MASK = 0xe0;
const OPERATION_MASK = 0xf0;

/**
 * The lines of `program`. Jumps name the instruction that they go to (`-> 7`), as the verifier's log does.
 *
 * An instruction that the assembler cannot write is shown as its bytes.
 */
export function disassemble(program: Uint8Array): string[] {
  const view = new DataView(program.buffer, program.byteOffset, program.byteLength);
  const lines: string[] = [];
  for (let i = 0; i * INSTRUCTION_BYTES < program.length; i++) {
    const at = i * INSTRUCTION_BYTES;
    if (program[at] === LOAD_IMM64 && at + INSTRUCTION_BYTES < program.length) {
      lines.push(`${i}: ${wideText(view, at)}`);
      i++;
    } else {
      lines.push(`${i}: ${textOf(view, at, i) ?? bytesText(program, at)}`);
    }
  }
  return lines;
}

function wideText(view: DataView, at: number): string {
  const target = `r${view.getUint8(at + 1) & 15}`;
  const low = view.getInt32(at + 4, true);
  if (view.getUint8(at + 1) >> 4 === PSEUDO_MAP_FD) return `map ${target}, ${low}`;
  const value = (BigInt(view.getInt32(at + 12, true)) << 32n) | BigInt.asUintN(32, BigInt(low));
  return `mov64 ${target}, ${value}`;
}

function textOf(view: DataView, at: number, index: number): string | null {
  const opcode = view.getUint8(at);
  const target = `r${view.getUint8(at + 1) & 15}`;
  const source = `r${view.getUint8(at + 1) >> 4}`;
  const offset = view.getInt16(at + 2, true);
  const constant = view.getInt32(at + 4, true);
  const operand = opcode & SOURCE_REGISTER ? source : String(constant);
  const width = nameOf(WIDTHS, opcode & WIDTH_MASK);
  const there = (base: string) => `[${base}${offset < 0 ? '' : '+'}${offset}]`;
  switch (opcode & CLASS_MASK) {
    case CLASS_ALU64:
    case CLASS_ALU32: {
      const suffix = (opcode & CLASS_MASK) === CLASS_ALU32 ? '32' : '';
      if ((opcode & OPERATION_MASK) === ALU_SWAP) return `swap ${target}, ${constant}`;
      const name = nameOf(ALU, opcode & OPERATION_MASK);
      return name === null ? null : `${name}${suffix} ${target}, ${operand}`;
    }
    case CLASS_LDX:
      return (opcode & MODE_MASK) === MODE_MEMORY ? `load ${width} ${target}, ${there(source)}` : null;
    case CLASS_ST:
      return (opcode & MODE_MASK) === MODE_MEMORY ? `store ${width} ${there(target)}, ${constant}` : null;
    case CLASS_STX:
      if ((opcode & MODE_MASK) === MODE_MEMORY) return `store ${width} ${there(target)}, ${source}`;
      return (opcode & MODE_MASK) === MODE_ATOMIC && constant === ATOMIC_ADD
        ? `atomicAdd ${width} ${there(target)}, ${source}`
        : null;
    case CLASS_JUMP: {
      const operation = opcode & OPERATION_MASK;
      if (operation === JUMP_EXIT) return 'exit';
      if (operation === JUMP_CALL) return `call ${nameOf(HELPERS, constant) ?? constant}`;
      const to = index + 1 + offset;
      if (operation === JUMP_ALWAYS) return `goto -> ${to}`;
      const name = nameOf(JUMPS, operation);
      return name === null ? null : `${name} ${target}, ${operand} -> ${to}`;
    }
    default:
      return null;
  }
}

function nameOf(table: Readonly<Record<string, number>>, value: number): string | null {
  return Object.keys(table).find((name) => table[name] === value) ?? null;
}

function bytesText(program: Uint8Array, at: number): string {
  return [...program.subarray(at, at + INSTRUCTION_BYTES)].map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
}
