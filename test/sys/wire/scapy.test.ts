import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { buildFrame, packetPlan } from './packet-plan.ts';
import { pcapOf } from './pcap-file.ts';

const SEED = 20_25;
const plans = fc.sample(packetPlan, { seed: SEED, numRuns: 1000 });

// The distribution's Python first: where several are installed, its packages are in that one.
const python = ['/usr/bin/python3', 'python3'].find((name) => spawnSync(name, ['-c', 'import scapy']).status === 0);
const noScapy = python === undefined ? ' (skipped: scapy is not installed, `apt-get install python3-scapy`)' : '';
const noTshark =
  spawnSync('tshark', ['--version']).status === 0
    ? ''
    : ' (skipped: tshark is not installed, `apt-get install tshark`)';

describe('1,000 generated packets', () => {
  it.skipIf(python === undefined)(
    `are byte for byte what scapy makes of the same plans${noScapy}`,
    () => {
      const script = join(import.meta.dirname, 'scapy_frames.py');
      const theirs = JSON.parse(
        execFileSync(python!, [script], { input: JSON.stringify(plans), encoding: 'utf8', maxBuffer: 1 << 26 }),
      ) as string[];
      expect(theirs.length).toBe(1000);
      for (const [i, plan] of plans.entries())
        expect(Buffer.from(buildFrame(plan)).toString('hex'), JSON.stringify(plan)).toBe(theirs[i]);
    },
    60_000,
  );

  it.skipIf(noTshark !== '')(
    `are well formed, with right checksums, to tshark${noTshark}`,
    () => {
      const folder = mkdtempSync(join(tmpdir(), 'tickwire-wire-'));
      try {
        const file = join(folder, 'frames.pcap');
        // Random payloads are now and then something to a dissector that guesses; zeros are data.
        writeFileSync(
          file,
          pcapOf(plans.map((plan) => buildFrame({ ...plan, payload: plan.payload.replace(/./g, '0') }))),
        );
        const rows = (filter: string, ...options: string[]): number[] =>
          execFileSync('tshark', ['-r', file, '-Y', filter, '-T', 'fields', '-e', 'frame.number', ...options], {
            encoding: 'utf8',
            stdio: ['ignore', 'pipe', 'ignore'],
            env: { ...process.env, HOME: folder },
          })
            .split('\n')
            .filter((line) => line !== '')
            .map(Number);
        const check = ['ip', 'udp', 'tcp'].flatMap((name) => ['-o', `${name}.check_checksum:TRUE`]);
        const defragment = ['-o', 'ip.defragment:FALSE', '-o', 'ipv6.defragment:FALSE'];
        expect(rows('_ws.malformed')).toEqual([]);
        const bad = ['ip', 'udp', 'tcp', 'icmp', 'icmpv6']
          .map((name) => `${name}.checksum.status == "Bad"`)
          .join(' || ');
        expect(rows(bad, ...check, ...defragment)).toEqual([]);
        expect(rows('udp.checksum.status == "Good"', ...check, ...defragment).length).toBeGreaterThan(100);
      } finally {
        rmSync(folder, { recursive: true });
      }
    },
    60_000,
  );
});
