/** The layouts of sys/bsd/abi.ts as a table, and what is written into them: read on any machine. */

import { describe, expect, it } from 'vitest';
import { addressOf } from '../../../sys/api.ts';
import * as abi from '../../../sys/bsd/abi.ts';
import { KeventList } from '../../../sys/bsd/kevent-list.ts';
import { NativeArena } from '../../../sys/ffi/arena.ts';
import { library } from '../../../sys/ffi/library.ts';
import { addressWords, readSockaddr, writeSockaddr } from '../../../sys/posix/sockaddr.ts';

const native = library() !== null;
const why = native ? '' : ' (skipped: needs koffi)';

describe('struct kevent', () => {
  it.each([
    ['macOS and OpenBSD', abi.Kevent, 32],
    ['FreeBSD since 12', abi.KeventFreebsd, 64],
  ] as const)('of %s has the size and the offsets of the header', (_name, layout, size) => {
    const { ident, filter, flags, fflags, data, udata } = layout;
    expect([ident, filter, flags, fflags, data, udata]).toEqual([0, 8, 10, 12, 16, 24]);
    expect(layout.SIZE).toBe(size);
  });

  it('has four words of extensions behind the rest on FreeBSD', () => {
    const { ext0, ext1, ext2, ext3 } = abi.KeventFreebsd;
    expect([ext0, ext1, ext2, ext3]).toEqual([32, 40, 48, 56]);
  });

  it.skipIf(!native).each([abi.MACOS, abi.FREEBSD, abi.HOSTED])(
    `of $name carries ident, filter, data, key and interest through native memory, beside its neighbours${why}`,
    ({ kevent, userFilter }) => {
      const arena = NativeArena.map(4 * kevent.SIZE);
      const list = new KeventList(arena, kevent, kevent.SIZE, 2);
      list.set(0, 7, abi.EVFILT_READ, abi.EV_ADD | abi.EV_CLEAR, 0, 0, 2 ** 31 - 1, 5);
      list.set(1, 1, userFilter, abi.EV_ADD, abi.NOTE_TRIGGER, 2 ** 40 + 9, 3, 0);
      expect([list.ident(0), list.filter(0), list.flags(0), list.key(0), list.interest(0)]).toEqual([
        7,
        0xffff,
        0x21,
        2 ** 31 - 1,
        5,
      ]);
      expect([list.ident(1), list.filter(1), list.data(1), list.key(1)]).toEqual([1, userFilter, 9, 3]);
      // As C sees the second: filter is negative, data has 64 bits.
      const at = 2 * kevent.SIZE;
      expect(arena.view.getInt16(at + 8, true)).toBe(userFilter - 0x1_0000);
      expect(arena.view.getUint32(at + 12, true)).toBe(0x0100_0000);
      expect(Number(arena.view.getBigInt64(at + 16, true))).toBe(2 ** 40 + 9);
      expect(arena.bytes.subarray(0, kevent.SIZE).every((byte) => byte === 0)).toBe(true);
      expect(arena.bytes.subarray(3 * kevent.SIZE).every((byte) => byte === 0)).toBe(true);
    },
  );
});

describe('a dialect', () => {
  it('has the numbers of its headers', () => {
    const signed = (filter: number) => filter - 0x1_0000;
    const rows = [abi.MACOS, abi.FREEBSD].map((d) => [
      d.name,
      signed(d.userFilter),
      d.noteMicros,
      d.afInet6,
      d.msgDontwait,
      d.solSocket,
      d.soRcvbuf,
      d.soSndbuf,
      d.ipv6V6only,
    ]);
    expect(rows).toEqual([
      ['darwin', -10, 2, 30, 0x80, 0xffff, 0x1002, 0x1001, 27],
      ['freebsd', -11, 4, 28, 0x80, 0xffff, 0x1002, 0x1001, 27],
    ]);
    expect([abi.EVFILT_READ, abi.EVFILT_WRITE, abi.EVFILT_TIMER].map(signed)).toEqual([-1, -2, -7]);
  });

  it('is that of the platform, and none where there is no kqueue', () => {
    expect(abi.dialectOf('darwin')).toBe(abi.MACOS);
    expect(abi.dialectOf('freebsd')).toBe(abi.FREEBSD);
    expect(abi.dialectOf('win32')).toBeNull();
  });
});

describe('a sockaddr of BSD', () => {
  const words = (text: string, port: number) => addressWords(addressOf(text, port)!.slice());

  it('starts with its length, then the family', () => {
    const { form } = abi.MACOS;
    const sockaddr = new Int32Array(8);
    expect(writeSockaddr(words('192.0.2.7', 0x1234), 0, form.inet, sockaddr, 0, form)).toBe(true);
    expect(Buffer.from(sockaddr.buffer).toString('hex').slice(0, 16)).toBe('10021234c0000207');
    expect(writeSockaddr(words('fe80::1%3', 0x1234), 0, form.inet6, sockaddr, 0, form)).toBe(true);
    expect(Buffer.from(sockaddr.buffer).toString('hex').slice(0, 56)).toBe(
      '1c1e123400000000fe80000000000000000000000000000103000000',
    );
  });

  it('comes back as the canonical address it was written from, and one of another system is none', () => {
    for (const { form } of [abi.MACOS, abi.FREEBSD]) {
      for (const [text, family] of [
        ['192.0.2.7', form.inet],
        ['2001:db8::5', form.inet6],
      ] as const) {
        const sockaddr = new Int32Array(8);
        const back = new Int32Array(6);
        writeSockaddr(words(text, 40_000), 0, family, sockaddr, 0, form);
        expect(readSockaddr(sockaddr, 0, back, 0, form)).toBe(true);
        expect(back).toEqual(words(text, 40_000));
        expect(readSockaddr(sockaddr, 0, back, 0)).toBe(false);
      }
    }
  });
});
