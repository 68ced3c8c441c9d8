/**
 * A full kernel on purpose: a network namespace whose loopback lets hardly anything through (a token bucket), so that what
 * is sent stays charged to its sender. The plain loopback never fills up: it hands every datagram over within `send`.
 */

import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { UdpOptions } from '../../sys/api.ts';
import { addressOf } from '../../sys/api.ts';
import { library } from '../../sys/ffi/library.ts';
import { enterNamespace } from '../sys/linux/enter-namespace.ts';
import type { Backend, Congestion } from './backend.ts';
import { openDgramOutside } from './outside.ts';

/** One packet at once, the next after ten seconds. */
const NARROW = 'rate 1kbit burst 1600 limit 1000000';
const WIDE = 'rate 1gbit burst 1000000 limit 1000000';
/** Where a program under Wine asks for its loopback to be changed: it cannot run `tc` itself. See `test/wine/run.mjs`. */
const MAILBOX = process.platform === 'win32' ? process.env.TICKWIRE_NARROW_WAY : undefined;
let made = 0;

/** Why there can be no narrow link here; null when there can. Makes one to see. */
export function narrowLinkMissing(): string | null {
  if (MAILBOX) return null;
  if (process.platform !== 'linux') return 'a full kernel is made with Linux network namespaces';
  if (library() === null) return 'a full kernel is made with setns(2), which needs koffi';
  try {
    run('ip', 'netns', 'del', addNamespace());
    return null;
  } catch {
    return 'a full kernel is made with `ip netns` and a tbf qdisc: needs root, iproute2 and sch_tbf';
  }
}

/** `BackendFactory.congest` of backends whose sockets are the kernel's. */
export async function congestByNarrowLink(backend: Backend, options: UdpOptions): Promise<Congestion> {
  if (MAILBOX) return congestByAsking(MAILBOX, backend, options);
  const name = addNamespace();
  const local = addressOf('127.0.0.1', 0)!;
  const { socket, receiver, kick } = await inside(name, async () => ({
    socket: await backend.sys.openUdp(local, options),
    receiver: await backend.sys.openUdp(local, { receiveBufferBytes: 1 << 22 }),
    kick: await openDgramOutside('127.0.0.1'),
  }));
  return {
    socket,
    receiver,
    async release() {
      run('tc', '-n', name, 'qdisc', 'change', 'dev', 'lo', 'root', 'tbf', ...WIDE.split(' '));
      // The bucket sleeps by its old rate: a further datagram makes it look again.
      await kick.send(kick.address, Uint8Array.of(0));
    },
    async close() {
      kick.close();
      socket.close();
      receiver.close();
      run('ip', 'netns', 'del', name);
    },
  };
}

/** The same where this program is in a namespace already, and another one outside changes it. */
async function congestByAsking(mailbox: string, backend: Backend, options: UdpOptions): Promise<Congestion> {
  const local = addressOf('127.0.0.1', 0)!;
  const socket = await backend.sys.openUdp(local, options);
  const receiver = await backend.sys.openUdp(local, { receiveBufferBytes: 1 << 22 });
  const kick = await openDgramOutside('127.0.0.1');
  await ask(mailbox, `add ${NARROW}`);
  return {
    socket,
    receiver,
    async release() {
      await ask(mailbox, `change ${WIDE}`);
      await kick.send(kick.address, Uint8Array.of(0));
    },
    async close() {
      kick.close();
      socket.close();
      receiver.close();
      await ask(mailbox, 'del');
    },
  };
}

/** Asks for `tc qdisc <words>` and waits until it is done. */
async function ask(mailbox: string, words: string): Promise<void> {
  const answer = `${mailbox}/answer`;
  rmSync(answer, { force: true });
  writeFileSync(`${mailbox}/ask`, words);
  for (let tries = 0; tries < 1000; tries++) {
    if (existsSync(answer)) {
      const text = readFileSync(answer, 'utf8');
      if (text === 'done') return;
      if (text !== '') throw new Error(text);
    }
    await sleep(5);
  }
  throw new Error(`nobody answers in ${mailbox}`);
}

function addNamespace(): string {
  const name = `tickwire-${process.pid}-${made++}`;
  run('ip', 'netns', 'add', name);
  try {
    run('ip', '-n', name, 'link', 'set', 'lo', 'up', 'mtu', '1500');
    run('tc', '-n', name, 'qdisc', 'add', 'dev', 'lo', 'root', 'tbf', ...NARROW.split(' '));
  } catch (error) {
    run('ip', 'netns', 'del', name);
    throw error;
  }
  return name;
}

function run(command: string, ...args: string[]): void {
  execFileSync(command, args, { stdio: 'pipe' });
}

/** Runs `body` with this thread in the namespace: sockets made in it belong there for good. */
async function inside<T>(name: string, body: () => Promise<T>): Promise<T> {
  const leave = enterNamespace(name);
  try {
    return await body();
  } finally {
    leave();
  }
}
