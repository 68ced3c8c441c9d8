/**
 * A network namespace in which nothing is local on the way out: what a socket sends to an address of the same namespace
 * leaves through one end of a veth pair and comes in through the other. So a suite written for loopback, all sockets on
 * one address, drives real frames over a real link.
 *
 * Routing rules do it: what this machine sends (`iif lo`) looks into a table of its own before it looks into the table of
 * local addresses.
 */

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { enterNamespace } from '../linux/enter-namespace.ts';

/** TEST-NET-3 (RFC 5737) and a unique local address (RFC 4193). */
export const HAIRPIN_IPV4 = '203.0.113.1';
export const HAIRPIN_IPV6 = 'fd00:7::1';
const OUT_MAC = '02:00:00:00:07:01';
const IN_MAC = '02:00:00:00:07:02';
const TABLE = '107';
/** The largest that a veth takes, so that every UDP datagram fits. */
const MTU_BYTES = '65535';

/** The namespace; this thread goes in and out. */
export class Hairpin {
  readonly name: string;
  /** The way back of a thread that is inside. */
  #leave: (() => void) | null = null;

  constructor(purpose: string) {
    this.name = `tickwire-${purpose}-${process.pid}`;
    const { name } = this;
    try {
      ip('netns', 'add', name);
      ip('-n', name, 'link', 'set', 'lo', 'up');
      ip('-n', name, 'link', 'add', 'out', 'address', OUT_MAC, 'type', 'veth', 'peer', 'name', 'in');
      ip('-n', name, 'link', 'set', 'in', 'address', IN_MAC);
      for (const device of ['out', 'in']) ip('-n', name, 'link', 'set', device, 'mtu', MTU_BYTES, 'up');
      ip('-n', name, 'address', 'add', `${HAIRPIN_IPV4}/32`, 'dev', 'in');
      ip('-n', name, 'address', 'add', `${HAIRPIN_IPV6}/128`, 'dev', 'in', 'nodad');
      for (const [family, address] of [
        ['-4', HAIRPIN_IPV4],
        ['-6', HAIRPIN_IPV6],
      ] as const) {
        ip('-n', name, family, 'rule', 'add', 'pref', '1', 'iif', 'lo', 'lookup', TABLE);
        ip('-n', name, family, 'rule', 'add', 'pref', '2', 'lookup', 'local');
        ip('-n', name, family, 'rule', 'delete', 'pref', '0');
        ip('-n', name, family, 'route', 'add', address, 'dev', 'out', 'src', address, 'table', TABLE);
        ip('-n', name, family, 'neigh', 'add', address, 'lladdr', IN_MAC, 'dev', 'out', 'nud', 'permanent');
      }
      const settings = ['all', 'in'].flatMap((device) => [
        `net.ipv4.conf.${device}.accept_local=1`,
        `net.ipv4.conf.${device}.rp_filter=0`,
      ]);
      for (const setting of settings) this.#write(setting);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** Takes this thread into the namespace: sockets that it opens from now on stay there. */
  enter(): void {
    this.#leave ??= enterNamespace(this.name);
  }

  /** Takes this thread back to where it was. */
  leave(): void {
    this.#leave?.();
    this.#leave = null;
  }

  close(): void {
    this.leave();
    try {
      ip('netns', 'delete', this.name);
    } catch (error) {
      if (!/No such file/.test(String(error))) throw error; // it was never made
    }
  }

  #write(setting: string): void {
    const [key, value] = setting.split('=') as [string, string];
    const path = `/proc/sys/${key.replaceAll('.', '/')}`;
    execFileSync('ip', ['netns', 'exec', this.name, 'sh', '-c', `echo ${value} > ${path}`], { stdio: 'pipe' });
  }
}

/** Packets that the device of this thread's namespace has sent, as the kernel counts them. */
export function packetsSentBy(device: string): number {
  const line = readFileSync('/proc/thread-self/net/dev', 'utf8')
    .split('\n')
    .find((text) => text.trim().startsWith(`${device}:`));
  return Number(line?.split(':')[1]?.trim().split(/\s+/)[9]); // after the eight of receiving: bytes, packets
}

function ip(...args: string[]): void {
  execFileSync('ip', args, { stdio: 'pipe' });
}
