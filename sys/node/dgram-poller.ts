/** The poller over Node's own loop: nothing here can block, sockets say themselves when they become ready. */

import type { MessagePort } from 'node:worker_threads';
import { MessageChannel } from 'node:worker_threads';
import type { Micros, Notifier, Pollable, Poller } from '../api.ts';
import { sysError } from '../errno.ts';
import { LoopWaker } from '../loop-waker.ts';
import { type Watchable, WatchList } from '../watch-list.ts';
import { LocalNotifier } from './port-notifier.ts';

/** Watches sockets of the same `DgramSys`. */
export class DgramPoller implements Poller {
  readonly canBlock = false;
  readonly keys: Int32Array;
  readonly flags: Uint8Array;

  private readonly watched: WatchList;
  private readonly waker: LoopWaker;
  private readonly ports: MessagePort[] = [];
  private notified = false;
  private open = true;

  /** @param sockets the open sockets of the Sys by `pollHandle`, live */
  constructor(now: () => Micros, sockets: ReadonlyMap<number, Watchable>) {
    this.watched = new WatchList(sockets, () => this.waker.schedule());
    this.waker = new LoopWaker(now, () => this.notified || this.watched.hasReady());
    this.keys = this.watched.keys;
    this.flags = this.watched.flags;
  }

  add(source: Pollable, key: number, interest: number): void {
    this.watched.add(source, key, interest);
  }

  modify(source: Pollable, key: number, interest: number): void {
    this.watched.modify(source, key, interest);
  }

  remove(source: Pollable): void {
    this.watched.remove(source);
  }

  wait(timeoutMicros: Micros): number {
    if (!this.open) throw sysError('EBADF', 'wait');
    if (timeoutMicros !== 0) {
      throw new Error("only wait(0) here: node:dgram learns of datagrams in Node's loop, so use attach() and arm()");
    }
    this.notified = false;
    return this.watched.collect();
  }

  attach(wake: () => void): void {
    if (!this.open) throw sysError('EBADF', 'attach');
    this.waker.attach(wake);
  }

  detach(): void {
    this.waker.detach();
  }

  arm(deadline: Micros): void {
    this.waker.arm(deadline);
  }

  notifier(): Notifier {
    const { port1, port2 } = new MessageChannel();
    port1.on('message', () => this.notice());
    port1.unref();
    this.ports.push(port1);
    return new LocalNotifier(port2, () => this.notice());
  }

  close(): void {
    if (!this.open) return;
    this.detach();
    this.open = false;
    this.watched.clear();
    for (const port of this.ports) port.close();
  }

  private notice(): void {
    if (!this.open) return;
    this.notified = true;
    this.waker.schedule();
  }
}
