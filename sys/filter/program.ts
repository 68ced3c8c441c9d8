/**
 * A program of classic BPF: what the kernel runs on each packet before a socket gets it (`linux/filter.h`, BSD's bpf(4)).
 *
 * A machine of two registers (A, X), sixteen words of memory, and jumps that only go forward, so every program ends. A
 * program returns how many bytes of the packet to keep; 0 drops it. A load beside the packet drops it too.
 *
 * Columns, one entry an instruction: `codes`, `jumpTrue`, `jumpFalse` (instructions to skip) and `operands` (k).
 */

// Classes, sizes, modes and operations that instructions are made of.
export const BPF_LD = 0x00;
export const BPF_LDX = 0x01;
export const BPF_ST = 0x02;
export const BPF_STX = 0x03;
export const BPF_ALU = 0x04;
export const BPF_JMP = 0x05;
export const BPF_RET = 0x06;
export const BPF_MISC = 0x07;
export const BPF_W = 0x00;
export const BPF_H = 0x08;
export const BPF_B = 0x10;
export const BPF_IMM = 0x00;
export const BPF_ABS = 0x20;
export const BPF_IND = 0x40;
export const BPF_MEM = 0x60;
export const BPF_LEN = 0x80;
export const BPF_MSH = 0xa0;
export const BPF_ADD = 0x00;
export const BPF_SUB = 0x10;
export const BPF_MUL = 0x20;
export const BPF_DIV = 0x30;
export const BPF_OR = 0x40;
export const BPF_AND = 0x50;
export const BPF_LSH = 0x60;
export const BPF_RSH = 0x70;
export const BPF_NEG = 0x80;
export const BPF_MOD = 0x90;
export const BPF_XOR = 0xa0;
export const BPF_JA = 0x00;
export const BPF_JEQ = 0x10;
export const BPF_JGT = 0x20;
export const BPF_JGE = 0x30;
export const BPF_JSET = 0x40;
export const BPF_K = 0x00;
export const BPF_X = 0x08;
export const BPF_A = 0x10;
export const BPF_TAX = 0x00;
export const BPF_TXA = 0x80;

/** Words of scratch memory. */
export const BPF_MEMORY_WORDS = 16;
/** Instructions that the kernel takes in one program (BPF_MAXINSNS). */
export const INSTRUCTIONS_MAX = 4096;
/** What a conditional jump can skip: its fields are bytes. */
export const SKIP_MAX = 255;
/** Loads from here on count from the network header, wherever the packet itself starts (SKF_NET_OFF of linux/filter.h). */
export const NETWORK_OFFSET: number = -0x10_0000;
/** `sizeof(struct sock_filter)`. */
export const INSTRUCTION_BYTES = 8;

/** One instruction, for those who write programs. */
export interface Instruction {
  readonly code: number;
  readonly jumpTrue: number;
  readonly jumpFalse: number;
  /** Signed or unsigned: the low 32 bits count. */
  readonly operand: number;
}

export class FilterProgram {
  readonly length: number;
  readonly codes: Uint16Array;
  readonly jumpTrue: Uint8Array;
  readonly jumpFalse: Uint8Array;
  readonly operands: Int32Array;

  constructor(instructions: readonly Instruction[]) {
    this.length = instructions.length;
    this.codes = Uint16Array.from(instructions, ({ code }) => code);
    this.jumpTrue = Uint8Array.from(instructions, ({ jumpTrue }) => jumpTrue);
    this.jumpFalse = Uint8Array.from(instructions, ({ jumpFalse }) => jumpFalse);
    this.operands = Int32Array.from(instructions, ({ operand }) => operand | 0);
  }

  /** The `struct sock_filter[]` that SO_ATTACH_FILTER takes, in this machine's byte order (little-endian). */
  toBytes(): Uint8Array {
    const view = new DataView(new ArrayBuffer(this.length * INSTRUCTION_BYTES));
    for (let i = 0; i < this.length; i++) {
      const at = i * INSTRUCTION_BYTES;
      view.setUint16(at, this.codes[i]!, true);
      view.setUint8(at + 2, this.jumpTrue[i]!);
      view.setUint8(at + 3, this.jumpFalse[i]!);
      view.setInt32(at + 4, this.operands[i]!, true);
    }
    return new Uint8Array(view.buffer);
  }
}

/** The program of `tcpdump -ddd`: a count, then four decimal numbers a line. Throws where the text is something else. */
export function parseProgram(text: string): FilterProgram {
  const [count, ...lines] = text.trim().split('\n');
  if (Number(count) !== lines.length)
    throw new RangeError(`${count} instructions are announced, ${lines.length} follow`);
  return new FilterProgram(
    lines.map((line) => {
      const numbers = line.trim().split(/\s+/).map(Number);
      if (numbers.length !== 4 || numbers.some((n) => !Number.isInteger(n)))
        throw new RangeError(`not an instruction: ${line}`);
      const [code, jumpTrue, jumpFalse, operand] = numbers as [number, number, number, number];
      return { code, jumpTrue, jumpFalse, operand };
    }),
  );
}
