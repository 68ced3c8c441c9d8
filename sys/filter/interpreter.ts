/**
 * Runs a program of classic BPF as the kernel does, over bytes that are at hand: frames of a file, packets of a ring, tests.
 *
 * Where a kernel is at hand, attach the program to the socket: what it drops there costs nothing here.
 */

import {
  BPF_A,
  BPF_ADD,
  BPF_ALU,
  BPF_AND,
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
  BPF_LD,
  BPF_LDX,
  BPF_LEN,
  BPF_LSH,
  BPF_MEM,
  BPF_MEMORY_WORDS,
  BPF_MISC,
  BPF_MOD,
  BPF_MUL,
  BPF_NEG,
  BPF_OR,
  BPF_RET,
  BPF_RSH,
  BPF_ST,
  BPF_STX,
  BPF_SUB,
  BPF_TAX,
  BPF_W,
  BPF_X,
  BPF_XOR,
  type FilterProgram,
  NETWORK_OFFSET,
} from './program.ts';
import { verify } from './verify.ts';

/** What stands for all that is returned above it: the largest number of 31 bits. */
const KEEP_MAX = 0x7fff_ffff;

/** A program made ready to be run. One object serves every packet; nothing is allocated. */
export class FilterInterpreter {
  private readonly program: FilterProgram;
  private readonly memory: Int32Array = new Int32Array(BPF_MEMORY_WORDS);
  private bytes: Uint8Array = new Uint8Array(0);
  private from = 0;
  private end = 0;
  private networkAt = 0;
  /** Where the word lies that a load asks for, as an index of `bytes`; -1 when it lies beside the packet. */
  private found = 0;

  /** @throws RangeError where the program is none that the kernel would take */
  constructor(program: FilterProgram) {
    const complaint = verify(program);
    if (complaint !== null) throw new RangeError(complaint);
    this.program = program;
  }

  /**
   * Runs it over the packet at `bytes[from .. end)`.
   *
   * @param wireBytes length of the packet before it was cut (`less` and `greater` ask for it)
   * @param networkAt where its IP header lies, for programs of UDP sockets; a load from there fails when it is below 0
   * @returns bytes of the packet to keep, which may be more than there are; 0 drops it
   */
  run(bytes: Uint8Array, from: number, end: number, wireBytes: number = end - from, networkAt = -1): number {
    const { codes, jumpTrue, jumpFalse, operands } = this.program;
    this.bytes = bytes;
    this.from = from;
    this.end = end;
    this.networkAt = networkAt;
    let a = 0;
    let x = 0;
    this.memory.fill(0);
    for (let i = 0; ; i++) {
      const code = codes[i]!;
      const k = operands[i]!;
      switch (code & 7) {
        case BPF_LD:
          if (code === (BPF_LD | BPF_IMM)) a = k;
          else if (code === (BPF_LD | BPF_MEM)) a = this.memory[k]!;
          else if (code === (BPF_LD | BPF_LEN)) a = wireBytes;
          else {
            a = this.load(code & 0x18, (code & 0xe0) === BPF_IND ? this.indirect(x, k) : k);
            if (this.found < 0) return 0;
          }
          break;
        case BPF_LDX:
          if (code === (BPF_LDX | BPF_IMM)) x = k;
          else if (code === (BPF_LDX | BPF_MEM)) x = this.memory[k]!;
          else if (code === (BPF_LDX | BPF_LEN)) x = wireBytes;
          else {
            x = (this.load(BPF_B, k) & 0xf) << 2; // BPF_MSH: bytes of the IPv4 header that starts here
            if (this.found < 0) return 0;
          }
          break;
        case BPF_ST:
          this.memory[k] = a;
          break;
        case BPF_STX:
          this.memory[k] = x;
          break;
        case BPF_ALU: {
          const operand = (code & BPF_X) === 0 ? k : x;
          const operation = code & 0xf0;
          if (operand === 0 && (operation === BPF_DIV || operation === BPF_MOD)) return 0;
          a = compute(operation, a, operand);
          break;
        }
        case BPF_JMP:
          if (code === (BPF_JMP | BPF_JA)) i += k;
          else i += holds(code & 0xf0, a, (code & BPF_X) === 0 ? k : x) ? jumpTrue[i]! : jumpFalse[i]!;
          break;
        case BPF_RET: {
          const keep = (code & 0x18) === BPF_A ? a : k;
          return keep < 0 ? KEEP_MAX : keep; // below 0: beyond 2^31
        }
        case BPF_MISC:
          if (code === (BPF_MISC | BPF_TAX)) x = a;
          else a = x;
          break;
      }
    }
  }

  /** The offset X + k; one that does not fit is beside every packet. */
  private indirect(x: number, k: number): number {
    return x < 0 || k < 0 ? Number.MIN_SAFE_INTEGER : x + k;
  }

  /** Loads the word of `size` at `offset` of the packet; `found` is -1 when it is not there. */
  private load(size: number, offset: number): number {
    const { bytes } = this;
    let at = this.from + offset;
    if (offset < 0) at = offset < NETWORK_OFFSET || this.networkAt < 0 ? -1 : this.networkAt + offset - NETWORK_OFFSET;
    const width = size === BPF_W ? 4 : size === BPF_H ? 2 : 1;
    this.found = at < 0 || at + width > this.end ? -1 : at;
    if (this.found < 0) return 0;
    if (size === BPF_B) return bytes[at]!;
    const high = (bytes[at]! << 8) | bytes[at + 1]!;
    return size === BPF_H ? high : (high << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
  }
}

/** A after an operation; numbers are 32 bits without sign. */
function compute(operation: number, a: number, operand: number): number {
  switch (operation) {
    case BPF_ADD:
      return (a + operand) | 0;
    case BPF_SUB:
      return (a - operand) | 0;
    case BPF_MUL:
      return Math.imul(a, operand);
    case BPF_DIV:
      return ((a >>> 0) / (operand >>> 0)) | 0;
    case BPF_MOD:
      return ((a >>> 0) % (operand >>> 0)) | 0;
    case BPF_AND:
      return a & operand;
    case BPF_OR:
      return a | operand;
    case BPF_XOR:
      return a ^ operand;
    case BPF_LSH:
      return operand >>> 0 > 31 ? 0 : a << operand;
    case BPF_RSH:
      return operand >>> 0 > 31 ? 0 : (a >>> operand) | 0;
    case BPF_NEG:
      return -a | 0;
    default:
      return a;
  }
}

/** Whether a conditional jump goes the way of true. */
function holds(test: number, a: number, operand: number): boolean {
  switch (test) {
    case BPF_JEQ:
      return a === operand;
    case BPF_JGT:
      return a >>> 0 > operand >>> 0;
    case BPF_JGE:
      return a >>> 0 >= operand >>> 0;
    case BPF_JSET:
      return (a & operand) !== 0;
    default:
      return false;
  }
}
