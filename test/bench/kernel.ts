/** The ways through the kernel, measured against each other: the parts, one after the other, as one report. */

import * as ladder from './kernel-ladder.ts';
import * as ladderVeth from './kernel-ladder-veth.ts';
import * as packet from './kernel-packet.ts';
import * as server from './kernel-server.ts';
import * as xdp from './kernel-xdp.ts';
import { type BenchModule, type BenchOptions, type BenchReport, joined } from './report.ts';
import * as sniff from './sniff.ts';

const PARTS: Readonly<Record<string, BenchModule>> = { packet, xdp, server, sniff, ladder, ladderVeth };

export async function run(options: BenchOptions): Promise<BenchReport> {
  const reports: BenchReport[] = [];
  for (const [name, part] of Object.entries(PARTS)) {
    process.stderr.write(`kernel: ${name} ...\n`);
    reports.push(await part.run(options));
  }
  return joined('kernel', reports);
}
