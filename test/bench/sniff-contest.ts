/**
 * One run of a sniffer under load: a veth pair, a sender on one core, the sniffer on the other. What is measured is the
 * sniffer's own CPU time; what the kernel pays to fill the ring is the sender's, and the same for all.
 */

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { NamespacePair, whyNoNamespaces } from '../sys/linux/namespaces.ts';
import { canPin } from './bench-child.ts';

const SNIFFER_CORE = 0;
const SENDER_CORE = 1;
/** How often it is looked whether a sniffer has its ring, and how long. */
const LOOK_MILLIS = 50;
const LOOKS_MAX = 200;
/** A first load, until Node has compiled its code. */
const WARM_UP_SECONDS = 1.5;
const WINDOW_SECONDS = 3;
/** Until blocks that are not full are handed over: tcpdump waits a second for its own. */
const SETTLE_MILLIS = 1_200;
const PAYLOAD_BYTES = 100;

/** Who is measured: tcpdump, ours, ours with a file. */
export type Contender = 'tcpdump' | 'sniff' | 'sniff-write';

export interface Run {
  readonly cpuNanosAPacket: number;
  readonly sent: number;
  readonly seen: number;
  readonly drops: number;
  readonly packetsPerSecond: number;
}

/** A veth pair and a sender, for as many runs as wanted. */
export class SniffContest {
  readonly #namespaces: NamespacePair = new NamespacePair('sniff-bench');
  readonly #folder: string = mkdtempSync(join(tmpdir(), 'tickwire-sniff-'));
  readonly #sender: string = join(this.#folder, 'sender');

  /** Builds the sender. */
  constructor() {
    const source = fileURLToPath(new URL('../../../test/bench/sniff-sender.c', import.meta.url));
    const built = spawnSync('gcc', ['-O2', '-o', this.#sender, source], { encoding: 'utf8' });
    if (built.status !== 0) throw new Error(`gcc could not build sniff-sender.c: ${built.stderr}`);
  }

  /** Why nothing can be measured here; '' if it can. */
  static whyNot(): string {
    for (const tool of ['gcc', 'tcpdump'])
      if (spawnSync(tool, ['--version']).status !== 0) return `${tool} is missing: install it to compare with tcpdump`;
    return whyNoNamespaces();
  }

  async run(contender: Contender, packetsPerSecond: number): Promise<Run> {
    const sniffer = this.#start(contender);
    try {
      await sniffer.ready();
      const warm = await this.#send(packetsPerSecond, WARM_UP_SECONDS);
      const before = cpuNanos(sniffer.pid);
      const load = await this.#send(packetsPerSecond, WINDOW_SECONDS);
      await sleep(SETTLE_MILLIS);
      const nanos = cpuNanos(sniffer.pid) - before;
      const { seen, drops } = await sniffer.stop();
      const sent = warm.sent + load.sent;
      return {
        cpuNanosAPacket: nanos / load.sent,
        sent,
        seen,
        drops,
        packetsPerSecond: load.sent / load.seconds,
      };
    } finally {
      await sniffer.kill();
    }
  }

  close(): void {
    this.#namespaces.close();
    rmSync(this.#folder, { recursive: true });
  }

  #start(contender: Contender): Sniffer {
    const main = fileURLToPath(new URL('../../engine/cli/main.js', import.meta.url));
    const words =
      contender === 'tcpdump'
        ? ['tcpdump', '-i', 'far', '-n', '-B', '32768', '-w', '/dev/null', 'udp']
        : [process.execPath, main, 'sniff', '--interface', 'far', '--filter', 'udp', '--json'].concat(
            contender === 'sniff' ? [] : ['--write', '/dev/null'],
          );
    return new Sniffer(pinned(SNIFFER_CORE, ['ip', 'netns', 'exec', this.#namespaces.far, ...words]));
  }

  async #send(packetsPerSecond: number, seconds: number): Promise<{ sent: number; seconds: number }> {
    const words = [this.#sender, 'near', `${packetsPerSecond}`, `${seconds}`, `${PAYLOAD_BYTES}`];
    const child = new Sniffer(pinned(SENDER_CORE, ['ip', 'netns', 'exec', this.#namespaces.near, ...words]));
    await child.ended;
    return JSON.parse(child.out) as { sent: number; seconds: number };
  }
}

/** A process and what it prints. taskset and `ip netns exec` become what they start, so its id is the command's own. */
class Sniffer {
  readonly pid: number;
  readonly ended: Promise<void>;
  out = '';
  err = '';
  readonly #process: ChildProcess;

  constructor([command, ...args]: readonly string[]) {
    this.#process = spawn(command!, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    this.pid = this.#process.pid!;
    this.#process.stdout!.on('data', (text: Buffer) => {
      this.out += text;
    });
    this.#process.stderr!.on('data', (text: Buffer) => {
      this.err += text;
    });
    this.ended = new Promise((resolve) => this.#process.once('close', () => resolve()));
  }

  /** Until its packet socket is bound: the file has a line of names, and a line a socket with a 1 for "running". */
  async ready(): Promise<void> {
    for (let look = 0; look < LOOKS_MAX; look++) {
      await sleep(LOOK_MILLIS);
      const [, ...sockets] = readFileSync(`/proc/${this.pid}/net/packet`, 'utf8').trim().split('\n');
      if (sockets.some((line) => line.trim().split(/\s+/)[5] === '1')) break;
    }
    await sleep(LOOK_MILLIS); // filter and ring may come after the bind
  }

  /** Ends it orderly and reads what it counted. */
  async stop(): Promise<{ seen: number; drops: number }> {
    this.#process.kill('SIGINT');
    await this.ended;
    const captured = /(\d+) packets captured/.exec(this.err);
    if (captured !== null)
      return { seen: Number(captured[1]), drops: Number(/(\d+) packets dropped by kernel/.exec(this.err)![1]) };
    if (this.out === '') throw new Error(`the sniffer said nothing: ${this.err}`);
    const report = JSON.parse(this.out) as { frames: number; kernel: { drops: number } };
    return { seen: report.frames, drops: report.kernel.drops };
  }

  async kill(): Promise<void> {
    if (this.#process.exitCode === null && this.#process.signalCode === null) this.#process.kill('SIGKILL');
    await this.ended;
  }
}

function pinned(core: number, words: readonly string[]): readonly string[] {
  return canPin() ? ['taskset', '-c', String(core), ...words] : words;
}

/** Time on a processor of all threads of a process: the first number of schedstat, exact where `times` counts ticks. */
function cpuNanos(pid: number): number {
  let sum = 0;
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    try {
      sum += Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0]);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error; // it has ended meanwhile
    }
  }
  return sum;
}

function sleep(millis: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, millis));
}
