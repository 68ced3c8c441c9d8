/** The house rules hold for every source file, and the test of the rules notices when they do not. */

import { readdirSync, readFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Complaint, complaintsAbout, LINES_MAX } from './tidy.ts';

const ROOT = join(import.meta.dirname, '..');
const ROOMS = ['sys', 'transport', 'engine', 'sim', 'samples'];

function sources(): string[] {
  return ROOMS.flatMap((room) =>
    readdirSync(join(ROOT, room), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .map((name) => `${room}/${name.split(sep).join('/')}`),
  );
}

const sentences = (file: string, ...lines: string[]) =>
  complaintsAbout(file, lines.join('\n')).map((c) => `${c.line}: ${c.sentence}`);

describe('the house', () => {
  it('keeps its own rules', () => {
    const found: Complaint[] = sources().flatMap((file) =>
      complaintsAbout(file, readFileSync(join(ROOT, file), 'utf8')),
    );
    expect(found.map((c) => `${c.file}:${c.line}: ${c.sentence}`)).toEqual([]);
  });

  it('has no room, and no document folder, beside those of the plan', () => {
    const allowed = new Set([...ROOMS, 'test', 'dist', 'node_modules']);
    const folders = readdirSync(ROOT, { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
      .map((entry) => relative(ROOT, join(ROOT, entry.name)));
    expect(folders.filter((name) => !allowed.has(name))).toEqual([]);
  });
});

describe('the rules', () => {
  it('keep koffi in one file', () => {
    expect(sentences('sys/linux/udp.ts', "import koffi from 'koffi';")).toEqual([
      '1: the package koffi may not be imported in sys/; allowed: none',
    ]);
    expect(sentences('sys/ffi/library.ts', "import koffi from 'koffi';")).toEqual([]);
  });

  it('keep the protocol away from sockets, Node and the engine', () => {
    expect(sentences('transport/endpoint.ts', "import { openSys } from '../sys/index.ts';")[0]).toContain(
      'may not import sys/index.ts',
    );
    expect(sentences('transport/endpoint.ts', "import { createHash } from 'node:crypto';")[0]).toContain(
      "does without Node's modules",
    );
    expect(sentences('transport/netcode/token.ts', "import { Server } from '../../engine/server.ts';")).toHaveLength(1);
    expect(sentences('transport/netcode/token.ts', "import type { Aead } from '../../sys/api.ts';")).toEqual([]);
  });

  it('see imports over several lines, re-exports, bare and dynamic imports', () => {
    expect(sentences('transport/a.ts', 'import {', '  openSys,', "} from '../sys/index.ts';")).toHaveLength(1);
    expect(sentences('transport/a.ts', "export { openSys } from '../sys/index.ts';")).toHaveLength(1);
    expect(sentences('transport/a.ts', "import '../sys/index.ts';")).toHaveLength(1);
    expect(sentences('transport/a.ts', "const sys = await import('../sys/index.ts');")).toHaveLength(1);
  });

  it('keep samples at the front door', () => {
    expect(sentences('samples/echo/server.ts', "import { Server } from '../../engine/server.ts';")).toHaveLength(1);
    expect(sentences('samples/echo/server.ts', "import { Server } from 'tickwire';")).toEqual([]);
  });

  it('make time and chance arguments in the protocol and the simulator', () => {
    expect(sentences('transport/a.ts', 'const now = Date.now();')[0]).toContain('`Date.now` is banned here');
    expect(sentences('sim/a.ts', 'if (Math.random() < loss) return;')).toHaveLength(1);
    expect(sentences('engine/server.ts', 'setTimeout(tick, 16);')).toHaveLength(1);
    expect(sentences('transport/a.ts', '// no Date.now here', ' * nor Math.random()')).toEqual([]);
  });

  it('ban mathematics that differ between builds of Node', () => {
    expect(sentences('sim/link.ts', 'const wait = -Math.log(u) * mean;')[0]).toContain('its last bit differs');
    expect(sentences('sim/link.ts', 'const side = Math.sqrt(area);')).toEqual([]);
  });

  it('ban printing and default exports in the library', () => {
    expect(sentences('engine/server.ts', "console.log('hello');")).toHaveLength(1);
    expect(sentences('engine/server.ts', 'export default class Server {}')).toHaveLength(1);
  });

  it('notice a file that has grown too long', () => {
    const text = 'const a = 1;\n'.repeat(LINES_MAX + 1);
    expect(complaintsAbout('engine/server.ts', text)[0]!.sentence).toContain('look for the noun');
    expect(complaintsAbout('engine/server.ts', 'const a = 1;\n'.repeat(LINES_MAX))).toEqual([]);
  });
});
