/** Frames that filters are tried on: of every kind, whole, in fragments, tagged, with options, cut off, and damaged. */

import * as fc from 'fast-check';
import { hex } from '../wire/guarded.ts';
import { buildFrame, packetPlan } from '../wire/packet-plan.ts';

export interface CorpusFrame {
  readonly bytes: Uint8Array;
  /** Before it was cut off. */
  readonly wireBytes: number;
  readonly whole: boolean;
}

const whole = fc.sample(packetPlan, { seed: 11, numRuns: 300 }).map(buildFrame);
const cuts = fc.sample(fc.nat(100), { seed: 12, numRuns: 300 });
const damage = fc.sample(fc.tuple(fc.nat(60), fc.nat(255)), { seed: 13, numRuns: 100 });

/** To everybody, to a group, with an unknown type, of SCTP, of IGMP, with VLAN 5. */
const rare = [
  'ffffffffffff 020000000001 0806 0001 0800 06 04 0001 020000000001 0a000001 000000000000 0a000002',
  '01005e000001 020000000001 0800 4500001c 00000000 0102 0000 0a000001 e0000001 11 00 0000 00000000',
  '333300000001 020000000001 86dd 60000000 0000 3bff fe800000000000000000000000000001 ff020000000000000000000000000001',
  '020000000002 020000000001 88b5 00010203040506070809',
  '020000000002 020000000001 0800 45000028 00000000 4084 0000 0a000001 0a000002 9c41 9c42 00000000 00000000 00000000 00000000',
  '020000000002 020000000001 8100 0005 0800 4500001c 00000000 4011 0000 0a000001 0a000002 9c40 9c41 0008 0000',
  '020000000002 020000000001 8100 0005 8100 0006 86dd 60000000 0008 1140 fe800000000000000000000000000001 fe800000000000000000000000000002 9c40 9c41 0008 0000',
  '020000000002 020000000001 8035 0001 0800 06 04 0003 020000000001 0a000001 000000000000 0a000002',
].map(hex);

function cutFrame(bytes: Uint8Array, length: number): CorpusFrame {
  return { bytes: bytes.slice(0, length), wireBytes: bytes.length, whole: length >= bytes.length };
}

export const CORPUS: readonly CorpusFrame[] = [
  ...[...whole, ...rare].map((bytes) => cutFrame(bytes, bytes.length)),
  ...[...whole, ...rare].map((bytes, i) => cutFrame(bytes, cuts[i % cuts.length]!)),
  ...damage.map(([at, value], i) => {
    const bytes = whole[i]!.slice();
    bytes[at % bytes.length] = value;
    return cutFrame(bytes, bytes.length);
  }),
];
