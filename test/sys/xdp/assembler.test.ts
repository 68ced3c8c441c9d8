/** The eBPF assembler against the encodings of RFC 9669, and what it refuses. */

import { describe, expect, it } from 'vitest';
import { Assembler, AssemblyError } from '../../../sys/xdp/ebpf/assembler.ts';
import { disassemble } from '../../../sys/xdp/ebpf/disassembler.ts';
import type { Register } from '../../../sys/xdp/ebpf/instructions.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const refused = (work: () => unknown): string => {
  try {
    work();
  } catch (error) {
    expect(error).toBeInstanceOf(AssemblyError);
    return (error as Error).message;
  }
  throw new Error('nothing was refused');
};

describe('the assembler', () => {
  it.each([
    ['mov r1, 7', new Assembler().mov('r1', 7), 'b701000007000000'],
    ['mov r6, r1', new Assembler().mov('r6', 'r1'), 'bf16000000000000'],
    ['mov r1, -1', new Assembler().mov('r1', -1), 'b7010000ffffffff'],
    ['add r10-relative pointers', new Assembler().add('r2', -24), '07020000e8ffffff'],
    ['and32 r3, 65535', new Assembler().alu32('and', 'r3', 0xffff), '54030000ffff0000'],
    ['and32 r3, 4294967295', new Assembler().alu32('and', 'r3', 0xffff_ffff), '54030000ffffffff'],
    ['load w r2, [r1+4]', new Assembler().load('w', 'r2', 'r1', 4), '6112040000000000'],
    ['load h r5, [r2+12]', new Assembler().load('h', 'r5', 'r2', 12), '69250c0000000000'],
    ['load b r5, [r2+23]', new Assembler().load('b', 'r5', 'r2', 23), '7125170000000000'],
    ['load dw r5, [r10-8]', new Assembler().load('dw', 'r5', 'r10', -8), '79a5f8ff00000000'],
    ['store dw [r10-16], r1', new Assembler().store('dw', 'r10', -16, 'r1'), '7b1af0ff00000000'],
    ['store w [r10-4], 5', new Assembler().store('w', 'r10', -4, 5), '620afcff05000000'],
    ['atomicAdd dw [r0+0], r1', new Assembler().atomicAdd('dw', 'r0', 0, 'r1'), 'db10000000000000'],
    ['call redirect_map', new Assembler().call('redirect_map'), '8500000033000000'],
    ['exit', new Assembler().exit(), '9500000000000000'],
    ['swap r1, 16', new Assembler().swap('r1', 16), 'dc01000010000000'],
    ['map r1, 9', new Assembler().map('r1', 9), '18110000090000000000000000000000'],
    [
      'mov64 of all ones but one',
      new Assembler().mov64('r1', 0xffff_ffff_ffff_fffen),
      '18010000feffffff00000000ffffffff',
    ],
    ['mov64 of a number over 32 bits', new Assembler().mov64('r2', 2 ** 32), '18020000000000000000000001000000'],
    ['mov64 of a negative', new Assembler().mov64('r2', -1n), '18020000ffffffff00000000ffffffff'],
  ])('writes %s as RFC 9669 has it', (_name, assembler, bytes) => {
    expect(hex(assembler.assemble())).toBe(bytes);
  });

  it('resolves labels forwards and backwards, over constants of two instructions', () => {
    const program = new Assembler()
      .label('again')
      .mov64('r1', 1n << 40n)
      .jump('jeq', 'r1', 'r2', 'end')
      .jump('jslt', 'r1', -5, 'again')
      .goto('again')
      .label('end')
      .exit()
      .assemble();
    expect(disassemble(program)).toEqual([
      '0: mov64 r1, 1099511627776',
      '2: jeq r1, r2 -> 5',
      '3: jslt r1, -5 -> 0',
      '4: goto -> 0',
      '5: exit',
    ]);
  });

  it('is read back by the disassembler in its own words', () => {
    const program = new Assembler()
      .mov('r6', 'r1')
      .alu32('lsh', 'r1', 31)
      .alu('arsh', 'r1', 63)
      .alu('neg', 'r3', 0)
      .load('w', 'r2', 'r1', -4)
      .store('h', 'r10', -2, -1)
      .atomicAdd('w', 'r10', -8, 'r3')
      .swap('r2', 64)
      .map('r1', 3)
      .call('map_lookup_elem')
      .exit()
      .assemble();
    expect(disassemble(program)).toEqual([
      '0: mov r6, r1',
      '1: lsh32 r1, 31',
      '2: arsh r1, 63',
      '3: neg r3, 0',
      '4: load w r2, [r1-4]',
      '5: store h [r10-2], -1',
      '6: atomicAdd w [r10-8], r3',
      '7: swap r2, 64',
      '8: map r1, 3',
      '10: call map_lookup_elem',
      '11: exit',
    ]);
    expect(disassemble(Uint8Array.of(0xff, 0x12, 1, 2, 3, 4, 5, 6))).toEqual(['0: ff 12 01 02 03 04 05 06']);
  });

  it('refuses registers that are none, and to write the frame pointer', () => {
    for (const register of ['r11', 'r-1', 'x1', 'r01', ''] as string[] as Register[]) {
      expect(refused(() => new Assembler().mov(register, 1))).toContain('is no register');
      expect(refused(() => new Assembler().load('w', 'r1', register, 0))).toContain('is no register');
    }
    expect(refused(() => new Assembler().mov('r10', 1))).toContain('read only');
    expect(refused(() => new Assembler().exit().load('w', 'r10', 'r1', 0))).toMatch(/^instruction 1: .*read only/);
  });

  it('refuses constants and offsets that would be cut', () => {
    expect(refused(() => new Assembler().mov('r1', 2 ** 31))).toContain('use mov64');
    expect(refused(() => new Assembler().mov('r1', 1.5))).toContain('use mov64');
    expect(refused(() => new Assembler().alu32('and', 'r1', 2 ** 32))).toContain('use mov64');
    expect(refused(() => new Assembler().load('w', 'r1', 'r2', 32_768))).toContain('16 bits');
    expect(refused(() => new Assembler().mov64('r1', 1n << 64n))).toContain('64 bits');
    expect(refused(() => new Assembler().map('r1', -1))).toContain('no descriptor');
    expect(refused(() => new Assembler().alu('lsh', 'r1', 64))).toContain('shift');
    expect(refused(() => new Assembler().alu32('rsh', 'r1', 32))).toContain('shift');
    expect(refused(() => new Assembler().alu('div', 'r1', 0))).toContain('by 0');
  });

  it('refuses accesses outside of the frame, or not aligned in it', () => {
    expect(refused(() => new Assembler().store('w', 'r10', 0, 'r1'))).toContain('outside of the frame');
    expect(refused(() => new Assembler().store('w', 'r10', -2, 'r1'))).toContain('outside of the frame');
    expect(refused(() => new Assembler().load('b', 'r1', 'r10', -513))).toContain('outside of the frame');
    expect(refused(() => new Assembler().store('dw', 'r10', -12, 'r1'))).toContain('not aligned');
  });

  it('refuses labels that are nowhere, twice or behind the end, and an empty program', () => {
    expect(refused(() => new Assembler().exit().goto('x').assemble())).toBe('instruction 1: the label "x" is nowhere');
    expect(refused(() => new Assembler().label('x').exit().label('x'))).toContain('is there already');
    expect(refused(() => new Assembler().goto('x').label('x').assemble())).toContain('behind the last');
    expect(refused(() => new Assembler().assemble())).toContain('1 to 4096 instructions');
    const far = new Assembler().goto('far');
    for (let i = 0; i < 4096; i++) far.exit();
    expect(refused(() => far.label('far').exit().assemble())).toContain('1 to 4096 instructions');
  });
});
