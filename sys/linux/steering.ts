/**
 * The rule by which the kernel finds the socket of a port group, as a program of classic BPF (SO_ATTACH_REUSEPORT_CBPF).
 *
 * The program sees the datagram from its payload on, and the network header at SKF_NET_OFF; what it returns is the number of
 * the socket, in the order in which they were bound. A load beyond the datagram ends it with 0: an empty datagram is the
 * first socket's. Source: Documentation/networking/filter.rst and socket(7).
 */

import type { Steering } from '../api.ts';

/** Codes of linux/bpf_common.h, class, size and mode together. */
const LD_BYTE_ABS = 0x30;
const LD_BYTE_IND = 0x50;
const LD_HALF_ABS = 0x28;
const LD_WORD_ABS = 0x20;
const ALU_AND = 0x54;
const ALU_RSH = 0x74;
const ALU_MUL = 0x24;
const ALU_MOD = 0x94;
const ALU_XOR_X = 0xac;
const JEQ = 0x15;
const TAX = 0x07;
const RET_A = 0x16;

/** Loads from here on are from the network header (linux/filter.h). */
const NET_OFF = -0x10_0000;
const IPV4_SOURCE = 12;
/** Behind a header without options, which is how every datagram of a game comes; with options the spread is another one. */
const IPV4_PORT = 20;
const IPV6_SOURCE = 8;
const IPV6_PORT = 40;
/** 2^32 / golden ratio: neighbouring addresses and ports land far apart (Knuth, 6.4). */
const SCATTER = 0x9e37_79b1;

/** One instruction: code, jumps when true and when false (instructions to skip), constant. */
export type Instruction = readonly [code: number, jumpTrue: number, jumpFalse: number, constant: number];

/**
 * The program for `sockets` sockets, 1 .. 256.
 *
 * @param steering see its fields
 */
export function steeringProgram(sockets: number, steering: Steering): readonly Instruction[] {
  const mix: readonly Instruction[] = [[ALU_MUL, 0, 0, SCATTER]];
  const mixWord = (offset: number): readonly Instruction[] => [
    ...mix,
    [TAX, 0, 0, 0],
    [LD_WORD_ABS, 0, 0, NET_OFF + offset],
    [ALU_XOR_X, 0, 0, 0],
  ];
  const finish: readonly Instruction[] = [...mix, [ALU_RSH, 0, 0, 16], [ALU_MOD, 0, 0, sockets], [RET_A, 0, 0, 0]];
  const hash4: readonly Instruction[] = [[LD_HALF_ABS, 0, 0, NET_OFF + IPV4_PORT], ...mixWord(IPV4_SOURCE), ...finish];
  const hash6: readonly Instruction[] = [
    [LD_HALF_ABS, 0, 0, NET_OFF + IPV6_PORT],
    ...[0, 4, 8, 12].flatMap((word) => mixWord(IPV6_SOURCE + word)),
    ...finish,
  ];
  const hash: readonly Instruction[] = [
    [LD_BYTE_ABS, 0, 0, NET_OFF],
    [ALU_RSH, 0, 0, 4],
    [JEQ, 0, hash4.length, 4],
    ...hash4,
    ...hash6,
  ];
  const named: readonly Instruction[] = [
    [LD_BYTE_ABS, 0, 0, 0],
    [ALU_RSH, 0, 0, 4],
    [TAX, 0, 0, 0],
    [LD_BYTE_IND, 0, 0, 1],
    [ALU_MOD, 0, 0, sockets],
    [RET_A, 0, 0, 0],
  ];
  const types = steering.namedTypes;
  return [
    [LD_BYTE_ABS, 0, 0, 0],
    [ALU_AND, 0, 0, 15],
    ...types.map((type, i): Instruction => [JEQ, types.length - 1 - i + hash.length, 0, type]),
    ...hash,
    ...named,
  ];
}
