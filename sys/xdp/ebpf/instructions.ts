/**
 * The encoding of eBPF instructions (RFC 9669): eight bytes each, opcode, two registers, a 16-bit offset and a 32-bit constant.
 *
 * Shared by the assembler and the disassembler, so that a number stands here once.
 */

/** `r0` result, `r1` .. `r5` arguments (lost in a call), `r6` .. `r9` kept, `r10` the frame, which is read only. */
export type Register = 'r0' | 'r1' | 'r2' | 'r3' | 'r4' | 'r5' | 'r6' | 'r7' | 'r8' | 'r9' | 'r10';

/** Width of a memory access: byte, half word, word, double word. */
export type Width = 'b' | 'h' | 'w' | 'dw';

/** Operations on registers; `mod` and `div` are unsigned. */
export type AluName = keyof typeof ALU;

/** Conditions of jumps; those with an `s` compare as signed numbers, `jset` tests bits. */
export type JumpName = keyof typeof JUMPS;

export const INSTRUCTION_BYTES = 8;
/** Bytes that a program may use below `r10` (MAX_BPF_STACK). */
export const STACK_BYTES = 512;

// Classes: the low three bits of an opcode.
export const CLASS_LD = 0x00;
export const CLASS_LDX = 0x01;
export const CLASS_ST = 0x02;
export const CLASS_STX = 0x03;
export const CLASS_ALU32 = 0x04;
export const CLASS_JUMP = 0x05;
export const CLASS_JUMP32 = 0x06;
export const CLASS_ALU64 = 0x07;

/** The operand is a register (else the constant); of a byte swap: towards network order (else towards little-endian). */
export const SOURCE_REGISTER = 0x08;
export const MODE_MEMORY = 0x60;
export const MODE_ATOMIC = 0xc0;
/** `lddw`: a 64-bit constant in two instructions. */
export const LOAD_IMM64: number = CLASS_LD | 0x18;
/** In the source register's place of `lddw`: the constant is the descriptor of a map (BPF_PSEUDO_MAP_FD). */
export const PSEUDO_MAP_FD = 1;
/** In the constant's place of an atomic operation: add. */
export const ATOMIC_ADD = 0x00;

export const WIDTHS = { w: 0x00, h: 0x08, b: 0x10, dw: 0x18 } as const;

export const ALU = {
  add: 0x00,
  sub: 0x10,
  mul: 0x20,
  div: 0x30,
  or: 0x40,
  and: 0x50,
  lsh: 0x60,
  rsh: 0x70,
  neg: 0x80,
  mod: 0x90,
  xor: 0xa0,
  mov: 0xb0,
  arsh: 0xc0,
} as const;
export const ALU_SWAP = 0xd0;

export const JUMPS = {
  jeq: 0x10,
  jgt: 0x20,
  jge: 0x30,
  jset: 0x40,
  jne: 0x50,
  jsgt: 0x60,
  jsge: 0x70,
  jlt: 0xa0,
  jle: 0xb0,
  jslt: 0xc0,
  jsle: 0xd0,
} as const;
export const JUMP_ALWAYS = 0x00;
export const JUMP_CALL = 0x80;
export const JUMP_EXIT = 0x90;

/** Functions of the kernel that programs call (bpf-helpers(7)). */
export const HELPERS = {
  map_lookup_elem: 1,
  map_update_elem: 2,
  map_delete_elem: 3,
  ktime_get_ns: 5,
  redirect_map: 51,
  xdp_adjust_meta: 54,
} as const;

/** The name of one of `HELPERS`. */
export type HelperName = keyof typeof HELPERS;

/** The number of a register; -1 where the text names none. */
export function registerNumber(register: string): number {
  const match = /^r(10|[0-9])$/.exec(register);
  return match === null ? -1 : Number(match[1]);
}
