import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compileFilter } from '../../../sys/filter/compile.ts';
import { disassemble } from '../../../sys/filter/disassembler.ts';
import { FilterInterpreter } from '../../../sys/filter/interpreter.ts';
import { type FilterProgram, parseProgram } from '../../../sys/filter/program.ts';
import { verify } from '../../../sys/filter/verify.ts';
import { pcapOf } from '../wire/pcap-file.ts';
import { CORPUS } from './corpus.ts';
import { filterText } from './filter-texts.ts';

const missing =
  spawnSync('tcpdump', ['--version']).status === 0
    ? ''
    : ' (skipped: tcpdump is not installed, `apt-get install tcpdump`)';
const FILTERS = fc.sample(filterText, { seed: 42, numRuns: 200 });
/** Jumps that reach over more than 255 instructions, and hold for frames of the corpus at either end. */
const many = (count: number, text: (i: number) => string): string =>
  Array.from({ length: count }, (_, i) => text(i)).join(' or ');
const LONG = [
  `src host 10.0.0.1 or ${many(300, (i) => `src host 10.9.${i >>> 8}.${i & 255}`)} or udp port 40001`,
  `ip proto 17 and (udp dst port 40000 or ${many(260, (i) => `udp src port ${i + 1}`)} or udp src port 40002)`,
  `not (${many(140, (i) => `udp src port ${i + 1}`)} or dst port 40002) and not (src net 10.0.0.0/8 and tcp)`,
];
const USUAL = [
  '',
  'udp',
  'udp and port 40000 and host 10.0.0.1',
  'not (tcp or icmp)',
  'src net 10.0.0.0/8',
  'ip6',
  'arp or rarp',
  'ether host 02:00:00:00:00:01',
  'vlan 5 and udp port 40000',
  'portrange 1-1023 and less 200',
];
/** What only tcpdump's language has: they try the interpreter and the disassembler on every kind of instruction. */
const ARITHMETIC = [
  'len > 100 and ip[8]*2 > ip[9]+1',
  'udp[(ip[0]&0xf)<<2] = 5 or ip[4] - ip[5] > 7',
  'ip and 400 / ip[5] = 5',
  'ip[4]%7 = 3 or 100 % ip[5] > 2',
  'ip and not -ip[5] > 7',
  '(ip[4] | 1) ^ ip[7] = 9 or ip[2:2] >> 3 > 9 or ip[2:2] >> ip[9] = 0',
  'ether[6:4] & 0xffff0000 = 0x02000000 or ip6[4:2] = len',
  'tcp[13] & 2 != 0 or icmp[0] = 8',
];

function tcpdump(...args: string[]): string {
  return execFileSync('tcpdump', ['-y', 'EN10MB', ...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

/** The program of a filter; where the optimiser finds that nothing can pass, it is a message in place of a program. */
function theirProgram(text: string, ...args: string[]): FilterProgram {
  const { stdout, stderr } = spawnSync('tcpdump', ['-y', 'EN10MB', ...args, '-ddd', text], { encoding: 'utf8' });
  return parseProgram(stderr.includes('rejects all packets') ? '1\n6 0 0 0' : stdout);
}

/** Bytes that a program keeps of each frame of the corpus. */
function verdicts(program: FilterProgram): number[] {
  const filter = new FilterInterpreter(program);
  return CORPUS.map(({ bytes, wireBytes }) => filter.run(bytes, 0, bytes.length, wireBytes));
}

describe.skipIf(missing !== '')(`tcpdump${missing}`, () => {
  it('and we keep the same frames of the corpus, for 200 filters', { timeout: 120_000 }, () => {
    let decided = 0;
    for (const text of [...FILTERS, ...LONG]) {
      const program = compileFilter(text);
      expect(verify(program), text).toBe(null);
      const ours = verdicts(program);
      const theirs = verdicts(theirProgram(text));
      let differing = [...CORPUS.keys()].filter((i) => theirs[i] !== ours[i]);
      // What becomes of a frame that is cut off depends on which bytes are looked at. We look at them as the text says it,
      // which is what tcpdump does without its optimiser.
      if (differing.length > 0 && differing.every((i) => !CORPUS[i]!.whole)) {
        const plain = verdicts(theirProgram(text, '-O'));
        differing = differing.filter((i) => plain[i] !== ours[i]);
      }
      const differs = differing.map((i) => `frame ${i}: ${ours[i]}, tcpdump ${theirs[i]}`);
      expect(differs, text).toEqual([]);
      if (LONG.includes(text)) expect(program.length).toBeGreaterThan(255);
      if (ours.some((kept) => kept > 0) && ours.some((kept) => kept === 0)) decided++;
    }
    // Filters that hold for all or for none would prove little.
    expect(decided).toBeGreaterThan(150);
  });

  it('itself keeps of a file what our interpreter keeps', { timeout: 60_000 }, () => {
    const folder = mkdtempSync(join(tmpdir(), 'tickwire-filter-'));
    try {
      const file = join(folder, 'corpus.pcap');
      const frames = CORPUS.map(({ bytes }) => bytes);
      writeFileSync(
        file,
        pcapOf(
          frames,
          CORPUS.map(({ wireBytes }) => wireBytes),
        ),
      );
      for (const text of [...ARITHMETIC, ...USUAL]) {
        const kept = execFileSync('tcpdump', ['-r', file, '-tt', '-n', '-w', '-', text], {
          stdio: ['ignore', 'pipe', 'ignore'],
        });
        const times: number[] = [];
        for (let at = 24; at < kept.length; at += 16 + kept.readUInt32LE(at + 8)) times.push(kept.readUInt32LE(at + 4));
        const ours = verdicts(theirProgram(text)).flatMap((bytes, i) => (bytes > 0 ? [i] : []));
        expect(ours, text).toEqual(times);
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('shows programs as our disassembler does', () => {
    for (const text of [...ARITHMETIC, ...USUAL]) {
      const theirs = tcpdump('-d', text)
        .trim()
        .split('\n')
        .map((line) => line.trimEnd());
      expect(disassemble(theirProgram(text)).split('\n'), text).toEqual(theirs);
    }
  });

  it.each(USUAL)('needs no fewer instructions than we do for %j, or one', (text) => {
    expect(compileFilter(text).length).toBeLessThanOrEqual(theirProgram(text).length + 1);
  });
});
