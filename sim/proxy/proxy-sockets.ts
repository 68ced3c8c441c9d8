/**
 * The sockets of a proxy, by their keys in its poller: 0 is the one that clients send to, client + 1 the one by which the
 * server sees that client.
 */

import {
  addressOf,
  type BatchColumns,
  type DatagramSocket,
  formatHost,
  isIPv4,
  type Poller,
  READABLE,
  type Sys,
  type UdpOptions,
} from '../../sys/api.ts';

/** The key of the socket that clients send to. */
export const LISTENER = 0;
/** One recvmmsg takes up to as many. More would make the first of them wait for the last. */
const RX_SLOTS = 128;
const TX_SLOTS = 64;
/** 20 ms at 250,000 datagrams of 100 bytes a second; the kernel counts 768 bytes for each, and may allow less. */
const BUFFER_BYTES: number = 4 * 1024 * 1024;

/** What sockets counted, those that are closed too. */
export interface SocketTotals {
  /** Came in longer than a slot. */
  truncated: number;
  /** The kernel did not take them: no route, too large, refused. */
  notSent: number;
}

/** Opens and closes them, and watches them for datagrams. */
export class ProxySockets {
  readonly poller: Poller;
  readonly listener: DatagramSocket;
  /** Null: none is open under that key. */
  readonly byKey: (DatagramSocket | null)[];
  /** Sockets that are being opened now. */
  opening = 0;

  readonly #sys: Sys;
  readonly #options: UdpOptions;
  /** What sockets towards the server are bound to. */
  readonly #local: Uint8Array;
  readonly #closed: SocketTotals = { truncated: 0, notSent: 0 };
  #open = true;

  private constructor(sys: Sys, listener: DatagramSocket, to: Uint8Array, clientsMax: number, options: UdpOptions) {
    this.#sys = sys;
    this.#options = options;
    this.#local = outwardAddress(to);
    this.poller = sys.openPoller();
    this.listener = listener;
    this.byKey = new Array<DatagramSocket | null>(clientsMax + 1).fill(null);
    this.byKey[LISTENER] = listener;
    this.poller.add(listener, LISTENER, READABLE);
  }

  /** Binds the listener; rejects with SysError. */
  static async open(
    sys: Sys,
    addresses: { readonly listen: Uint8Array; readonly to: Uint8Array },
    clientsMax: number,
    slotBytes: number,
    columns: BatchColumns,
  ): Promise<ProxySockets> {
    const options = udpOptions(slotBytes, columns);
    const listener = await sys.openUdp(addresses.listen, options);
    return new ProxySockets(sys, listener, addresses.to, clientsMax, options);
  }

  /**
   * Opens a socket towards the server under `key`, in place of the one that is there. `done` is told of an error, or null;
   * it is not called any more after `closeAll`.
   */
  openUpstream(key: number, done: (error: unknown) => void): void {
    this.opening++;
    this.#sys.openUdp(this.#local, this.#options).then(
      (socket) => {
        this.opening--;
        if (!this.#open) {
          socket.close();
          return;
        }
        this.close(key);
        this.byKey[key] = socket;
        this.poller.add(socket, key, READABLE);
        done(null);
      },
      (error: unknown) => {
        this.opening--;
        if (this.#open) done(error);
      },
    );
  }

  /** Closes the socket under `key`, if there is one. What is in its batch is lost. */
  close(key: number): void {
    const socket = this.byKey[key] ?? null;
    if (socket === null) return;
    addTotals(this.#closed, socket);
    this.byKey[key] = null;
    this.poller.remove(socket);
    socket.close();
  }

  closeAll(): void {
    this.#open = false;
    for (let key = 0; key < this.byKey.length; key++) this.close(key);
    this.poller.close();
  }

  totals(): SocketTotals {
    const sum = { ...this.#closed };
    for (const socket of this.byKey) if (socket !== null) addTotals(sum, socket);
    return sum;
  }
}

function udpOptions(slotBytes: number, columns: BatchColumns): UdpOptions {
  return {
    columns,
    rxSlots: RX_SLOTS,
    txSlots: TX_SLOTS,
    slotBytes,
    receiveBufferBytes: BUFFER_BYTES,
    sendBufferBytes: BUFFER_BYTES,
  };
}

/** A port of the kernel's choice: on loopback for a server there, so that nobody outside reaches it. */
function outwardAddress(to: Uint8Array): Uint8Array {
  if (isIPv4(to)) return addressOf(to[12] === 127 ? '127.0.0.1' : '0.0.0.0', 0)!;
  return addressOf(formatHost(to) === '::1' ? '::1' : '::', 0)!;
}

function addTotals(totals: SocketTotals, { stats }: DatagramSocket): void {
  totals.truncated += stats.truncated;
  totals.notSent += stats.refused + stats.tooLarge + stats.sendFailed;
}
