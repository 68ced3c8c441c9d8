/** Processes that a bench measures or is loaded by: each pinned to a core, each telling what it found in lines of JSON. */

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** Longest silence of a child before the bench gives up: its warm-up and its window, with room for a slow machine. */
const SILENCE_MS_MAX = 90_000;

let pinning: boolean | undefined;

/** Whether processes can be pinned: two cores and taskset. */
export function canPin(): boolean {
  pinning ??= availableParallelism() >= 2 && spawnSync('taskset', ['-c', '0', 'true']).status === 0;
  return pinning;
}

/** A note for the report where processes are not pinned. */
export const UNPINNED_NOTE = 'not pinned to cores (taskset or a second core is missing): expect a wide spread';

/** A process of a bench. */
export class BenchChild {
  readonly #process: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  readonly #name: string;
  readonly #ended: Promise<void>;

  /** Starts `command` with `args` on `core` (where cores can be chosen). */
  constructor(name: string, command: string, args: readonly string[], core: number) {
    this.#name = name;
    const pinned = canPin() ? ['taskset', '-c', String(core), command, ...args] : [command, ...args];
    this.#process = spawn(pinned[0]!, pinned.slice(1), { stdio: ['ignore', 'pipe', 'inherit'] });
    this.#lines = createInterface({ input: this.#process.stdout! })[Symbol.asyncIterator]();
    this.#ended = new Promise((resolve) => this.#process.once('close', () => resolve()));
  }

  /** Starts a module of this folder in a Node of its own. */
  static node(file: string, args: readonly string[], core: number): BenchChild {
    return new BenchChild(file, process.execPath, [fileURLToPath(new URL(file, import.meta.url)), ...args], core);
  }

  /** The next line that the child prints, as an object. Rejects when it ends or stays silent. */
  async report<T>(): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const silence = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`${this.#name} said nothing for a long time`)), SILENCE_MS_MAX);
    });
    try {
      const line = await Promise.race([this.#lines.next(), silence]);
      if (line.done) throw new Error(`${this.#name} ended (${this.#process.exitCode}) before it reported`);
      return JSON.parse(line.value) as T;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Rejects if the process ends by itself: for those that run until they are stopped. */
  async failure(): Promise<never> {
    await this.#ended;
    throw new Error(`${this.#name} ended (${this.#process.exitCode}) before its bench was done`);
  }

  /** Ends the process, and gives the lines that it printed and nobody has read. */
  async stopAndRead<T>(): Promise<T[]> {
    await this.stop();
    const found: T[] = [];
    for (let line = await this.#lines.next(); !line.done; line = await this.#lines.next()) {
      found.push(JSON.parse(line.value) as T);
    }
    return found;
  }

  /** Ends the process, if it has not ended by itself. */
  async stop(): Promise<void> {
    if (this.#process.exitCode === null && this.#process.signalCode === null) this.#process.kill('SIGKILL');
    await this.#ended;
  }
}

/** Says one thing to the bench that started this process. */
export function report(found: object): void {
  process.stdout.write(`${JSON.stringify(found)}\n`);
}

/** CPU time of this process in microseconds, all threads, user and system. */
export function cpuMicros(): number {
  const { userCPUTime, systemCPUTime } = process.resourceUsage();
  return userCPUTime + systemCPUTime;
}
