/** The house rules that a machine can hold: imports, banned calls, sizes (ARCHITECTURE.md, sections 1 and 5). */

/** A broken rule: where, and a sentence that says what to do. */
export interface Complaint {
  readonly file: string;
  /** From 1. */
  readonly line: number;
  readonly sentence: string;
}

interface RoomRule {
  /** Path prefix of the files it is for; the longest matching rule decides. */
  readonly room: string;
  /** Prefixes of files of the project that may be imported. */
  readonly own: readonly string[];
  /** npm packages. */
  readonly packages: readonly string[];
  /** node: modules; '*' for any. */
  readonly node: readonly string[];
}

/** The parts of sys/api.ts. */
const PLAIN: readonly string[] = ['sys/address.ts', 'sys/backend.ts', 'sys/datagram-batch.ts', 'sys/socket-stats.ts'];

/** The import table. */
const ROOMS: readonly RoomRule[] = [
  { room: 'sys/', own: ['sys/'], packages: [], node: ['*'] },
  // What other rooms see of sys: types and plain data, so that a browser can load it.
  { room: 'sys/api.ts', own: PLAIN, packages: [], node: [] },
  ...PLAIN.map((room) => ({ room, own: PLAIN, packages: [], node: [] })),
  { room: 'sys/ffi/library.ts', own: ['sys/'], packages: ['koffi'], node: ['*'] },
  // A file's format, written by the simulator and by the sniffer: bytes in, bytes out.
  { room: 'sys/pcapng/', own: ['sys/pcapng/', ...PLAIN], packages: [], node: [] },
  { room: 'transport/', own: ['transport/', 'sys/api.ts'], packages: [], node: [] },
  { room: 'engine/', own: ['engine/', 'transport/', 'sys/api.ts'], packages: [], node: [] },
  { room: 'engine/open.ts', own: ['engine/', 'sys/'], packages: [], node: [] },
  { room: 'engine/resolve.ts', own: [], packages: [], node: ['dns/promises'] },
  ...['server.ts', 'client.ts', 'peer.ts', 'message-emitter.ts'].map((file) => ({
    room: `engine/${file}`,
    own: ['engine/', 'transport/', 'sys/api.ts'],
    packages: ['eventemitter3'],
    node: [],
  })),
  {
    room: 'engine/executor/worker',
    own: ['engine/', 'sys/api.ts', 'sys/index.ts'],
    packages: [],
    node: ['worker_threads', 'timers/promises'],
  },
  {
    room: 'engine/workers/',
    own: ['engine/', 'transport/', 'sys/api.ts', 'sys/index.ts'],
    packages: ['eventemitter3'],
    node: ['worker_threads'],
  },
  { room: 'engine/cli/', own: ['engine/', 'sys/'], packages: ['commander'], node: ['*'] },
  { room: 'engine/inspect/', own: ['engine/', 'transport/', 'sys/'], packages: [], node: ['*'] },
  { room: 'sim/', own: ['sim/', 'engine/', 'transport/', 'sys/api.ts'], packages: ['eventemitter3'], node: [] },
  { room: 'sim/capture/', own: ['sim/', 'engine/', 'transport/', 'sys/api.ts', 'sys/pcapng/'], packages: [], node: [] },
  { room: 'sim/world/streams.ts', own: ['sim/', 'sys/api.ts'], packages: ['seedrandom'], node: [] },
  ...[
    'expectations.ts',
    'fault-actions.ts',
    'link-schema.ts',
    'scenario-schema.ts',
    'timeline-action.ts',
    'timeline-actions.ts',
    'unit-schemas.ts',
  ].map((file) => ({
    room: `sim/scenario/${file}`,
    own: ['sim/', 'engine/', 'transport/', 'sys/api.ts'],
    packages: ['zod'],
    node: [],
  })),
  { room: 'sim/scenario/scenario-text.ts', own: ['sim/'], packages: ['jsonc-parser', 'zod'], node: [] },
  { room: 'sim/cli/game-module.ts', own: ['sim/'], packages: ['jiti'], node: ['*'] },
  { room: 'sim/cli', own: ['sim/', 'engine/', 'transport/', 'sys/'], packages: ['commander'], node: ['*'] },
  { room: 'sim/cli/progress.ts', own: ['sim/'], packages: ['cli-progress'], node: [] },
  { room: 'sim/report', own: ['sim/', 'engine/', 'transport/', 'sys/api.ts'], packages: [], node: ['*'] },
  { room: 'sim/report/read-runs.ts', own: ['sim/'], packages: ['zod'], node: ['fs'] },
  { room: 'sim/report/page/', own: ['sim/report/', 'sim/scenario/', 'sim/capture/'], packages: ['echarts'], node: [] },
  { room: 'sim/proxy', own: ['sim/', 'engine/', 'transport/', 'sys/'], packages: [], node: ['*'] },
  { room: 'samples/', own: ['samples/'], packages: ['tickwire', 'commander'], node: ['*'] },
];

interface Ban {
  readonly rooms: readonly string[];
  readonly except: readonly string[];
  readonly call: RegExp;
  readonly instead: string;
}

const CLOCK_CALLS =
  /\b(Date\.now|new Date|performance\.now|process\.hrtime|Math\.random|setTimeout|setInterval|setImmediate|queueMicrotask)\b/;

const BANS: readonly Ban[] = [
  {
    rooms: ['transport/', 'sim/'],
    // The guard replaces these calls for the game, and the command shows how long a run took on the wall.
    except: ['sim/world/guard', 'sim/world/virtual-timers.ts', 'sim/cli', 'sim/proxy'],
    call: CLOCK_CALLS,
    instead: 'time and chance are arguments here: take `now` or `rng` from the caller',
  },
  {
    rooms: ['engine/'],
    // A worker whose game starts looks at it every millisecond of real time.
    except: [
      'engine/executor/runtime.ts',
      'engine/executor/microtasks.ts',
      'engine/executor/worker-entry.ts',
      'engine/cli/',
    ],
    call: CLOCK_CALLS,
    instead: 'take the clock, the rng and timers from the context, so that the simulator can step this',
  },
  {
    rooms: ['transport/', 'sim/', 'samples/arena/world.ts', 'samples/arena/bot.ts', 'samples/arena/game.ts'],
    // What formulas expect is compared within standard errors; what reports say about a run comes after it.
    except: ['sim/selftest/', 'sim/report'],
    call: /\bMath\.(exp|expm1|log|log2|log10|log1p|pow|sin|cos|tan|atan|atan2|sinh|cosh|tanh|cbrt|hypot)\b/,
    instead: 'its last bit differs between builds of Node: use + - * / and Math.sqrt, or a table of integers',
  },
  {
    rooms: ['sys/', 'transport/', 'engine/', 'sim/'],
    except: ['engine/cli/', 'sim/cli'],
    call: /\bconsole\.\w+\(/,
    instead: "a library does not print: return it, count it, or use the context's `warn`",
  },
  {
    rooms: ['sys/', 'transport/', 'engine/', 'sim/', 'samples/'],
    except: [],
    call: /^export default\b/,
    instead: 'export it by name',
  },
];

/** No file of the product may be longer; 350 is the guidance, and a file on its way there should look for its noun. */
export const LINES_MAX = 400;
/** Longest line; the formatter keeps code within it, comments are up to us. */
export const LINE_CHARACTERS_MAX = 160;

const IMPORT =
  /^\s*(?:import|export)\b[^'"]*?\bfrom\s+['"]([^'"]+)['"]|^\s*import\s+['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]\s*\)/;

/** Complaints about one source file. `file` is its path from the project's root, with slashes. */
export function complaintsAbout(file: string, text: string): Complaint[] {
  const complaints: Complaint[] = [];
  const lines = text.split('\n');
  if (lines.length > LINES_MAX + 1) {
    complaints.push({
      file,
      line: LINES_MAX,
      sentence: `${lines.length - 1} lines; look for the noun that wants a file of its own (at most ${LINES_MAX}, better 350)`,
    });
  }
  const rule = ruleFor(file);
  for (const [index, line] of joinImports(lines)) {
    const complain = (sentence: string) => complaints.push({ file, line: index + 1, sentence });
    if (lines[index]!.length > LINE_CHARACTERS_MAX)
      complain(`${lines[index]!.length} characters in a line; break it at ${LINE_CHARACTERS_MAX}`);
    const specifier = IMPORT.exec(line)
      ?.slice(1)
      .find((found) => found !== undefined);
    if (rule !== undefined && specifier !== undefined) {
      const sentence = importComplaint(file, rule, specifier, /^\s*import type\b/.test(line));
      if (sentence !== null) complain(sentence);
    }
    const code = withoutComment(line);
    for (const ban of BANS) {
      if (!ban.rooms.some((room) => file.startsWith(room)) || ban.except.some((path) => file.startsWith(path)))
        continue;
      const found = ban.call.exec(code);
      if (found !== null) complain(`\`${found[0]}\` is banned here: ${ban.instead}`);
    }
  }
  return complaints;
}

function ruleFor(file: string): RoomRule | undefined {
  return ROOMS.filter((rule) => file.startsWith(rule.room)).sort((a, b) => b.room.length - a.room.length)[0];
}

function importComplaint(file: string, rule: RoomRule, specifier: string, typeOnly: boolean): string | null {
  if (specifier.startsWith('node:')) {
    const name = specifier.slice('node:'.length);
    // A type leaves no trace in the built file.
    if (typeOnly || rule.node.includes('*') || rule.node.includes(name)) return null;
    return `${specifier} may not be imported in ${rule.room}: this room does without Node's modules (they belong in sys/)`;
  }
  if (specifier.startsWith('.')) {
    const target = resolvePath(file, specifier);
    if (rule.own.some((prefix) => target.startsWith(prefix))) return null;
    return `${rule.room} may not import ${target}: it stands on ${rule.own.join(', ') || 'nothing'}`;
  }
  const name = specifier.startsWith('@') ? specifier.split('/').slice(0, 2).join('/') : specifier.split('/')[0]!;
  if (rule.packages.includes(name)) return null;
  return `the package ${name} may not be imported in ${rule.room}; allowed: ${rule.packages.join(', ') || 'none'}`;
}

/** Path of `specifier` as seen from `file`, both with slashes. */
function resolvePath(file: string, specifier: string): string {
  const parts = file.split('/').slice(0, -1);
  for (const part of specifier.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '.') parts.push(part);
  }
  return parts.join('/');
}

/** Lines with their index; an import over several lines is one, at the index of its first. */
function* joinImports(lines: readonly string[]): Generator<[number, string]> {
  for (let i = 0; i < lines.length; i++) {
    const start = i;
    let line = lines[i]!;
    if (/^(import|export)\s+(type\s+)?\{[^}]*$/.test(line)) {
      while (i + 1 < lines.length && !lines[i]!.includes('}')) line += ` ${lines[++i]!.trim()}`;
    }
    yield [start, line];
  }
}

/** The line without what stands in comments; strings stay, a banned call in one is as suspicious. */
function withoutComment(line: string): string {
  if (/^\s*(\*|\/\*)/.test(line)) return '';
  return line.replace(/\/\*.*?\*\//g, '').replace(/(^|\s)\/\/.*$/, '');
}
