/**
 * What workers of a group tell each other: a message port between each two that have something to say, which the supervisor
 * makes when it is first asked for. What one worker sends another arrives in order.
 *
 * A worker owns its thread, so Node's loop sees the ports only twenty times a second: while there are any, `poll` looks.
 */

import { MessageChannel, type MessagePort, receiveMessageOnPort, type Transferable } from 'node:worker_threads';

/** A worker asks its supervisor for a way to another one. */
export interface LinkRequest {
  readonly linkTo: number;
}

/** The supervisor's answer, and what the other one gets unasked. No port: there is no such worker now. */
export interface LinkOffer {
  readonly worker: number;
  readonly port: MessagePort | null;
}

/** One end of a way to another worker. */
export class Link<Message> {
  readonly worker: number;
  readonly #port: MessagePort;
  /** Called once when the other thread has ended, or this end was closed. */
  onClose: (() => void)[] = [];

  constructor(worker: number, port: MessagePort) {
    this.worker = worker;
    this.#port = port;
    port.on('close', () => {
      for (const tell of this.onClose.splice(0)) tell();
    });
    port.unref();
  }

  post(message: Message, transfer: readonly Transferable[] = []): void {
    this.#port.postMessage(message, [...transfer]);
  }

  /** The next message that has come, or undefined. */
  take(): Message | undefined {
    return receiveMessageOnPort(this.#port)?.message as Message | undefined;
  }

  close(): void {
    this.#port.close();
  }
}

export class Mail<Message> {
  readonly #supervisor: MessagePort;
  readonly #onMessage: (link: Link<Message>, message: Message) => void;
  /** Ways that we send on, by worker: the first that came about stays, so that messages keep their order. */
  readonly #links: Map<number, Link<Message>> = new Map();
  /** All that something may come on. */
  readonly #open: Set<Link<Message>> = new Set();
  readonly #asked: Map<number, ((link: Link<Message> | null) => void)[]> = new Map();

  /** @param supervisor posts LinkOffer, takes LinkRequest */
  constructor(supervisor: MessagePort, onMessage: (link: Link<Message>, message: Message) => void) {
    this.#supervisor = supervisor;
    this.#onMessage = onMessage;
    supervisor.on('message', ({ worker, port }: LinkOffer) => this.#take(worker, port));
    supervisor.unref();
  }

  /** Whether there is anything to `poll`. */
  get isOpen(): boolean {
    return this.#open.size > 0;
  }

  /** The way to a worker; null: there is no such worker now. */
  linkTo(worker: number): Promise<Link<Message> | null> {
    const link = this.#links.get(worker);
    if (link !== undefined) return Promise.resolve(link);
    return new Promise((resolve) => {
      const waiting = this.#asked.get(worker);
      if (waiting !== undefined) {
        waiting.push(resolve);
        return;
      }
      this.#asked.set(worker, [resolve]);
      this.#supervisor.postMessage({ linkTo: worker } satisfies LinkRequest);
    });
  }

  /** The way to a worker that there is already, or null. */
  openLinkTo(worker: number): Link<Message> | null {
    return this.#links.get(worker) ?? null;
  }

  /** Hands over what has come. */
  poll(): void {
    for (const link of this.#open) {
      for (let message = link.take(); message !== undefined; message = link.take()) this.#onMessage(link, message);
    }
  }

  #take(worker: number, port: MessagePort | null): void {
    const link = port === null ? null : new Link<Message>(worker, port);
    if (link !== null) {
      this.#open.add(link);
      if (!this.#links.has(worker)) this.#links.set(worker, link);
      link.onClose.push(() => {
        this.#open.delete(link);
        if (this.#links.get(worker) === link) this.#links.delete(worker);
      });
    }
    const waiting = this.#asked.get(worker) ?? [];
    this.#asked.delete(worker);
    for (const resolve of waiting) resolve(this.#links.get(worker) ?? null);
  }
}

/** The supervisor's part: makes a way between two workers, each given by where its offers go; null: it does not run. */
export function introduce(
  from: { readonly worker: number; readonly port: MessagePort },
  to: { readonly worker: number; readonly port: MessagePort | null },
): void {
  if (to.port === null) {
    from.port.postMessage({ worker: to.worker, port: null } satisfies LinkOffer);
    return;
  }
  const { port1, port2 } = new MessageChannel();
  to.port.postMessage({ worker: from.worker, port: port2 } satisfies LinkOffer, [port2]);
  from.port.postMessage({ worker: to.worker, port: port1 } satisfies LinkOffer, [port1]);
}
