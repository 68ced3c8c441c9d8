/** The sample ping: bytes and words by themselves, then as a process over loopback and over namespaces with a router. */

import { execFileSync, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Echo } from '../../samples/ping/echo.ts';
import { Tally } from '../../samples/ping/tally.ts';
import { addressOf, DatagramBatch } from '../../sys/api.ts';
import { FilterInterpreter } from '../../sys/filter/interpreter.ts';
import { IcmpHeader } from '../../sys/wire/icmp.ts';
import { IPv4Header } from '../../sys/wire/ipv4.ts';
import { FAR, NamespacePair, NEAR, whyNoNamespaces } from '../sys/linux/namespaces.ts';

const PEER = addressOf('192.0.2.9', 0)!;
const PEER_V6 = addressOf('2001:db8::9', 0)!;
const ROUTER = addressOf('192.0.2.1', 0)!;
const OURS = 0x7001;

/** An ICMP message of `type` with `rest` behind its first four bytes, as a raw socket of IPv4 shows it. */
function packetV4(type: number, code: number, rest: readonly number[], options = 0): Uint8Array {
  const bytes = new Uint8Array(20 + options + 4 + rest.length);
  const ip = new IPv4Header().wrap(bytes, 0, bytes.length).clear();
  Object.assign(ip, { headerBytes: 20 + options, totalBytes: bytes.length, ttl: 57, protocol: 1 });
  bytes.set([type, code, 0, 0, ...rest], 20 + options);
  new IcmpHeader().wrap(bytes, 20 + options, bytes.length).fillChecksum();
  return bytes;
}

const numbers = (identifier: number, sequence: number): number[] => [identifier >> 8, identifier & 0xff, 0, sequence];
/** What an error has behind its first four bytes: four more, and the header and the first bytes of what it is about. */
const quote = (headerBytes: number, type: number, identifier: number, sequence: number): number[] => [
  ...[0, 0, 0, 0],
  ...new Array<number>(headerBytes).fill(0),
  ...[type, 0, 0, 0, ...numbers(identifier, sequence)],
];

function read(echo: Echo, packet: Uint8Array, from = PEER): object | false {
  const rx = DatagramBatch.allocate(1, 2048);
  rx.arena.set(packet, rx.offset[0]);
  rx.length[0] = packet.length;
  rx.address.set(from);
  if (!echo.read(rx, 0)) return false;
  const { from: host, bytes, sequence, ttl, trouble } = echo;
  return { from: host, bytes, sequence, ttl, trouble };
}

describe('the echo of ping', () => {
  it('writes a request whose checksum is right, and a pattern behind it', () => {
    const tx = DatagramBatch.allocate(1, 2048);
    new Echo(PEER, OURS, 4).write(tx, PEER, 300);
    const request = tx.arena.slice(tx.offset[0], tx.offset[0]! + tx.length[0]!);
    expect([...request]).toEqual([8, 0, 0x84, 0xce, 0x70, 0x01, 1, 44, 0, 1, 2, 3]);
    expect([tx.count, tx.address.subarray(0, 24)]).toEqual([1, PEER]);
    expect(new IcmpHeader().wrap(request, 0, request.length).checksumHolds).toBe(true);
  });

  it('leaves the checksum of ICMPv6 to the kernel', () => {
    const tx = DatagramBatch.allocate(1, 2048);
    new Echo(PEER_V6, OURS, 0).write(tx, PEER_V6, 1);
    expect([...tx.arena.slice(tx.offset[0], tx.offset[0]! + 8)]).toEqual([128, 0, 0, 0, 0x70, 0x01, 0, 1]);
  });

  it('reads an answer, and behind options of the IP header too', () => {
    const echo = new Echo(PEER, OURS, 0);
    const answer = { from: '192.0.2.9', bytes: 8, sequence: 5, ttl: 57, trouble: '' };
    expect(read(echo, packetV4(0, 0, numbers(OURS, 5)))).toEqual(answer);
    expect(read(echo, packetV4(0, 0, numbers(OURS, 5), 8))).toEqual(answer);
  });

  it.each([
    [3, 1, 'Destination Host Unreachable'],
    [3, 77, 'Destination Unreachable'],
    [11, 0, 'Time to live exceeded'],
  ])('reads what a router says, by the number that it quotes: type %i, code %i', (type, code, trouble) => {
    const packet = packetV4(type, code, quote(20, 8, OURS, 6));
    expect(read(new Echo(PEER, OURS, 0), packet, ROUTER)).toMatchObject({ from: '192.0.2.1', sequence: 6, trouble });
  });

  it('reads the same of ICMPv6, whose IP header is not there', () => {
    const echo = new Echo(PEER_V6, OURS, 0);
    const reply = Uint8Array.from([129, 0, 0, 0, ...numbers(OURS, 5)]);
    expect(read(echo, reply, PEER_V6)).toEqual({ from: '2001:db8::9', bytes: 8, sequence: 5, ttl: 0, trouble: '' });
    const error = Uint8Array.from([3, 0, 0, 0, ...quote(40, 128, OURS, 6)]);
    expect(read(echo, error, PEER_V6)).toMatchObject({ sequence: 6, trouble: 'Time exceeded: Hop limit' });
  });

  it("does not read what is cut off, has a wrong checksum or is another's", () => {
    const echo = new Echo(PEER, OURS, 0);
    const answer = packetV4(0, 0, numbers(OURS, 5));
    for (let length = 0; length < answer.length; length++) {
      expect(read(echo, answer.subarray(0, length)), `${length} bytes`).toBe(false);
    }
    const error = packetV4(3, 1, quote(20, 8, OURS, 6));
    for (let cut = 1; cut < 20; cut++) expect(read(echo, error.subarray(0, error.length - cut))).toBe(false);
    answer[27]! ^= 1; // the sequence number
    expect(read(echo, answer)).toBe(false);
    expect(read(echo, packetV4(0, 0, numbers(OURS + 1, 5)))).toBe(false);
  });

  it('filters in the kernel what it would not read: requests, the answers to others, errors about others', () => {
    const passes = (peer: Uint8Array, packet: Uint8Array): boolean =>
      new FilterInterpreter(new Echo(peer, OURS, 0).filter).run(packet, 0, packet.length) > 0;
    for (const options of [0, 8, 40]) {
      expect(passes(PEER, packetV4(0, 0, numbers(OURS, 5), options))).toBe(true);
      expect(passes(PEER, packetV4(0, 0, numbers(OURS + 1, 5), options))).toBe(false);
      expect(passes(PEER, packetV4(8, 0, numbers(OURS, 5), options))).toBe(false);
      expect(passes(PEER, packetV4(3, 1, quote(20, 8, OURS, 5), options))).toBe(true);
      expect(passes(PEER, packetV4(3, 1, quote(20, 8, OURS + 1, 5), options))).toBe(false);
      expect(passes(PEER, packetV4(5, 1, quote(20, 8, OURS, 5), options))).toBe(false); // a redirect: the kernel's matter
    }
    const v6 = (type: number, rest: number[]): boolean => passes(PEER_V6, Uint8Array.from([type, 0, 0, 0, ...rest]));
    expect(v6(129, numbers(OURS, 5))).toBe(true);
    expect(v6(129, numbers(OURS + 1, 5))).toBe(false);
    expect(v6(128, numbers(OURS, 5))).toBe(false);
    for (const type of [1, 2, 3, 4]) {
      expect(v6(type, quote(40, 128, OURS, 5))).toBe(true);
      expect(v6(type, quote(40, 128, OURS - 1, 5))).toBe(false);
    }
  });
});

describe('the tally of ping', () => {
  const answer = (sequence: number, trouble = '') => ({ bytes: 64, from: '192.0.2.9', sequence, ttl: 57, trouble });

  it('says round trips, duplicates and troubles, and sums them up', () => {
    const tally = new Tally('there');
    for (const at of [1000, 1_001_000, 2_001_000, 3_001_000]) tally.send(at);
    expect(tally.answer(answer(1), 2000)).toBe('64 bytes from 192.0.2.9: icmp_seq=1 ttl=57 time=1.000 ms');
    expect(tally.answer(answer(2), 1_004_000)).toBe('64 bytes from 192.0.2.9: icmp_seq=2 ttl=57 time=3.000 ms');
    expect(tally.answer(answer(2), 1_005_000)).toMatch(/icmp_seq=2 ttl=57 time=4.000 ms \(DUP!\)$/);
    expect(tally.answer(answer(3, 'Time to live exceeded'), 2_002_000)).toBe(
      'From 192.0.2.9 icmp_seq=3 Time to live exceeded',
    );
    expect(tally.settled).toBe(3);
    expect(tally.summary(4_000_600)).toBe(
      [
        '--- there ping statistics ---',
        '4 packets transmitted, 2 received, +1 duplicates, +1 errors, 50% packet loss, time 4000ms',
        'rtt min/avg/max/mdev = 1.000/2.000/3.000/1.000 ms',
      ].join('\n'),
    );
  });

  it('has no round trips without answers, and no TTL where there is none', () => {
    const tally = new Tally('there');
    expect(tally.summary(5)).toBe(
      '--- there ping statistics ---\n0 packets transmitted, 0 received, 0% packet loss, time 0ms',
    );
    tally.send(0);
    expect(tally.summary(10_000)).toContain('1 packets transmitted, 0 received, 100% packet loss, time 10ms');
    expect(tally.answer({ ...answer(1), ttl: 0 }, 100)).toBe('64 bytes from 192.0.2.9: icmp_seq=1 time=0.100 ms');
  });

  it('does not count what answers nothing that was sent, nor a clock that runs back', () => {
    const tally = new Tally('there');
    tally.send(1000);
    expect(tally.answer(answer(2), 2000)).toContain('not sent');
    expect(tally.settled).toBe(0);
    expect(tally.answer(answer(1), 900)).toContain('time=0.000 ms');
  });

  it('uses sequence numbers again after 65,536 requests', () => {
    const tally = new Tally('there');
    tally.send(0);
    tally.answer(answer(1), 1000);
    for (let i = 1; i < 65_536; i++) tally.send(i * 1000);
    expect(tally.nextNumber).toBe(1);
    tally.send(70_000_000);
    expect(tally.answer(answer(1), 70_002_000)).toBe('64 bytes from 192.0.2.9: icmp_seq=1 ttl=57 time=2.000 ms');
  });

  it('waits for the last answers as long as two round trips take, or with all patience for the first', () => {
    const tally = new Tally('there');
    tally.send(0);
    expect(tally.lastWaitMicros(1000, 10_000_000)).toBe(10_000_000);
    tally.answer(answer(1), 40_000);
    expect(tally.lastWaitMicros(1000, 10_000_000)).toBe(80_000);
    expect(tally.lastWaitMicros(1_000_000, 10_000_000)).toBe(1_000_000);
  });
});

const MAIN = join(import.meta.dirname, '../../dist/samples/ping/main.js');
const unbuilt = existsSync(MAIN) ? '' : ' (skipped: npm run build)';
const whyNot =
  unbuilt ||
  (process.platform !== 'linux' ? ' (skipped: not Linux)' : process.getuid?.() !== 0 ? ' (skipped: needs root)' : '');

/** Runs ping to its end, with SIGINT when its output matches `interruptAt`. */
async function ping(words: readonly string[], { inside = '', interruptAt = /^$/, uid = 0 } = {}) {
  const command = [process.execPath, MAIN, ...words];
  if (inside !== '') command.unshift('ip', 'netns', 'exec', inside);
  const child = spawn(command[0]!, command.slice(1), uid === 0 ? {} : { uid });
  let out = '';
  let err = '';
  let interrupted = false;
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text;
    if (!interrupted && interruptAt.test(out)) interrupted = child.kill('SIGINT');
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    err += text;
  });
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  return { code, out, err };
}

describe.skipIf(unbuilt !== '')(`the command line of ping${unbuilt}`, () => {
  it.each([
    [[], "missing required argument 'host'"],
    [['-c', '0', '::1'], "'0' is invalid. give a whole number from 1 to"],
    [['-i', '0.001', '::1'], 'give a number from 0.002 to'],
    [['-s', '65508', '::1'], 'from 0 to 65507'],
    [['-4', '-6', '::1'], '-4 and -6 at once'],
    [['-4', '::1'], '::1 is no address of IPv4'],
    [['fe80::1%lo'], 'the number of the interface'],
  ])('is refused with exit code 2 and a reason: %o', async (words, reason) => {
    const { code, out, err } = await ping(words);
    expect(err).toContain(reason);
    expect([code, out]).toEqual([2, '']);
  });
});

describe.skipIf(whyNot !== '')(`ping${whyNot}`, () => {
  it.each([
    ['127.0.0.1', /^64 bytes from 127\.0\.0\.1: icmp_seq=3 ttl=64 time=\d+\.\d{3} ms$/m],
    ['::1', /^64 bytes from ::1: icmp_seq=3 time=\d+\.\d{3} ms$/m],
  ])('is answered by %s', async (host, line) => {
    const { code, out, err } = await ping([host, '-c', '3', '-i', '0.05']);
    expect([code, err]).toEqual([0, '']);
    expect(out).toContain(`PING ${host} (${host}): 56 data bytes\n`);
    expect(out).toMatch(line);
    expect(out).toMatch(/^3 packets transmitted, 3 received, 0% packet loss, time \d+ms$/m);
    expect(out).toMatch(/^rtt min\/avg\/max\/mdev = [\d./]+ ms\n$/m);
  });

  it('finds the address of a name, and sends as much as fits in a packet', async () => {
    const { code, out } = await ping(['localhost', '-4', '-c', '1', '-s', '65507']);
    expect(out).toContain('65515 bytes from 127.0.0.1: icmp_seq=1 ttl=64');
    expect(code).toBe(0);
  });

  it('goes on until SIGINT, and then says what it has', async () => {
    const { code, out } = await ping(['127.0.0.1', '-i', '0.05'], { interruptAt: /icmp_seq=2 / });
    expect(out).toMatch(/^\d+ packets transmitted, \d+ received, 0% packet loss/m);
    expect(code).toBe(0);
  });

  it('says what to do where the right is missing', async () => {
    const { code, out, err } = await ping(['127.0.0.1', '-c', '1'], { uid: 65_534 });
    expect([code, out]).toEqual([2, '']);
    expect(err).toMatch(
      /^ping: socket: EPERM: raw sockets need the right CAP_NET_RAW: run it as root, or `sudo setcap /,
    );
  });
});

const whyAlone = whyNot || (whyNoNamespaces() && ` (skipped: ${whyNoNamespaces()})`);

describe.skipIf(whyAlone !== '')(`ping through a router${whyAlone}`, () => {
  let pair: NamespacePair;
  const ip = (...words: string[]) => execFileSync('ip', words, { stdio: 'pipe' });
  const here = (words: string[]) => ping(words, { inside: pair.near });

  beforeAll(() => {
    pair = new NamespacePair('ping');
    ip('-n', pair.far, 'link', 'set', 'far', 'arp', 'on');
    ip('-n', pair.near, 'address', 'add', '2001:db8::1/64', 'dev', 'near', 'nodad');
    ip('-n', pair.far, 'address', 'add', '2001:db8::2/64', 'dev', 'far', 'nodad');
    // A router that complains as often as it likes: else it saves its breath after three errors to one host.
    const talk = 'echo 0 > ipv4/icmp_ratelimit; echo 0 > ipv6/icmp/ratelimit';
    const forward = `cd /proc/sys/net; echo 1 > ipv4/ip_forward; echo 1 > ipv6/conf/all/forwarding; ${talk}`;
    ip('netns', 'exec', pair.far, 'sh', '-c', forward);
    // One question about a neighbour, not three, so that the answer "there is none" comes after a second.
    const ask = 'cd /proc/sys/net; echo 1 > ipv4/neigh/near/mcast_solicit; echo 1 > ipv6/neigh/near/mcast_solicit';
    ip('netns', 'exec', pair.near, 'sh', '-c', ask);
    ip('-n', pair.near, 'route', 'add', '203.0.113.0/24', 'via', FAR);
    ip('-n', pair.near, 'route', 'add', '2001:db8:1::/48', 'via', '2001:db8::2');
    ip('-n', pair.far, 'route', 'add', 'unreachable', '203.0.113.0/26');
    ip('-n', pair.far, 'route', 'add', 'prohibit', '203.0.113.64/26');
    ip('-n', pair.far, 'route', 'add', 'blackhole', '203.0.113.128/26');
    ip('-n', pair.far, 'route', 'add', '203.0.113.192/26', 'via', NEAR);
    ip('-n', pair.far, 'route', 'add', 'prohibit', '2001:db8:1::/64');
    ip('-n', pair.far, 'route', 'add', '2001:db8:1:1::/64', 'via', '2001:db8::1');
  });
  afterAll(() => pair.close());

  it.each([FAR, '2001:db8::2'])('is answered by the router: %s', async (host) => {
    const { code, out } = await here([host, '-c', '1']);
    expect(out).toContain(`64 bytes from ${host}: icmp_seq=1`);
    expect(code).toBe(0);
  });

  it.each([
    ['203.0.113.1', FAR, 'Destination Host Unreachable'],
    ['203.0.113.65', FAR, 'Packet filtered'],
    ['203.0.113.193', FAR, 'Time to live exceeded'],
    ['198.51.100.77', NEAR, 'Destination Host Unreachable'], // nobody there: this host's own kernel says so
    ['2001:db8:1::1', '2001:db8::2', 'Destination unreachable: Administratively prohibited'],
    ['2001:db8:1:1::1', '2001:db8::2', 'Time exceeded: Hop limit'],
    ['2001:db8::77', '2001:db8::1', 'Destination unreachable: Address unreachable'],
  ])('of %s is told by %s: %s', async (host, from, trouble) => {
    const { code, out } = await here([host, '-c', '1', '-t', '1', '-W', '20']);
    expect(out).toContain(`From ${from} icmp_seq=1 ${trouble}\n`);
    expect(out).toContain('1 packets transmitted, 0 received, +1 errors, 100% packet loss');
    expect(code).toBe(1);
  });

  it('waits for who does not answer, no longer than it is told, and returns 1', async () => {
    const { code, out } = await here(['203.0.113.129', '-c', '2', '-i', '0.1', '-W', '0.3']);
    const [, millis] = /^2 packets transmitted, 0 received, 100% packet loss, time (\d+)ms$/m.exec(out)!;
    expect(Number(millis)).toBeGreaterThanOrEqual(400);
    expect(Number(millis)).toBeLessThan(5000);
    expect(code).toBe(1);
  });

  it('says that there is no route, and returns 2', async () => {
    const { code, err } = await here(['192.0.2.1', '-c', '1']);
    expect([code, err]).toEqual([2, 'ping: no way to 192.0.2.1: no route, or a firewall forbids it\n']);
  });
});
