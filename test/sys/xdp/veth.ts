/** Two namespaces joined by a veth pair whose ends find each other, over IPv4 and IPv6, as two hosts on one wire do. */

import { execFileSync } from 'node:child_process';
import { addressOf, type DatagramSocket, type Sys } from '../../../sys/api.ts';
import { LinuxSys } from '../../../sys/linux/linux-sys.ts';
import { openSharedParts } from '../../../sys/shared-parts.ts';
import type { XdpOptions } from '../../../sys/xdp/xdp-options.ts';
import { openXdpSys, type XdpSys } from '../../../sys/xdp/xdp-sys.ts';
import { enterNamespace } from '../linux/enter-namespace.ts';
import { FAR, NamespacePair, NEAR, whyNoNamespaces } from '../linux/namespaces.ts';

/** Of a prefix for documentation (RFC 3849). */
export const NEAR6 = '2001:db8::1';
export const FAR6 = '2001:db8::2';

export function ip(...args: string[]): string {
  return execFileSync('ip', args, { stdio: 'pipe', encoding: 'utf8' });
}

/** Why AF_XDP cannot be tried here; '' if it can. */
export function whyNoXdp(): string {
  const why = whyNoNamespaces();
  if (why !== '') return why;
  const pair = new XdpPair('probe');
  try {
    const sys = openXdp();
    try {
      pair.openUdp(sys, 'near', '198.51.100.1');
      return sys.report().length === 1 ? '' : 'the veth is not used';
    } finally {
      sys.close();
    }
  } catch (error) {
    return `needs AF_XDP: ${String(error).split('\n', 1)[0]}`;
  } finally {
    pair.close();
  }
}

/** Opens the backend, which rejects where AF_XDP cannot be had: what is tested or measured must not be UDP. */
export function openXdp(options: XdpOptions = {}): XdpSys {
  return openXdpSys(openSharedParts(), { fallback: false, ...options });
}

export function openLinux(): LinuxSys {
  return new LinuxSys(openSharedParts());
}

/** The pair. */
export class XdpPair extends NamespacePair {
  /** @param queues of each end, in and out */
  constructor(purpose: string, queues = 1) {
    super(purpose);
    try {
      if (queues > 1) this.widen(queues);
      ip('-n', this.far, 'link', 'set', 'far', 'arp', 'on');
      ip('-n', this.near, 'address', 'add', `${NEAR6}/64`, 'dev', 'near', 'nodad');
      ip('-n', this.far, 'address', 'add', `${FAR6}/64`, 'dev', 'far', 'nodad');
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** Opens a socket in a namespace. The promise settles at once but for columns of time. */
  openUdp(
    sys: Sys,
    side: 'near' | 'far',
    host: string,
    port = 0,
    options: Parameters<Sys['openUdp']>[1] = {},
  ): Promise<DatagramSocket> {
    return this.inside(side === 'near' ? this.near : this.far, () => sys.openUdp(addressOf(host, port)!, options));
  }

  /** Makes both ends know each other's MAC for good: frames can be sent at once. */
  introduce(): void {
    for (const [here, device, there, peer, hosts] of [
      [this.near, 'near', this.far, 'far', [FAR, FAR6]],
      [this.far, 'far', this.near, 'near', [NEAR, NEAR6]],
    ] as const) {
      const mac = /link\/ether (\S+)/.exec(ip('-n', there, 'link', 'show', 'dev', peer))![1]!;
      for (const host of hosts) {
        ip('-n', here, 'neigh', 'replace', host, 'lladdr', mac, 'dev', device, 'nud', 'permanent');
      }
    }
  }

  /** Gives the far end another address. */
  addFar(host: string): void {
    const size = host.includes(':') ? [`${host}/64`, 'dev', 'far', 'nodad'] : [`${host}/24`, 'dev', 'far'];
    ip('-n', this.far, 'address', 'add', ...size);
  }

  /** Runs a command in the far namespace. */
  inFar(...command: string[]): string {
    return ip('netns', 'exec', this.far, ...command);
  }

  /** Like `inside`, for work that awaits: nothing else of this thread may open sockets meanwhile. */
  async within<T>(namespace: string, work: () => Promise<T>): Promise<T> {
    const leave = enterNamespace(namespace);
    try {
      return await work();
    } finally {
      leave();
    }
  }

  /** The veth anew, with more queues. */
  private widen(queues: number): void {
    const many = ['numrxqueues', String(queues), 'numtxqueues', String(queues)];
    ip('-n', this.near, 'link', 'delete', 'near');
    ip(
      '-n',
      this.near,
      'link',
      'add',
      'near',
      ...many,
      'type',
      'veth',
      'peer',
      'name',
      'far',
      ...many,
      'netns',
      this.far,
    );
    for (const [namespace, device, host] of [
      [this.near, 'near', NEAR],
      [this.far, 'far', FAR],
    ] as const) {
      ip('-n', namespace, 'address', 'add', `${host}/24`, 'dev', device);
      ip('-n', namespace, 'link', 'set', device, 'up');
    }
  }
}
