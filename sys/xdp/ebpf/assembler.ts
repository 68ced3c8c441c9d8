/**
 * An assembler for eBPF: a method for each mnemonic, labels for jumps, and an error, with the line's number, for what the
 * kernel's verifier would only call invalid.
 *
 *     new Assembler()
 *       .load('w', 'r2', 'r1', 0)
 *       .jump('jeq', 'r2', 0, 'nothing')
 *       .mov('r0', 1)
 *       .exit()
 *       .label('nothing')
 *       .mov('r0', 2)
 *       .exit()
 *       .assemble();
 */

import {
  ALU,
  ALU_SWAP,
  type AluName,
  ATOMIC_ADD,
  CLASS_ALU32,
  CLASS_ALU64,
  CLASS_JUMP,
  CLASS_LDX,
  CLASS_ST,
  CLASS_STX,
  HELPERS,
  type HelperName,
  INSTRUCTION_BYTES,
  JUMP_ALWAYS,
  JUMP_CALL,
  JUMP_EXIT,
  JUMPS,
  type JumpName,
  LOAD_IMM64,
  MODE_ATOMIC,
  MODE_MEMORY,
  PSEUDO_MAP_FD,
  type Register,
  registerNumber,
  SOURCE_REGISTER,
  STACK_BYTES,
  WIDTHS,
  type Width,
} from './instructions.ts';

/** Instructions that a program without rights to more may have (BPF_MAXINSNS); ours have a hundred. */
const INSTRUCTIONS_MAX = 4096;

/** What cannot be assembled, and which instruction it was (from 0). */
export class AssemblyError extends Error {
  override readonly name = 'AssemblyError';
  readonly instruction: number;

  constructor(instruction: number, message: string) {
    super(`instruction ${instruction}: ${message}`);
    this.instruction = instruction;
  }
}

/** Collects instructions in order; `assemble()` resolves the labels. Methods return the assembler, so that they chain. */
export class Assembler {
  /** Opcode, registers, offset and constant of each instruction. */
  private readonly code: { opcode: number; registers: number; offset: number; constant: number }[] = [];
  private readonly labels = new Map<string, number>();
  /** Instructions that jump to a label. */
  private readonly jumps: { at: number; label: string }[] = [];

  /** Instructions so far. */
  get length(): number {
    return this.code.length;
  }

  /** Names the next instruction. */
  label(name: string): this {
    if (this.labels.has(name)) this.fail(`the label "${name}" is there already`);
    this.labels.set(name, this.code.length);
    return this;
  }

  /** 64-bit arithmetic on `target` with a register or a constant (sign-extended to 64 bits). */
  alu(name: AluName, target: Register, operand: Register | number): this {
    return this.arithmetic(CLASS_ALU64, name, target, operand);
  }

  /** 32-bit arithmetic: the upper half of `target` becomes 0. */
  alu32(name: AluName, target: Register, operand: Register | number): this {
    return this.arithmetic(CLASS_ALU32, name, target, operand);
  }

  mov(target: Register, operand: Register | number): this {
    return this.alu('mov', target, operand);
  }
  add(target: Register, operand: Register | number): this {
    return this.alu('add', target, operand);
  }
  sub(target: Register, operand: Register | number): this {
    return this.alu('sub', target, operand);
  }
  and(target: Register, operand: Register | number): this {
    return this.alu('and', target, operand);
  }
  lsh(target: Register, operand: Register | number): this {
    return this.alu('lsh', target, operand);
  }
  rsh(target: Register, operand: Register | number): this {
    return this.alu('rsh', target, operand);
  }

  /** Turns the low `bits` of `target` from network order into the machine's or back; the rest becomes 0. */
  swap(target: Register, bits: 16 | 32 | 64): this {
    return this.emit(CLASS_ALU32 | ALU_SWAP | SOURCE_REGISTER, this.written(target), 0, 0, bits);
  }

  /** A 64-bit constant: takes two instructions. */
  mov64(target: Register, value: bigint | number): this {
    const whole = BigInt(value);
    if (whole < -(2n ** 63n) || whole >= 2n ** 64n) this.fail(`${value} has more than 64 bits`);
    return this.wide(target, 0, BigInt.asUintN(64, whole));
  }

  /** The address of a map, by its descriptor, for the first argument of a call. */
  map(target: Register, fd: number): this {
    if (!Number.isInteger(fd) || fd < 0 || fd > 0x7fff_ffff) this.fail(`${fd} is no descriptor of a map`);
    return this.wide(target, PSEUDO_MAP_FD, BigInt(fd));
  }

  /** `target = *(width *)(base + offset)`, extended with zeros. */
  load(width: Width, target: Register, base: Register, offset: number): this {
    this.inFrame(width, base, offset);
    return this.emit(
      CLASS_LDX | MODE_MEMORY | this.width(width),
      this.written(target),
      this.register(base),
      this.offset(offset),
      0,
    );
  }

  /** `*(width *)(base + offset) = source`; a constant is sign-extended. */
  store(width: Width, base: Register, offset: number, source: Register | number): this {
    this.inFrame(width, base, offset);
    const bits = MODE_MEMORY | this.width(width);
    if (typeof source === 'number') {
      return this.emit(CLASS_ST | bits, this.register(base), 0, this.offset(offset), this.constant(source));
    }
    return this.emit(CLASS_STX | bits, this.register(base), this.register(source), this.offset(offset), 0);
  }

  /** `*(width *)(base + offset) += source`, in one step for all CPUs. */
  atomicAdd(width: 'w' | 'dw', base: Register, offset: number, source: Register): this {
    this.inFrame(width, base, offset);
    return this.emit(
      CLASS_STX | MODE_ATOMIC | this.width(width),
      this.register(base),
      this.register(source),
      this.offset(offset),
      ATOMIC_ADD,
    );
  }

  /** Goes to `label` if the 64 bits of `left` stand so to a register or to a constant (sign-extended). */
  jump(name: JumpName, left: Register, right: Register | number, label: string): this {
    const code = JUMPS[name];
    if (code === undefined) this.fail(`there is no jump "${name}"`);
    this.jumps.push({ at: this.code.length, label });
    if (typeof right === 'number') {
      return this.emit(CLASS_JUMP | code, this.register(left), 0, 0, this.constant(right));
    }
    return this.emit(CLASS_JUMP | code | SOURCE_REGISTER, this.register(left), this.register(right), 0, 0);
  }

  /** Goes to `label`. */
  goto(label: string): this {
    this.jumps.push({ at: this.code.length, label });
    return this.emit(CLASS_JUMP | JUMP_ALWAYS, 0, 0, 0, 0);
  }

  /** Calls a function of the kernel: arguments in r1 .. r5, which are lost, the result in r0. */
  call(name: HelperName): this {
    const number = HELPERS[name];
    if (number === undefined) this.fail(`there is no helper "${name}" in instructions.ts`);
    return this.emit(CLASS_JUMP | JUMP_CALL, 0, 0, 0, number);
  }

  exit(): this {
    return this.emit(CLASS_JUMP | JUMP_EXIT, 0, 0, 0, 0);
  }

  /**
   * The program's bytes.
   *
   * @throws AssemblyError for an unknown label, a jump too far, a label at the end, or a program too long or empty
   */
  assemble(): Uint8Array {
    const count = this.code.length;
    if (count === 0 || count > INSTRUCTIONS_MAX) {
      throw new AssemblyError(count, `a program has 1 to ${INSTRUCTIONS_MAX} instructions`);
    }
    const bytes = new Uint8Array(count * INSTRUCTION_BYTES);
    const view = new DataView(bytes.buffer);
    for (const [i, { opcode, registers, offset, constant }] of this.code.entries()) {
      view.setUint8(i * INSTRUCTION_BYTES, opcode);
      view.setUint8(i * INSTRUCTION_BYTES + 1, registers);
      view.setInt16(i * INSTRUCTION_BYTES + 2, offset, true);
      view.setInt32(i * INSTRUCTION_BYTES + 4, constant, true);
    }
    for (const { at, label } of this.jumps) {
      const target = this.labels.get(label);
      if (target === undefined) throw new AssemblyError(at, `the label "${label}" is nowhere`);
      if (target === count) throw new AssemblyError(at, `the label "${label}" stands behind the last instruction`);
      const distance = target - at - 1;
      if (distance < -32_768 || distance > 32_767) throw new AssemblyError(at, `"${label}" is too far for a jump`);
      view.setInt16(at * INSTRUCTION_BYTES + 2, distance, true);
    }
    return bytes;
  }

  private arithmetic(kind: number, name: AluName, target: Register, operand: Register | number): this {
    const code = ALU[name];
    if (code === undefined) this.fail(`there is no operation "${name}"`);
    if (typeof operand === 'string') {
      return this.emit(kind | code | SOURCE_REGISTER, this.written(target), this.register(operand), 0, 0);
    }
    // 32-bit arithmetic has no sign to extend: the constant may be written as either.
    const constant = kind === CLASS_ALU32 && operand > 0x7fff_ffff && operand <= 0xffff_ffff ? operand | 0 : operand;
    if (constant === 0 && (name === 'div' || name === 'mod')) this.fail(`${name} by 0`);
    const shift = name === 'lsh' || name === 'rsh' || name === 'arsh';
    const bits = kind === CLASS_ALU32 ? 32 : 64;
    if (shift && (constant < 0 || constant >= bits)) this.fail(`a shift by ${constant} of ${bits} bits`);
    return this.emit(kind | code, this.written(target), 0, 0, this.constant(constant));
  }

  private wide(target: Register, source: number, value: bigint): this {
    this.emit(LOAD_IMM64, this.written(target), source, 0, Number(BigInt.asIntN(32, value)));
    return this.emit(0, 0, 0, 0, Number(BigInt.asIntN(32, value >> 32n)));
  }

  private emit(opcode: number, target: number, source: number, offset: number, constant: number): this {
    this.code.push({ opcode, registers: target | (source << 4), offset, constant });
    return this;
  }

  private register(register: Register): number {
    const number = registerNumber(register);
    if (number < 0) this.fail(`"${register}" is no register: r0 to r10`);
    return number;
  }

  private written(register: Register): number {
    if (register === 'r10') this.fail('r10 is the frame: it is read only');
    return this.register(register);
  }

  private width(width: Width): number {
    const bits = WIDTHS[width];
    if (bits === undefined) this.fail(`"${width}" is no width: b, h, w or dw`);
    return bits;
  }

  private offset(offset: number): number {
    if (!Number.isInteger(offset) || offset < -32_768 || offset > 32_767)
      this.fail(`the offset ${offset} has not 16 bits`);
    return offset;
  }

  private constant(value: number): number {
    if (!Number.isInteger(value) || value < -(2 ** 31) || value > 0x7fff_ffff) {
      this.fail(`${value} is no signed 32-bit constant, to which all are cut: use mov64`);
    }
    return value;
  }

  /** An access to the frame lies below r10, and aligned: the verifier says no more than "invalid stack off". */
  private inFrame(width: Width, base: Register, offset: number): void {
    if (base !== 'r10') return;
    const bytes = { b: 1, h: 2, w: 4, dw: 8 }[width];
    if (offset < -STACK_BYTES || offset + bytes > 0)
      this.fail(`r10${offset} is outside of the frame's ${STACK_BYTES} bytes`);
    if (offset % bytes !== 0) this.fail(`r10${offset} is not aligned to ${bytes} bytes`);
  }

  private fail(message: string): never {
    throw new AssemblyError(this.code.length, message);
  }
}
