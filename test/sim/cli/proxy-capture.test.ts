// The capture of `sim proxy`: keys, slow and full disks; and what the command writes, read by tshark. Runs the built files.

import { type ChildProcessWithoutNullStreams, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { reliableOrdered } from '../../../engine/channels.ts';
import { Client } from '../../../engine/client.ts';
import { Server } from '../../../engine/server.ts';
import { mintToken } from '../../../engine/token.ts';
import { dissectorText } from '../../../sim/capture/dissector.ts';
import { GrowingFile } from '../../../sim/cli/growing-file.ts';
import { keyOf, type PacketFile, ProxyCapture } from '../../../sim/cli/proxy-capture.ts';
import type { LinkDirection } from '../../../sim/link/link.ts';
import { ADDRESS_BYTES, formatAddress, parseAddress } from '../../../sys/api.ts';
import { openDgramOutside } from '../../conformance/outside.ts';

const CLI = fileURLToPath(new URL('../../../dist/sim/cli/main.js', import.meta.url));
const built = existsSync(CLI);
const hasTshark = spawnSync('tshark', ['--version']).status === 0;
const lacks = !built
  ? ' (skipped: dist/ is missing, build first)'
  : hasTshark
    ? ''
    : ' (skipped: tshark is not installed)';
const folder = mkdtempSync(join(tmpdir(), 'tickwire-proxy-'));
afterAll(() => rmSync(folder, { recursive: true }));
afterEach(() => {
  for (const name of readdirSync(folder)) rmSync(join(folder, name), { recursive: true });
});
/** A command beside compilers, and tshark some times. */
const TIMEOUT_MILLIS = 60_000;

const KEY = Uint8Array.from({ length: 32 }, (_, i) => i * 7);
const DIGITS = Buffer.from(KEY).toString('hex');

describe('a key', () => {
  it('is read from its digits, and from files of them or of its bytes', () => {
    writeFileSync(join(folder, 'text'), `${DIGITS.toUpperCase()}\n`);
    writeFileSync(join(folder, 'bytes'), KEY);
    for (const given of [DIGITS, join(folder, 'text'), join(folder, 'bytes')]) expect(keyOf(given)).toEqual(KEY);
  });

  it('with a mistake in it is not repeated in what is said of it', () => {
    expect(() => keyOf(DIGITS.slice(1))).toThrow(
      /^--key is neither 64 hexadecimal digits nor a file that can be read$/,
    );
    writeFileSync(join(folder, 'short'), DIGITS.slice(2));
    expect(() => keyOf(join(folder, 'short'))).toThrow(/short has neither 64 hexadecimal digits nor 32 bytes in it$/);
    expect(() => keyOf('/dev/zero')).toThrow('/dev/zero has neither');
  });
});

describe('a capture whose disk', () => {
  const direction = { name: 'client-0>server', number: 0 } as LinkDirection;
  const addresses = new Uint8Array(2 * ADDRESS_BYTES);

  function open(write: (blocks: number) => void, clock: { time: number }) {
    const told: string[] = [];
    const done: string[] = [];
    let blocks = 0;
    const file: PacketFile = {
      write: () => write(blocks++),
      finish: () => void done.push('finish'),
      keep: () => {
        done.push('keep');
        return 99;
      },
      abandon: () => {},
    };
    const capture = new ProxyCapture('x.pcapng', file, { now: () => clock.time, unixSeconds: () => 0 }, (text) =>
      told.push(text),
    );
    capture.begin(0);
    const datagram = (index: number): void => {
      for (const kind of ['received', 'delivered'] as const) {
        capture.observe(index, direction, kind, index, Uint8Array.of(index), addresses);
      }
    };
    return { capture, datagram, told, done, blocks: () => blocks };
  }

  it('is slow says so once, and tells how often and how long datagrams waited for it', () => {
    const clock = { time: 0 };
    const { capture, datagram, told, done } = open((blocks) => {
      clock.time += blocks === 4 ? 30_000 : blocks === 6 ? 70_000 : 100;
    }, clock);
    for (let n = 0; n < 10; n++) datagram(n);
    expect(told).toEqual([expect.stringContaining('took 30 ms, in which no datagram moved')]);
    expect(capture.finish(20)).toMatchObject({ whole: true, packets: 10, stalls: 2, longestStallMs: 70 });
    expect(done).toEqual(['finish']);
    expect(() => capture.check()).not.toThrow();
  });

  it('is full at the very end keeps what is written too', () => {
    const done: string[] = [];
    const full = (): never => {
      throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
    };
    const file: PacketFile = {
      write: () => {},
      finish: full,
      keep: () => {
        done.push('keep');
        return 99;
      },
      abandon: () => {},
    };
    const capture = new ProxyCapture('x.pcapng', file, { now: () => 0, unixSeconds: () => 0 }, () => {});
    capture.begin(0);
    capture.finish(20);
    expect(done).toEqual(['keep']);
    expect(() => capture.check()).toThrow('is not whole');
  });

  it('is full says so once, keeps what is written, and troubles the proxy no more', () => {
    const { capture, datagram, told, done, blocks } = open(
      (blocks) => {
        if (blocks >= 4) throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
      },
      { time: 0 },
    );
    for (let n = 0; n < 10; n++) datagram(n);
    expect(told).toEqual([expect.stringMatching(/^--pcap x\.pcapng ends here, the proxy goes on: ENOSPC/)]);
    expect(blocks()).toBe(5);
    expect(capture.finish(20)).toMatchObject({ whole: false, bytes: 99 });
    expect(done).toEqual(['keep']);
    expect(() => capture.check()).toThrow('write: ENOSPC: --pcap x.pcapng is not whole');
  });
});

it('a file that grows is refused at once where a directory is', () => {
  expect(() => new GrowingFile(folder)).toThrow('it is a directory');
});

it('a file that is kept ends where a write ended', () => {
  const name = join(folder, 'kept');
  const file = new GrowingFile(name);
  for (let n = 1; n <= 3; n++) file.write(new Uint8Array(100_000).fill(n));
  expect(file.keep()).toBe(200_000); // the third waits in memory, as what a full disk did not take would
  expect(readFileSync(name).length).toBe(200_000);
  expect(readdirSync(folder)).toEqual(['kept']);
});

describe.skipIf(lacks !== '')(`sim proxy --pcap, read by tshark${lacks}`, () => {
  /** Fields of the packets that pass the filter. */
  function tshark(filter: string, ...fields: string[]): string[][] {
    writeFileSync(join(folder, 'tickwire.lua'), dissectorText());
    const text = execFileSync(
      'tshark',
      [
        ...['-r', join(folder, 'out.pcapng'), '-X', `lua_script:${join(folder, 'tickwire.lua')}`, '-T', 'fields'],
        ...['-o', 'ip.check_checksum:TRUE', '-o', 'udp.check_checksum:TRUE', '-Y', filter],
        ...fields.flatMap((field) => ['-e', field]),
      ],
      { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, HOME: folder } },
    );
    return text.split('\n').flatMap((line) => (line === '' ? [] : [line.split('\t')]));
  }

  const MALFORMED = '_ws.malformed || _ws.lua.error || ip.checksum.status == "Bad" || udp.checksum.status == "Bad"';

  it(
    'has each datagram as it came, when it came, and no noise of a game that is not ours',
    async () => {
      const server = await openDgramOutside('127.0.0.1');
      const client = await openDgramOutside('127.0.0.1');
      const { proxy, listen, end } = await start(server.address, '--latency', '30', '--mtu', '500');
      const began = Date.now() - 1;
      try {
        await client.send(listen, Uint8Array.of(1, 2, 3));
        const { from } = await server.receive();
        await server.send(from, Uint8Array.of(4));
        await client.receive();
        await client.send(listen, new Uint8Array(600));
        await client.send(listen, Uint8Array.of(5));
        await server.receive();
        expect(readdirSync(folder)).toEqual([expect.stringMatching(/^out\.pcapng\.\d+\.tmp$/)]); // until it is whole
        expect(await end()).toMatchObject({ capture: { packets: 4, file: 'out.pcapng', stalls: expect.any(Number) } });
        expect(readdirSync(folder)).toEqual(['out.pcapng']);
        const [up, down] = [
          [client.address, listen],
          [server.address, from],
        ].map((pair) => pair.flatMap((address) => formatAddress(address!).split(':')));
        const rows = tshark(
          'frame',
          'ip.src',
          'udp.srcport',
          'ip.dst',
          'udp.dstport',
          'udp.length',
          'frame.interface_name',
        );
        expect(rows).toEqual([
          [...up!, '11', 'wire'],
          [...down!, '9', 'wire'],
          [...up!, '608', 'wire'],
          [...up!, '9', 'wire'],
        ]);
        const comments = tshark('frame', 'frame.comment').map(([text]) => text);
        expect(comments).toEqual([
          '3 bytes (client-0>server, datagram 0),arrived after 30.000 ms',
          '1 bytes (server>client-0, datagram 0),arrived after 30.000 ms',
          expect.stringMatching(/^600 bytes \(client-0>server, datagram 1\),dropped: larger than the link's MTU/),
          '1 bytes (client-0>server, datagram 2),arrived after 30.000 ms',
        ]);
        expect(tshark(MALFORMED, 'frame.number')).toEqual([]);
        const times = tshark('frame', 'frame.time_epoch').map(([time]) => Number(time) * 1000);
        expect(times).toEqual([...times].sort((a, b) => a - b));
        expect(times[0]).toBeGreaterThan(began);
        expect(times[3]).toBeLessThan(Date.now() + 1);
      } finally {
        proxy.kill('SIGKILL');
        server.close();
        client.close();
      }
    },
    TIMEOUT_MILLIS,
  );

  it(
    'has what is sealed too where it is given the key',
    async () => {
      writeFileSync(join(folder, 'key'), `${DIGITS}\n`);
      const channels = { chat: reliableOrdered() };
      // The server must know the proxy's address, and the proxy the server's.
      const port = await freePort();
      const server = await Server.listen({
        ...{ port: 0, host: '127.0.0.1', privateKey: KEY, freshKey: true, protocolId: 0xabc, channels },
        publicAddresses: [`127.0.0.1:${port}`],
      });
      const to = parseAddress(server.address)!;
      const { proxy, end } = await start(to, '--latency', '2', '--key', 'key', '--listen', `127.0.0.1:${port}`);
      try {
        const grant = { privateKey: KEY, clientId: 5, protocolId: 0xabc, addresses: [`127.0.0.1:${port}`] };
        const client = await Client.connect({ channels, token: await mintToken(grant) });
        const heard = new Promise((resolve) => server.once('message', resolve));
        client.send('chat', Uint8Array.of(1, 2, 3));
        await heard;
        await client.close('bye');
        await end();
        const sealed = tshark('frame.interface_name == "decrypted"', 'tickwire.opened.kind', 'tickwire.client');
        expect(new Set(sealed.map(([, id]) => id))).toEqual(new Set(['5']));
        expect(sealed.map(([kind]) => kind)).toEqual(expect.arrayContaining(['2', '3', '4', '5', '6']));
        const comments = tshark('frame.comment contains "carries"', 'frame.comment').map(([text]) => text);
        expect(comments).toContainEqual(
          expect.stringMatching(/^payload \d+ from client 5.*carries .*channel 0 0 \(3 bytes\)/),
        );
        expect(tshark('frame.comment contains "no key"', 'frame.number')).toEqual([]);
        expect(tshark(`${MALFORMED} || tickwire.malformed`, 'frame.number')).toEqual([]);
      } finally {
        proxy.kill('SIGKILL');
        await server.close();
      }
    },
    TIMEOUT_MILLIS,
  );
});

describe.skipIf(!built)(`sim proxy with a capture${built ? '' : lacks}`, () => {
  it.each([
    [['--pcap', 'nowhere/x.pcapng'], '--pcap nowhere/x.pcapng cannot be written: ENOENT'],
    [['--key', DIGITS], '--key opens packets of a capture: give --pcap too'],
    [['--pcap', 'x.pcapng', '--key', DIGITS.slice(1)], '--key is neither 64 hexadecimal digits nor a file'],
  ])('%j is a usage error in one line, and leaves nothing behind', (args, message) => {
    const { status, stdout, stderr } = sim(args);
    expect(stderr).toContain(message);
    expect([status, stdout, stderr.trim().split('\n').length]).toEqual([2, '', 1]);
    expect(readdirSync(folder)).toEqual([]);
  });

  it('leaves nothing behind when the port is taken', async () => {
    const taken = await openDgramOutside('127.0.0.1');
    const { status } = sim(['--listen', formatAddress(taken.address), '--pcap', 'x.pcapng']);
    taken.close();
    expect([status, readdirSync(folder)]).toEqual([3, []]);
  });

  it('tells people in the summary what is in the file', () => {
    const { status, stdout } = sim(['--seconds', '0.2', '--pcap', 'x.pcapng']);
    expect([status, readdirSync(folder)]).toEqual([0, ['x.pcapng']]);
    expect(stdout).toMatch(/capture {4}0 packets, \d+ bytes in x\.pcapng$/m);
  });
});

function sim(args: readonly string[]): { status: number | null; stdout: string; stderr: string } {
  const here = args.includes('--listen') ? [] : ['--listen', '127.0.0.1:0'];
  const all = ['proxy', ...here, '--to', '127.0.0.1:9', ...args];
  return spawnSync(process.execPath, [CLI, ...all], { encoding: 'utf8', input: '', cwd: folder });
}

/** A proxy that writes out.pcapng; `end` interrupts it and returns what it prints. */
async function start(to: Uint8Array, ...args: readonly string[]) {
  const here = args.includes('--listen') ? [] : ['--listen', '127.0.0.1:0'];
  const all = ['proxy', ...here, '--to', formatAddress(to), '--pcap', 'out.pcapng', '--json', ...args];
  const proxy: ChildProcessWithoutNullStreams = spawn(process.execPath, [CLI, ...all], { cwd: folder });
  const said = createInterface({ input: proxy.stderr })[Symbol.asyncIterator]();
  const listen = parseAddress(/^sim: (\S+) -> /.exec((await said.next()).value)![1]!)!;
  const end = async (): Promise<unknown> => {
    const ended = once(proxy, 'close');
    const chunks: Buffer[] = [];
    proxy.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
    proxy.kill('SIGINT');
    expect(await ended).toEqual([0, null]);
    return JSON.parse(Buffer.concat(chunks).toString());
  };
  return { proxy, listen, end };
}

async function freePort(): Promise<number> {
  const socket = await openDgramOutside('127.0.0.1');
  const port = socket.address[16]! | (socket.address[17]! << 8);
  socket.close();
  return port;
}
