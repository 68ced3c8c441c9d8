// The proxy's command: what it says and how it exits. Runs the built files.

import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { formatAddress, parseAddress } from '../../../sys/api.ts';
import { openDgramOutside } from '../../conformance/outside.ts';

const CLI = fileURLToPath(new URL('../../../dist/sim/cli/main.js', import.meta.url));
const built = existsSync(CLI);
const folder = mkdtempSync(join(tmpdir(), 'tickwire-proxy-'));
afterAll(() => rmSync(folder, { recursive: true }));
const EXPECTATION = { metric: 'clientsFailed', eq: 0 };
const HERE = ['--listen', '127.0.0.1:0', '--to', '127.0.0.1:9'];

describe.skipIf(!built)(`sim proxy${built ? '' : ' (skipped: dist/sim/cli/main.js is missing, build first)'}`, () => {
  it('carries datagrams, rebinds by a line on stdin, and ends on SIGINT with one object', async () => {
    const server = await openDgramOutside('127.0.0.1');
    const client = await openDgramOutside('127.0.0.1');
    const to = `127.0.0.1:${server.address[16]! | (server.address[17]! << 8)}`;
    const proxy = spawn(process.execPath, [
      CLI,
      ...['proxy', '--listen', '127.0.0.1:0', '--to', to, '--latency', '1', '--seed', '7', '--json'],
    ]);
    const said = lines(proxy);
    try {
      const [, address] = /^sim: (\S+) -> \S+: .*--latency 1 .*--seed 7; Ctrl-C ends it$/.exec(await said.next()) ?? [];
      const listen = parseAddress(address!)!;
      await client.send(listen, Uint8Array.of(1));
      const { from } = await server.receive();
      await server.send(from, Uint8Array.of(2));
      expect((await client.receive()).bytes).toEqual(Uint8Array.of(2));
      proxy.stdin.write('rebind client-5\nwhat\nrebind client-0\n');
      expect(await said.next()).toContain('there is no client-5');
      expect(await said.next()).toContain("'what' is no command");
      let rebound = from;
      for (let n = 0; n < 200 && rebound.join() === from.join(); n++) {
        await client.send(listen, Uint8Array.of(3));
        rebound = (await server.receive()).from;
      }
      expect(rebound).not.toEqual(from);
      const ended = once(proxy, 'exit');
      const printed = text(proxy);
      proxy.kill('SIGINT');
      expect(await ended).toEqual([0, null]);
      const report = JSON.parse(await printed);
      expect(report).toMatchObject({ seed: '7', rebinds: 1, clients: { seen: 1 }, down: { sent: 1, delivered: 1 } });
    } finally {
      proxy.kill('SIGKILL');
      server.close();
      client.close();
    }
  });

  it('plays the scenario of a file from the first client on', async () => {
    const server = await openDgramOutside('127.0.0.1');
    const client = await openDgramOutside('127.0.0.1');
    const timeline = [
      { at: '0s', cut: 'client-*', direction: 'up', for: '200ms' },
      { at: '0s', set: { latency: '1ms' } },
    ];
    const file = join(folder, 'storm.json');
    writeFileSync(
      file,
      JSON.stringify({ seed: 'of the file', link: { latency: '30s' }, timeline, expect: [EXPECTATION] }),
    );
    const proxy = spawn(process.execPath, [
      CLI,
      ...['proxy', file, '--listen', '127.0.0.1:0', '--to', formatAddress(server.address), '--json'],
    ]);
    const said = lines(proxy);
    try {
      expect(await said.next()).toBe(`sim: ${file}: what it expects is for \`sim run\` to look at`);
      const [, address] =
        /^sim: (\S+) -> \S+: .*storm\.json --seed of the file; Ctrl-C ends it$/.exec(await said.next()) ?? [];
      const listen = parseAddress(address!)!;
      await new Promise((resolve) => setTimeout(resolve, 300)); // what began with the proxy would be over
      await client.send(listen, Uint8Array.of(0));
      let heard = false;
      const hears = server.receive().then(() => {
        heard = true;
      });
      for (let n = 1; !heard && n < 200; n++) {
        await client.send(listen, Uint8Array.of(n));
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
      await hears;
      const ended = once(proxy, 'close');
      const printed = text(proxy);
      proxy.kill('SIGINT');
      expect(await ended).toEqual([0, null]);
      const { up } = JSON.parse(await printed);
      expect(up.cut).toBeGreaterThan(0);
      expect(up.delivered).toBeGreaterThan(0);
    } finally {
      proxy.kill('SIGKILL');
      server.close();
      client.close();
    }
  });

  it('says where a file asks for what a proxy cannot do', () => {
    const file = join(folder, 'bad.json');
    writeFileSync(file, '{\n  "timeline": [\n    { "at": "1s", "pause": "server", "for": "1s" }\n  ]\n}\n');
    const { status, stdout, stderr } = sim([file, ...HERE, '--pcap', join(folder, 'x.pcapng')]);
    expect(stderr).toBe(
      `${file}:3: timeline[0].pause: needs simulated hosts, and those of a proxy are real: leave it out, or use sim run (got "server")\n`,
    );
    expect([status, stdout, readdirSync(folder).includes('x.pcapng')]).toEqual([2, '', false]);
  });

  it('prints a table for people when its time is over', () => {
    const { status, stdout } = sim([...HERE, '--preset', 'lte', '--seconds', '0.1']);
    expect(status).toBe(0);
    expect(stdout).toContain('clients    0 seen');
    expect(stdout).toContain('up         0 in, 0 out');
  });

  it.each([
    [['--to', '127.0.0.1:9'], "required option '--listen <host:port>' not specified"],
    [['--listen', 'nonsense', '--to', '127.0.0.1:9'], "option '--listen': 'nonsense' is not an address with a port"],
    [['--listen', '127.0.0.1:70000', '--to', '127.0.0.1:9'], 'port 70000 is not a whole number from 0 to 65535'],
    [['--listen', '127.0.0.1:0', '--to', 'no.such.invalid:9'], "the host name 'no.such.invalid' has no address"],
    [['--listen', '127.0.0.1:0', '--to', '127.0.0.1:0'], '--to has port 0'],
    [['--listen', '0.0.0.0:7777', '--to', '127.0.0.1:7777'], '127.0.0.1:7777 is where the proxy itself listens'],
    [[...HERE, '--rebind-every', '10'], 'give a time such as 500ms, 10s or 2m'],
    [[...HERE, '--jitter', '60'], '--jitter 60 is larger than --latency 50'],
    [[...HERE, '--clients', '0'], 'give a whole number from 1 to 4096'],
    [['no-such.json', ...HERE], 'no-such.json cannot be read: ENOENT'],
    [[...HERE, '--preset', 'lte', '--loss', '5'], '--preset lte says all about the network'],
  ])('%j is a usage error in one line', (args, message) => {
    const { status, stdout, stderr } = sim(args);
    expect(stderr).toContain(message);
    expect(stderr.trim().split('\n')).toHaveLength(1);
    expect([status, stdout]).toEqual([2, '']);
  });

  it('a port that is taken is what the machine lacks, in one line', async () => {
    const taken = createSocket('udp4');
    taken.bind(0, '127.0.0.1');
    await once(taken, 'listening');
    const { status, stderr } = sim(['--listen', `127.0.0.1:${taken.address().port}`, '--to', '127.0.0.1:9']);
    taken.close();
    expect(stderr).toMatch(/^sim: bind: EADDRINUSE: .*another program holds udp port \d+.*\n$/);
    expect(status).toBe(3);
  });
});

function sim(args: readonly string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [CLI, 'proxy', ...args], { encoding: 'utf8', input: '' });
}

/** What it says on stderr, line by line. */
function lines({ stderr }: ChildProcessWithoutNullStreams): { next(): Promise<string> } {
  const iterator = createInterface({ input: stderr })[Symbol.asyncIterator]();
  return { next: async () => (await iterator.next()).value };
}

async function text({ stdout }: ChildProcessWithoutNullStreams): Promise<string> {
  let all = '';
  for await (const chunk of stdout) all += chunk;
  return all;
}
