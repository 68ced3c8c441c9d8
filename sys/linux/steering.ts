/**
 * The rule by which the kernel finds the socket of a port group, as a program of classic BPF (SO_ATTACH_REUSEPORT_CBPF).
 *
 * The program sees the datagram from its payload on, and the network header at NETWORK_OFFSET; what it returns is the number
 * of the socket, in the order in which they were bound. A load beyond the datagram ends it with 0: an empty datagram is the
 * first socket's. Source: Documentation/networking/filter.rst and socket(7).
 */

import type { Steering } from '../api.ts';
import {
  BPF_A,
  BPF_ABS,
  BPF_ALU,
  BPF_AND,
  BPF_B,
  BPF_H,
  BPF_IND,
  BPF_JEQ,
  BPF_JMP,
  BPF_LD,
  BPF_MISC,
  BPF_MOD,
  BPF_MUL,
  BPF_RET,
  BPF_RSH,
  BPF_TAX,
  BPF_W,
  BPF_X,
  BPF_XOR,
  FilterProgram,
  type Instruction,
  NETWORK_OFFSET,
} from '../filter/program.ts';

const IPV4_SOURCE = 12;
/** Behind a header without options, which is how every datagram of a game comes; with options the spread is another one. */
const IPV4_PORT = 20;
const IPV6_SOURCE = 8;
const IPV6_PORT = 40;
/** 2^32 / golden ratio: neighbouring addresses and ports land far apart (Knuth, 6.4). */
const SCATTER = 0x9e37_79b1;

/**
 * The program for `sockets` sockets, 1 .. 256.
 *
 * @param steering see its fields
 */
export function steeringProgram(sockets: number, steering: Steering): FilterProgram {
  const scatter = step(BPF_ALU | BPF_MUL, SCATTER);
  const tax = step(BPF_MISC | BPF_TAX);
  const mixWord = (offset: number): readonly Instruction[] => [
    scatter,
    tax,
    step(BPF_LD | BPF_W | BPF_ABS, NETWORK_OFFSET + offset),
    step(BPF_ALU | BPF_XOR | BPF_X),
  ];
  const answer: readonly Instruction[] = [step(BPF_ALU | BPF_MOD, sockets), step(BPF_RET | BPF_A)];
  const finish: readonly Instruction[] = [scatter, step(BPF_ALU | BPF_RSH, 16), ...answer];
  const hash4: readonly Instruction[] = [
    step(BPF_LD | BPF_H | BPF_ABS, NETWORK_OFFSET + IPV4_PORT),
    ...mixWord(IPV4_SOURCE),
    ...finish,
  ];
  const hash6: readonly Instruction[] = [
    step(BPF_LD | BPF_H | BPF_ABS, NETWORK_OFFSET + IPV6_PORT),
    ...[0, 4, 8, 12].flatMap((word) => mixWord(IPV6_SOURCE + word)),
    ...finish,
  ];
  const hash: readonly Instruction[] = [
    step(BPF_LD | BPF_B | BPF_ABS, NETWORK_OFFSET),
    step(BPF_ALU | BPF_RSH, 4),
    jumpIfEqual(4, 0, hash4.length),
    ...hash4,
    ...hash6,
  ];
  const named: readonly Instruction[] = [
    step(BPF_LD | BPF_B | BPF_ABS, 0),
    step(BPF_ALU | BPF_RSH, 4),
    tax,
    step(BPF_LD | BPF_B | BPF_IND, 1),
    ...answer,
  ];
  const types = steering.namedTypes;
  return new FilterProgram([
    step(BPF_LD | BPF_B | BPF_ABS, 0),
    step(BPF_ALU | BPF_AND, 15),
    ...types.map((type, i) => jumpIfEqual(type, types.length - 1 - i + hash.length, 0)),
    ...hash,
    ...named,
  ]);
}

function step(code: number, operand = 0): Instruction {
  return { code, jumpTrue: 0, jumpFalse: 0, operand };
}

function jumpIfEqual(operand: number, jumpTrue: number, jumpFalse: number): Instruction {
  return { code: BPF_JMP | BPF_JEQ, jumpTrue, jumpFalse, operand };
}
