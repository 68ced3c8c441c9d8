/** Shows a program as people read it: the notation of bpf(4) and of `tcpdump -d`. */

import {
  BPF_A,
  BPF_ABS,
  BPF_ALU,
  BPF_B,
  BPF_H,
  BPF_IMM,
  BPF_IND,
  BPF_JA,
  BPF_JMP,
  BPF_LD,
  BPF_LDX,
  BPF_LEN,
  BPF_MEM,
  BPF_NEG,
  BPF_RET,
  BPF_ST,
  BPF_STX,
  BPF_TAX,
  BPF_X,
  type FilterProgram,
} from './program.ts';

const ALU_NAMES = ['add', 'sub', 'mul', 'div', 'or', 'and', 'lsh', 'rsh', 'neg', 'mod', 'xor'];
const JUMP_NAMES = ['ja', 'jeq', 'jgt', 'jge', 'jset'];

/** One line an instruction, each with its number; the targets of jumps are numbers of instructions. */
export function disassemble(program: FilterProgram): string {
  return Array.from({ length: program.length }, (_, i) => line(program, i)).join('\n');
}

function line(program: FilterProgram, i: number): string {
  const code = program.codes[i]!;
  const k = program.operands[i]!;
  const number = `(${String(i).padStart(3, '0')})`;
  const [name, operand] = words(code, k, i);
  if ((code & 7) !== BPF_JMP || code === (BPF_JMP | BPF_JA)) return `${number} ${name.padEnd(8)} ${operand}`.trimEnd();
  const targets = `jt ${i + 1 + program.jumpTrue[i]!}\tjf ${i + 1 + program.jumpFalse[i]!}`;
  return `${number} ${name.padEnd(8)} ${operand.padEnd(16)} ${targets}`;
}

function words(code: number, k: number, i: number): [name: string, operand: string] {
  const immediate = `#0x${(k >>> 0).toString(16)}`;
  const source = (code & BPF_X) === 0 ? immediate : 'x';
  switch (code & 7) {
    case BPF_LD:
      return [`ld${sizeName(code)}`, place(code, k, immediate)];
    case BPF_LDX:
      if ((code & 0xe0) === BPF_IMM || (code & 0xe0) === BPF_MEM || (code & 0xe0) === BPF_LEN)
        return ['ldx', place(code, k, immediate)];
      return ['ldxb', `4*([${k}]&0xf)`];
    case BPF_ST:
      return ['st', `M[${k}]`];
    case BPF_STX:
      return ['stx', `M[${k}]`];
    case BPF_ALU:
      return (code & 0xf0) === BPF_NEG
        ? ['neg', '']
        : [ALU_NAMES[(code & 0xf0) >>> 4] ?? 'unknown', aluSource(code, k, source)];
    case BPF_JMP:
      return code === (BPF_JMP | BPF_JA)
        ? ['ja', String(i + 1 + k)]
        : [JUMP_NAMES[(code & 0xf0) >>> 4] ?? 'unknown', source];
    case BPF_RET:
      return ['ret', (code & 0x18) === BPF_A ? '' : `#${k >>> 0}`];
    default:
      return [(code & 0xf8) === BPF_TAX ? 'tax' : 'txa', ''];
  }
}

/** Shifts and factors are shown as numbers, masks as hexadecimal ones. */
function aluSource(code: number, k: number, source: string): string {
  const mask = ['and', 'or', 'xor'].includes(ALU_NAMES[(code & 0xf0) >>> 4]!);
  return (code & BPF_X) !== 0 || mask ? source : `#${k >>> 0}`;
}

function sizeName(code: number): string {
  return (code & 0x18) === BPF_H ? 'h' : (code & 0x18) === BPF_B ? 'b' : '';
}

function place(code: number, k: number, immediate: string): string {
  switch (code & 0xe0) {
    case BPF_ABS:
      return `[${k}]`;
    case BPF_IND:
      return `[x + ${k}]`;
    case BPF_MEM:
      return `M[${k}]`;
    case BPF_LEN:
      return '#pktlen';
    default:
      return immediate;
  }
}
