/** Conformance of `DatagramSocket`: every promise of `sys/api.ts` about sockets, over any backend. */

import { describe } from 'vitest';
import type { BackendFactory } from './backend.ts';
import { addressTests } from './socket-addresses.ts';
import { congestionTests } from './socket-congestion.ts';
import { datagramTests } from './socket-datagrams.ts';
import { faultTests } from './socket-faults.ts';
import { lifeTests } from './socket-life.ts';
import { workbenchTest } from './workbench.ts';

/** Declares the socket tests of the backend `name`. */
export function describeSocketConformance(name: string, factory: BackendFactory): void {
  const test = workbenchTest(factory);
  describe(`${name}: sockets`, () => {
    describe('datagrams', () => datagramTests(test, factory));
    describe('addresses', () => addressTests(test, factory));
    describe('faults', () => faultTests(test, factory));
    describe('life', () => lifeTests(test, factory));
    describe('a full kernel', () => congestionTests(test));
  });
}
