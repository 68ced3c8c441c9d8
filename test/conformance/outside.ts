/** The other end of a conversation: a UDP socket that the code under test did not make. */

import type { RemoteInfo } from 'node:dgram';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import type { DatagramSocket, Micros, Poller, Sys } from '../../sys/api.ts';
import { ADDRESS_BYTES, addressOf, formatHost, isIPv4, NEVER, portOf } from '../../sys/api.ts';

/** A datagram as plain objects, copied out of whatever carried it. */
export interface Datagram {
  readonly bytes: Uint8Array;
  /** Canonical bytes of where it came from. */
  readonly from: Uint8Array;
}

/** A UDP socket outside of the code under test. */
export interface Outside {
  /** Canonical bytes of its address. */
  readonly address: Uint8Array;
  /** Resolves when the datagram has left. */
  send(to: Uint8Array, bytes: Uint8Array): Promise<void>;
  /** The next datagram in order of arrival. Rejects when none comes within two seconds. */
  receive(): Promise<Datagram>;
  close(): void;
}

/** How long an outside socket waits for a datagram that must come. */
const PATIENCE_MILLIS = 2000;

/** An outside socket of Node's own. */
export async function openDgramOutside(host: string): Promise<Outside> {
  const type = host.includes(':') ? 'udp6' : 'udp4';
  const socket = createSocket({ type, recvBufferSize: 1 << 20 });
  socket.bind({ address: host, port: 0 });
  await once(socket, 'listening');
  const arrived: Datagram[] = [];
  const waiting: ((datagram: Datagram) => void)[] = [];
  socket.on('message', (message: Buffer, info: RemoteInfo) => {
    const datagram = { bytes: new Uint8Array(message), from: addressOf(info.address, info.port)! };
    const next = waiting.shift();
    if (next === undefined) arrived.push(datagram);
    else next(datagram);
  });
  return {
    address: addressOf(host, socket.address().port)!,
    send: (to, bytes) =>
      new Promise((resolve, reject) => {
        const text = formatHost(to);
        const target = type === 'udp6' && isIPv4(to) ? `::ffff:${text}` : text;
        socket.send(bytes, 0, bytes.length, portOf(to), target, (error) => (error ? reject(error) : resolve()));
      }),
    receive: () =>
      new Promise((resolve, reject) => {
        const ready = arrived.shift();
        if (ready !== undefined) {
          resolve(ready);
          return;
        }
        const timer = setTimeout(() => reject(new Error('no datagram within two seconds')), PATIENCE_MILLIS);
        waiting.push((datagram) => {
          clearTimeout(timer);
          resolve(datagram);
        });
      }),
    close: () => socket.close(),
  };
}

/**
 * An outside socket over another `Sys`: for a simulator, whose wires Node cannot reach. `settle` is that Sys's way to
 * wait (see `Backend.settle`).
 */
export async function openOutsideOver(
  sys: Sys,
  host: string,
  settle: (poller: Poller, timeoutMicros: Micros) => Promise<number>,
): Promise<Outside> {
  const poller = sys.openPoller();
  const socket = await sys.openUdp(addressOf(host, 0)!, { slotBytes: sys.capabilities.maxDatagramBytes, txSlots: 1 });
  poller.add(socket, 0, 0);
  const arrived: Datagram[] = [];
  return {
    address: socket.localAddress,
    send: async (to, bytes) => {
      append(socket, to, bytes);
      while (socket.flush() === 0) await watch(poller, socket, 'out', settle);
    },
    receive: async () => {
      const deadline = sys.clock.now() + PATIENCE_MILLIS * 1000;
      while (arrived.length === 0) {
        if (socket.receive() > 0) arrived.push(...copies(socket));
        else if (sys.clock.now() >= deadline) throw new Error('no datagram within two virtual seconds');
        else await watch(poller, socket, 'in', settle);
      }
      return arrived.shift()!;
    },
    close: () => {
      socket.close();
      poller.close();
    },
  };
}

/** Appends one datagram to `socket.tx`, which must have room. */
export function append(socket: DatagramSocket, to: Uint8Array, bytes: Uint8Array): void {
  const { tx } = socket;
  if (tx.full) throw new Error('tx is full');
  const slot = tx.count++;
  tx.arena.set(bytes, tx.offset[slot]!);
  tx.length[slot] = bytes.length;
  tx.address.set(to, slot * ADDRESS_BYTES);
}

/** Copies of what is in `socket.rx`. */
export function copies(socket: DatagramSocket): Datagram[] {
  const { rx } = socket;
  const list: Datagram[] = [];
  for (let slot = 0; slot < rx.count; slot++) {
    const start = rx.offset[slot]!;
    list.push({
      bytes: rx.arena.slice(start, start + rx.length[slot]!),
      from: rx.address.slice(slot * ADDRESS_BYTES, (slot + 1) * ADDRESS_BYTES),
    });
  }
  return list;
}

async function watch(
  poller: Poller,
  socket: DatagramSocket,
  way: 'in' | 'out',
  settle: (poller: Poller, timeoutMicros: Micros) => Promise<number>,
): Promise<void> {
  poller.modify(socket, 0, way === 'in' ? 1 : 2);
  await settle(poller, way === 'in' ? PATIENCE_MILLIS * 1000 : NEVER);
  poller.modify(socket, 0, 0);
}
