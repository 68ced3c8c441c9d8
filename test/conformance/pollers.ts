/** Conformance of `Poller`: every promise of `sys/api.ts` about waiting, over any backend. */

import { describe } from 'vitest';
import type { BackendFactory } from './backend.ts';
import { attachTests } from './poller-attach.ts';
import { changeTests } from './poller-changes.ts';
import { notifyTests } from './poller-notify.ts';
import { readinessTests } from './poller-readiness.ts';
import { timeoutTests } from './poller-timeouts.ts';
import { workbenchTest } from './workbench.ts';

/** Declares the poller tests of the backend `name`. */
export function describePollerConformance(name: string, factory: BackendFactory): void {
  const test = workbenchTest(factory);
  describe(`${name}: pollers`, () => {
    describe('readiness', () => readinessTests(test));
    describe('changes while events are at hand', () => changeTests(test));
    describe('timeouts', () => timeoutTests(test));
    describe('notify', () => notifyTests(test, factory));
    describe('attach', () => attachTests(test));
  });
}
