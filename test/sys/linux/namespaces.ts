/**
 * Two network namespaces joined by a veth pair, for what loopback cannot show: a full way out, an unreachable network,
 * a small MTU. They are made for one test file and removed with it.
 */

import { execFileSync } from 'node:child_process';
import { library } from '../../../sys/ffi/library.ts';
import { enterNamespace } from './enter-namespace.ts';

/** Addresses of the two ends; the prefix is TEST-NET-2 (RFC 5737), so it collides with nothing. */
export const NEAR = '198.51.100.1';
export const FAR = '198.51.100.2';
const FAR_MAC = '02:00:00:00:00:02';

/** Why namespaces cannot be made here; '' if they can. */
export function whyNoNamespaces(): string {
  if (process.platform !== 'linux' || library() === null) return 'needs koffi on Linux';
  if (process.getuid?.() !== 0) return 'needs root for network namespaces';
  try {
    new NamespacePair('probe').close();
    return '';
  } catch (error) {
    return `needs network namespaces and ip(8): ${String(error).split('\n', 1)[0]}`;
  }
}

/** Two namespaces of this process, `near` and `far`, with a veth between them. */
export class NamespacePair {
  readonly near: string;
  readonly far: string;

  constructor(purpose: string) {
    this.near = `tickwire-${purpose}-${process.pid}-near`;
    this.far = `tickwire-${purpose}-${process.pid}-far`;
    try {
      ip('netns', 'add', this.near);
      ip('netns', 'add', this.far);
      ip('-n', this.near, 'link', 'add', 'near', 'type', 'veth', 'peer', 'name', 'far', 'netns', this.far);
      // The far end answers no ARP, so the way to it opens only when `open` says where it is.
      ip('-n', this.far, 'link', 'set', 'far', 'address', FAR_MAC, 'arp', 'off');
      for (const [namespace, device, address] of [
        [this.near, 'near', NEAR],
        [this.far, 'far', FAR],
      ] as const) {
        ip('-n', namespace, 'address', 'add', `${address}/24`, 'dev', device);
        ip('-n', namespace, 'link', 'set', 'lo', 'up');
        ip('-n', namespace, 'link', 'set', device, 'up');
      }
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** Runs `work` with this thread in `namespace`: sockets that it opens stay there. `work` must not await. */
  inside<T>(namespace: string, work: () => T): T {
    const leave = enterNamespace(namespace);
    try {
      return work();
    } finally {
      leave();
    }
  }

  /**
   * Blocks the way from near to far: datagrams wait, charged to their socket, for an answer to ARP that does not come.
   * They would be given up after `patience` unanswered questions, one a second.
   */
  block(patience = 30): void {
    ip('-n', this.near, 'neigh', 'flush', 'dev', 'near');
    execFileSync('ip', [
      'netns',
      'exec',
      this.near,
      'sh',
      '-c',
      `echo ${patience} > /proc/sys/net/ipv4/neigh/near/mcast_solicit`,
    ]);
  }

  /** Opens the way; what waited is sent. */
  open(): void {
    ip('-n', this.near, 'neigh', 'replace', FAR, 'lladdr', FAR_MAC, 'dev', 'near', 'nud', 'permanent');
  }

  /** Makes `bytes` the largest IP packet of the link. */
  limitMtu(bytes: number): void {
    ip('-n', this.near, 'link', 'set', 'near', 'mtu', String(bytes));
    ip('-n', this.far, 'link', 'set', 'far', 'mtu', String(bytes));
  }

  close(): void {
    for (const namespace of [this.near, this.far]) {
      try {
        ip('netns', 'delete', namespace);
      } catch (error) {
        if (!/No such file/.test(String(error))) throw error; // it was never made
      }
    }
  }
}

function ip(...args: string[]): void {
  execFileSync('ip', args, { stdio: 'pipe' });
}
