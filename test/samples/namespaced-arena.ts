/** An arena at the near end of a veth pair, players and floods at the far end: built code, processes of their own. */

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { FAR, NEAR } from '../sys/linux/namespaces.ts';
import { XdpPair } from '../sys/xdp/veth.ts';
import type { Sight } from './fixtures/arena-player.ts';

const DIST = new URL('../../dist/', import.meta.url);

/** Where built code is. */
export function builtFile(path: string): string {
  return fileURLToPath(new URL(path, DIST));
}

/** A process in a namespace whose output is read as it comes. */
export class Inside {
  out = '';
  err = '';
  readonly ended: Promise<number | null>;
  private readonly child: ChildProcess;
  private look: () => void = () => {};

  constructor(namespace: string, words: readonly string[]) {
    // No TICKWIRE_SYS of whoever runs the tests.
    const env = { ...process.env, NO_COLOR: '1', TICKWIRE_SYS: '' };
    this.child = spawn('ip', ['netns', 'exec', namespace, ...words], { env, stdio: ['ignore', 'pipe', 'pipe'] });
    this.child.stdout!.setEncoding('utf8').on('data', (text: string) => {
      this.out += text;
      this.look();
    });
    this.child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.err += text;
      this.look();
    });
    this.ended = new Promise((resolve) => this.child.once('close', (code) => resolve(code)));
  }

  /** Resolves when what was printed matches; rejects when the process ends before. */
  until(pattern: RegExp): Promise<RegExpExecArray> {
    return new Promise((resolve, reject) => {
      this.look = () => {
        const found = pattern.exec(this.out + this.err);
        if (found !== null) resolve(found);
      };
      this.look();
      void this.ended.then((code) => reject(new Error(`ended with ${code} before ${pattern}: ${this.out}${this.err}`)));
    });
  }

  /** ip(8) becomes the command, so a signal reaches it. */
  stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    if (this.child.exitCode === null && this.child.signalCode === null) this.child.kill(signal);
    return this.ended;
  }
}

/** One arena with its network. `close` removes both, whatever has happened. */
export class NamespacedArena {
  readonly pair: XdpPair;
  private readonly inside: Inside[] = [];
  private port = 0;
  private tokenUrl = '';

  constructor(purpose: string) {
    this.pair = new XdpPair(purpose);
    this.pair.introduce();
  }

  /** Starts the server and waits for what it says; `prefix` stands before node. */
  async serve(words: readonly string[], prefix: readonly string[] = []): Promise<{ server: Inside; way: string }> {
    const file = builtFile('samples/arena/main.js');
    const fixed = ['--host', NEAR, '--port', '0', '--token-port', '0', '--json'];
    const server = this.start('near', [...prefix, process.execPath, file, ...fixed, ...words]);
    const found = await server.until(/arena on udp \S+:(\d+), tokens from (\S+);.*\n(way to the network: .*)\n/);
    this.port = Number(found[1]);
    this.tokenUrl = found[2]!;
    return { server, way: found[3]! };
  }

  /** A player at the far end, who has a token from the near one. */
  play(): Inside {
    const fetched = `fetch(process.argv[1], { method: 'POST', body: '{"name":"outside"}' }).then(async (r) => console.log((await r.json()).token))`;
    const token = execFileSync(
      'ip',
      ['netns', 'exec', this.pair.near, process.execPath, '-e', fetched, this.tokenUrl],
      { encoding: 'utf8' },
    ).trim();
    return this.start('far', [process.execPath, builtFile('test/samples/fixtures/arena-player.js'), token]);
  }

  /** Sends `count` datagrams from an address of the far end that it is given for it. */
  async flood(from: string, count: number): Promise<void> {
    if (from !== FAR) this.pair.addFar(from);
    const words = [builtFile('test/samples/fixtures/flood.js'), from, NEAR, `${this.port}`, `${count}`];
    await this.start('far', [process.execPath, ...words]).ended;
  }

  async close(): Promise<void> {
    try {
      await Promise.all(this.inside.map((one) => one.stop('SIGKILL')));
    } finally {
      this.pair.close();
    }
  }

  private start(side: 'near' | 'far', words: readonly string[]): Inside {
    const one = new Inside(this.pair[side], words);
    this.inside.push(one);
    return one;
  }
}

/** What a player has seen so far. */
export function sights(player: Inside): Sight[] {
  return player.out
    .split('\n')
    .filter((line) => line.endsWith('}'))
    .map((line) => JSON.parse(line) as Sight);
}

/** Waits until the player has seen a snapshot of `tick` or later, and has moved from where it was. */
export async function sees(player: Inside, tick: number): Promise<Sight> {
  for (;;) {
    const all = sights(player);
    const now = all.at(-1);
    const first = all.find((one) => one.tick >= 0);
    if (now !== undefined && first !== undefined && now.tick >= tick && (now.x !== first.x || now.y !== first.y)) {
      return now;
    }
    const seen = all.length;
    await Promise.race([
      player.until(new RegExp(`(?:\\{.*\\}\\n){${seen + 1}}`)),
      new Promise((resolve) => setTimeout(resolve, 1000)),
    ]);
  }
}
