/** `tickwire sniff` as a command: what it prints and answers. */

import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { runCommandLine } from '../../../engine/cli/program.ts';
import { PacketRing } from '../../../sys/packet-ring/packet-ring.ts';
import {
  enhancedPacket,
  interfaceDescription,
  LINKTYPE_ETHERNET,
  LINKTYPE_USER0,
  NANOSECONDS,
  sectionHeader,
} from '../../../sys/pcapng/blocks.ts';
import { udpFrame } from '../inspect/frames.ts';

const BUILT = fileURLToPath(new URL('../../../dist/engine/cli/main.js', import.meta.url));
const unbuilt = existsSync(BUILT) ? '' : ' (skipped: dist/ is not built, npm run build)';
const noRing = ((): string => {
  try {
    new PacketRing('lo').close();
    return '';
  } catch (error) {
    return ` (skipped: ${(error as Error).message})`;
  }
})();

const folder = mkdtempSync(join(tmpdir(), 'tickwire-sniff-'));
afterAll(() => rmSync(folder, { recursive: true }));
const file = join(folder, 'in.pcapng');
const frame = udpFrame('10.0.0.1:5', '10.0.0.2:6', new Uint8Array(20));
writeFileSync(
  file,
  Buffer.concat([
    sectionHeader('test'),
    interfaceDescription(LINKTYPE_ETHERNET, 'eth', '', NANOSECONDS),
    interfaceDescription(LINKTYPE_USER0, 'other', ''),
    ...[0, 1, 2].map((i) => enhancedPacket(0, 0, i, frame, 0, [])),
    enhancedPacket(1, 0, 3, frame, 0, []),
  ]),
);

async function run(...words: string[]) {
  const outs: string[] = [];
  const errs: string[] = [];
  const code = await runCommandLine(['sniff', ...words], {
    out: (text) => void outs.push(text),
    err: (text) => void errs.push(text),
    colour: false,
    env: {},
  });
  return { code, out: outs.join('\n'), err: errs.join('\n') };
}

describe('tickwire sniff', () => {
  it('tells its options, exit codes and two examples', async () => {
    const { code, out } = await run('--help');
    expect(code).toBe(0);
    for (const text of [
      '--interface',
      '--filter',
      '--write',
      '--read',
      '--seconds',
      '--json',
      'Exit codes',
      '$ sudo npx',
    ])
      expect(out).toContain(text);
  });

  it('reads a file: flows, then sums', async () => {
    const { code, out, err } = await run('--read', file);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toMatch(/udp 10\.0\.0\.1:5 > 10\.0\.0\.2:6 +3 \/ 0/);
    expect(out).toMatch(
      /3 packets, 186 bytes in .* 1 flows\n0 malformed, 0 not IP, 0 fragments, 1 of another link layer/,
    );
    expect(out).not.toContain('kernel');
  });

  it('prints one object with --json and nothing else', async () => {
    const { out } = await run('--read', file, '--json', '--filter', 'udp port 6');
    expect(out).not.toContain('\n');
    expect(JSON.parse(out)).toMatchObject({
      source: file,
      filter: 'udp port 6',
      kernel: null,
      frames: 3,
      otherLinks: 1,
      flows: [{ from: '10.0.0.1:5', to: '10.0.0.2:6', forward: { packets: 3, bytes: 186 } }],
      findings: [],
      error: null,
    });
  });

  it('answers 2 to a wrong command line, filter or interface, with one remedy on stderr and nothing on stdout', async () => {
    const cases: [string[], RegExp][] = [
      [[], /give --interface <name> to watch one, or --read <file>/],
      [['--read', file, '--interface', 'lo'], /and not both/],
      [['--read', file, '--filter', 'udpp'], /did you mean/],
      [['--read', file, '--seconds', '-1'], /whole number/],
      [['--read', file, '--write', file], /is the file that is read/],
    ];
    for (const [words, text] of cases) {
      const { code, out, err } = await run(...words);
      expect({ words, code, out }).toEqual({ words, code: 2, out: '' });
      expect(err).toMatch(text);
    }
  });

  it('answers 1 to a file that is missing or broken, and tells what it saw before', async () => {
    expect(await run('--read', join(folder, 'none'))).toMatchObject({
      code: 1,
      err: expect.stringContaining('ENOENT'),
    });
    const broken = join(folder, 'broken.pcapng');
    writeFileSync(
      broken,
      Buffer.concat([
        sectionHeader('test'),
        interfaceDescription(LINKTYPE_ETHERNET, 'eth', ''),
        enhancedPacket(0, 0, 0, frame, 0, []),
        Buffer.of(6, 0, 0),
      ]),
    );
    const { code, out, err } = await run('--read', broken, '--json');
    expect(code).toBe(1);
    expect(err).toMatch(/byte \d+: the file ends within a block/);
    expect(JSON.parse(out)).toMatchObject({ frames: 1, error: expect.stringContaining('ends within a block') });
  });

  it.skipIf(noRing !== '')(`watches an interface for so many seconds${noRing}`, async () => {
    const { code, out, err } = await run('--interface', 'lo', '--filter', 'udp port 1', '--seconds', '1', '--json');
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(JSON.parse(out)).toMatchObject({ source: 'lo', kernel: { drops: 0 }, error: null });
  });

  it.skipIf(noRing + unbuilt !== '')(`ends orderly at SIGINT, with its sums${noRing}${unbuilt}`, async () => {
    const child = spawn(process.execPath, [BUILT, 'sniff', '--interface', 'lo', '--filter', 'udp port 1'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let out = '';
    let asked = false;
    child.stdout.on('data', (text: Buffer) => {
      out += text;
      // The first of its lines, one a second. A second SIGINT would end it at once.
      if (!asked && /packets\/s/.test(out)) asked = child.kill('SIGINT');
    });
    const code = await new Promise((resolve) => child.once('close', resolve));
    expect(code).toBe(0);
    expect(out).toMatch(/^0 packets\/s +0bit\/s +0 flows/);
    expect(out).toMatch(/kernel: 0 passed the filter, 0 dropped for want of room\n$/);
  });

  it.skipIf(noRing + unbuilt !== '' || process.getuid?.() !== 0)(
    `answers 3 without the right, and says how to get it${noRing}${unbuilt}`,
    () => {
      const words = ['65534', process.execPath, BUILT, 'sniff', '--interface', 'lo'];
      const { status, stdout, stderr } = spawnSync('setpriv', ['--reuid', ...words], { encoding: 'utf8' });
      expect({ status, stdout }).toEqual({ status: 3, stdout: '' });
      expect(stderr).toMatch(/^tickwire sniff: socket\(AF_PACKET\): EPERM: .*CAP_NET_RAW.*setcap/);
    },
  );
});
