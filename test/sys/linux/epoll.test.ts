/** What is the epoll poller's own: old kernels, errors of sockets, descriptors whose numbers are given out again. */

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { addressOf, EDGE, NEVER, READABLE, type Sys, WRITABLE } from '../../../sys/api.ts';
import { errnoOf } from '../../../sys/errno.ts';
import { NativeArena } from '../../../sys/ffi/arena.ts';
import { library } from '../../../sys/ffi/library.ts';
import { openNotifier, openSys } from '../../../sys/index.ts';
import { type LinuxCalls, linuxCalls } from '../../../sys/linux/calls.ts';
import { EpollPoller } from '../../../sys/linux/epoll.ts';
import { setOption } from '../../../sys/linux/udp-socket.ts';
import { append } from './sockets.ts';

const native = process.platform === 'linux' && library() !== null;

describe.skipIf(!native)(`the epoll poller${native ? '' : ' (needs koffi on Linux)'}`, () => {
  let sys: Sys;
  beforeEach(() => {
    sys = openSys({ backend: 'udp' });
  });
  afterEach(() => sys.close());
  const now = (): number => sys.clock.now();
  const open = () => sys.openUdp(addressOf('127.0.0.1', 0)!);

  /** This system's calls with some replaced. */
  const callsWith = (replaced: Partial<LinuxCalls>): LinuxCalls => ({ ...linuxCalls(), ...replaced });

  it.each([
    ['has no epoll_pwait2', () => callsWith({ epoll_pwait2: null })],
    [
      'knows epoll_pwait2 and its kernel does not',
      () => {
        // A call that does not exist, so that errno is really ENOSYS.
        const syscall = library()!.symbol('syscall', 'int', ['int64_t'])!;
        return callsWith({ epoll_pwait2: () => syscall(100_000) });
      },
    ],
  ])('waits no shorter where libc %s', (_what, calls) => {
    const poller = new EpollPoller(now, calls());
    for (const micros of [1, 500, 1001, 2500]) {
      const start = now();
      expect(poller.wait(micros)).toBe(0);
      expect(now() - start).toBeGreaterThanOrEqual(micros);
    }
    poller.close();
  });

  it('waits on, for the time that is left, after a signal', () => {
    let interrupted = 0;
    const poller = new EpollPoller(
      now,
      callsWith({
        epoll_pwait2: (epoll, events, count, timeout, mask, maskBytes) => {
          if (interrupted++ < 3) return failWith('EINTR');
          return linuxCalls().epoll_pwait2!(epoll, events, count, timeout, mask, maskBytes);
        },
      }),
    );
    const start = now();
    expect(poller.wait(3000)).toBe(0);
    expect(now() - start).toBeGreaterThanOrEqual(3000);
    expect(interrupted).toBeGreaterThanOrEqual(4);
    poller.close();
  });

  it('keeps a socket with interest 0 silent even when the socket has an error', async () => {
    const socket = await open();
    const closed = await open();
    closed.close();
    setOption(linuxCalls(), NativeArena.map(64), socket.pollHandle, 0, 11, 1); // IP_RECVERR: ICMP answers become errors
    append(socket, closed.localAddress, 10, 1);
    socket.flush();
    const poller = sys.openPoller();
    poller.add(socket, 1, 0);
    expect(poller.wait(2000)).toBe(0);
    poller.modify(socket, 1, WRITABLE | EDGE); // and who listens for one thing hears of that
    expect(poller.wait(2000)).toBe(1);
    expect(poller.flags[0]).toBe(WRITABLE);
    poller.modify(socket, 1, 0);
    expect(poller.wait(2000)).toBe(0);
    poller.close();
    socket.close();
  });

  it('of 300 ready sockets reports 256 at once, and every one in two waits', async () => {
    const sockets = [];
    const poller = sys.openPoller();
    for (let key = 0; key < 300; key++) {
      const socket = await sys.openUdp(addressOf('127.0.0.1', 0)!, { rxSlots: 1, txSlots: 1, slotBytes: 8 });
      sockets.push(socket);
      poller.add(socket, key, WRITABLE | EDGE);
    }
    const seen = new Set<number>();
    expect(poller.wait(NEVER)).toBe(256);
    for (const key of poller.keys) seen.add(key);
    const rest = poller.wait(NEVER);
    expect(rest).toBe(44);
    for (let i = 0; i < rest; i++) seen.add(poller.keys[i]!);
    expect(seen.size).toBe(300);
    for (const socket of sockets) socket.close();
    poller.close();
  });

  it('does not wake whoever got its descriptors after it closed', () => {
    const first = sys.openPoller();
    const notifier = first.notifier();
    const copy = openNotifier(structuredClone(notifier.handle));
    first.close();
    const second = sys.openPoller(); // the kernel gives out the lowest free numbers: the same again
    notifier.notify();
    copy.notify();
    const start = now();
    expect(second.wait(5000)).toBe(0);
    expect(now() - start).toBeGreaterThanOrEqual(5000);
    second.close();
  });

  it('is not woken out of a blocking wait by a deadline that was armed for Node', () => {
    const poller = sys.openPoller();
    poller.arm(now() + 1000);
    const start = now();
    expect(poller.wait(5000)).toBe(0);
    expect(now() - start).toBeGreaterThanOrEqual(5000);
    poller.close();
  });

  it('says what is wrong with a key, a socket added twice and a closed socket', async () => {
    const poller = sys.openPoller();
    const socket = await open();
    for (const key of [-1, 2 ** 31, 1.5]) expect(() => poller.add(socket, key, READABLE)).toThrow(RangeError);
    poller.add(socket, 2 ** 31 - 1, READABLE);
    expect(() => poller.add(socket, 1, READABLE)).toThrow(/EEXIST.*modify/);
    socket.close();
    expect(() => poller.modify(socket, 1, READABLE)).toThrow(/EBADF.*closed/);
    poller.remove(socket);
    poller.close();
    expect(() => poller.wait(0)).toThrow(/EBADF/);
    poller.close();
  });
});

/** Fails as a system call does: errno is `code`, the result -1. */
function failWith(code: string): number {
  const location = library()!.symbol('__errno_location', 'uintptr_t', [])!;
  new Int32Array(library()!.view(location(), 4))[0] = errnoOf(code);
  return -1;
}
