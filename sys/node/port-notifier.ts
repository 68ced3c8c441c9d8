/** Waking a node:dgram poller: directly on its own thread, through a MessagePort from any other. */

import type { MessagePort } from 'node:worker_threads';
import type { Notifier } from '../api.ts';

/** What passes through `postMessage`; the port must be in the transfer list. */
export interface PortHandle {
  readonly kind: 'port';
  readonly port: MessagePort;
}

/** Whether `handle` came from the notifier of a node:dgram poller. */
export function isPortHandle(handle: unknown): handle is PortHandle {
  return (
    typeof handle === 'object' && handle !== null && 'kind' in handle && handle.kind === 'port' && 'port' in handle
  );
}

/** A notifier on the other side of a `postMessage`. */
export class PortNotifier implements Notifier {
  readonly handle: PortHandle;
  readonly transfer: readonly MessagePort[];

  constructor(handle: PortHandle) {
    this.handle = handle;
    this.transfer = [handle.port];
    handle.port.unref(); // a notifier alone is no reason for its thread to live on
  }

  notify(): void {
    this.handle.port.postMessage(null);
  }
}

/** A notifier on the poller's own thread; its handle may be transferred away and it goes on working. */
export class LocalNotifier implements Notifier {
  readonly handle: PortHandle;
  readonly transfer: readonly MessagePort[];
  private readonly wake: () => void;

  constructor(port: MessagePort, wake: () => void) {
    this.handle = { kind: 'port', port };
    this.transfer = [port];
    this.wake = wake;
  }

  notify(): void {
    this.wake();
  }
}
