import * as fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { addressOf, type DatagramSocket, portOf } from '../../../sys/api.ts';
import { compileFilter } from '../../../sys/filter/compile.ts';
import { FilterInterpreter } from '../../../sys/filter/interpreter.ts';
import { parseProgram } from '../../../sys/filter/program.ts';
import { openSys } from '../../../sys/index.ts';
import { attachFilter, DROP_ALL_PROGRAM, detachFilter } from '../../../sys/linux/socket-filter.ts';
import { heapBytesOfSlices } from '../collect-garbage.ts';
import { CORPUS } from './corpus.ts';
import { filterText } from './filter-texts.ts';

const where = process.platform === 'linux' ? '' : ' (skipped: not Linux)';

function send(from: DatagramSocket, to: DatagramSocket, size: number): void {
  const { tx } = from;
  tx.address.set(to.localAddress, 0);
  tx.length[0] = size;
  tx.count = 1;
  from.flush();
}

describe.skipIf(where !== '')(`the kernel${where}`, () => {
  const sys = openSys();
  const opened: DatagramSocket[] = [];
  const open = async (host: string): Promise<DatagramSocket> => {
    const socket = await sys.openUdp(addressOf(host, 0)!);
    opened.push(socket);
    return socket;
  };
  afterAll(() => {
    for (const socket of opened) socket.close();
    sys.close();
  });

  it('takes every program that we compile', async () => {
    const socket = await open('127.0.0.1');
    for (const text of fc.sample(filterText, { seed: 43, numRuns: 200 }))
      expect(() => attachFilter(socket.pollHandle, compileFilter(text)), text).not.toThrow();
    const hosts = Array.from({ length: 700 }, (_, i) => `src host 10.0.${i >>> 8}.${i & 255}`).join(' or ');
    expect(compileFilter(hosts).length).toBeGreaterThan(2000); // jumps reach farther than 255
    attachFilter(socket.pollHandle, compileFilter(hosts));
    expect(() => attachFilter(socket.pollHandle, parseProgram('1\n40 0 0 12'))).toThrow('EINVAL');
  });

  it.each([
    ['127.0.0.1', 'udp and src host 127.0.0.1 and less 12'],
    ['127.0.0.1', 'dst net 127.0.0.0/8 and not ip6 and less 12'],
    ['::1', 'ip6 and host ::1 and less 12'],
    ['::1', 'not src net 10.0.0.0/8 and less 12'],
  ])('runs a filter on a UDP socket of %s: %s', async (host, text) => {
    const [from, to] = [await open(host), await open(host)];
    const program = compileFilter(
      `${text} and src port ${portOf(from.localAddress)} and dst port ${portOf(to.localAddress)}`,
      'udp-socket',
    );
    attachFilter(to.pollHandle, program);
    for (const size of [4, 5, 3]) send(from, to, size);
    const sizes: number[] = [];
    for (let n = to.receive(); n > 0; n = to.receive()) for (let i = 0; i < n; i++) sizes.push(to.rx.length[i]!);
    expect(sizes).toEqual([4, 3]); // 8 bytes of header and 4 of payload are not more than 12
    attachFilter(to.pollHandle, compileFilter('tcp or ip6 and ip', 'udp-socket'));
    send(from, to, 4);
    expect(to.receive()).toBe(0);
    attachFilter(to.pollHandle, DROP_ALL_PROGRAM);
    send(from, to, 4);
    expect(to.receive()).toBe(0);
    detachFilter(to.pollHandle);
    send(from, to, 4);
    expect(to.receive()).toBe(1);
    expect(() => detachFilter(to.pollHandle)).toThrow('ENOENT');
  });
});

describe('a program of a UDP socket in the interpreter', () => {
  it('reaches the IP header before the packet, and none where there is none', () => {
    const packet = Buffer.from(
      '4500001e0000000040110000 0a000001 0a000002 9c409c41000a00006869'.replace(/ /g, ''),
      'hex',
    );
    const keeps = (text: string, networkAt?: number): boolean =>
      new FilterInterpreter(compileFilter(text, 'udp-socket')).run(packet, 20, packet.length, undefined, networkAt) > 0;
    expect(keeps('src host 10.0.0.1 and dst net 10.0.0.2/31 and dst port 40001', 0)).toBe(true);
    expect(keeps('src host 10.0.0.2', 0)).toBe(false);
    expect(keeps('not ip6', 0)).toBe(true);
    expect(keeps('not ip6')).toBe(false);
    expect(keeps('src port 40000 and less 10 and greater 10')).toBe(true);
  });
});

it('running a filter over 100,000 frames allocates nothing', { timeout: 60_000 }, () => {
  const filter = new FilterInterpreter(
    compileFilter('udp and portrange 40000-40005 or src net 10.0.0.0/8 and not vlan'),
  );
  const pass = (): void => {
    for (let i = 0; i < 100_000; i++) {
      const { bytes, wireBytes } = CORPUS[i % CORPUS.length]!;
      filter.run(bytes, 0, bytes.length, wireBytes);
    }
  };
  pass();
  let bytesAFrame = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 4 && bytesAFrame >= 0.5; round++) bytesAFrame = heapBytesOfSlices(10, pass) / 1_000_000;
  expect(bytesAFrame).toBeLessThan(0.5);
});
