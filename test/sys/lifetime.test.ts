/** What keeps a process alive: an attached poller does, a socket or a poller alone does not. Over the built package. */

import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { openSys } from '../../sys/index.ts';

const BUILT = new URL('../../dist/sys/index.js', import.meta.url);
const unbuilt = existsSync(fileURLToPath(BUILT)) ? '' : ' (skipped: dist/ is not built, npm run build)';
const backends = openSys().capabilities.backend === 'linux' ? ['dgram', 'udp'] : ['dgram'];

/** Runs `body` in a process of its own, with `sys`, `socket`, `poller` and `say`; returns what it said. */
function inProcess(backend: string, body: string): { status: number | null; said: string } {
  const script = `
    import { writeSync } from 'node:fs';
    import { addressOf, openSys } from '${BUILT.href}';
    const say = (text) => writeSync(1, text + ' ');
    const sys = openSys({ backend: '${backend}' });
    const socket = await sys.openUdp(addressOf('127.0.0.1', 0));
    const poller = sys.openPoller();
    poller.add(socket, 1, 1);
    const notifier = poller.notifier();
    ${body}
    say('end');`;
  const run = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8', timeout: 10_000 });
  expect(run.stderr).toBe('');
  return { status: run.status, said: run.stdout.trim() };
}

describe.each(backends)('a process with the %s backend', (backend) => {
  it.skipIf(unbuilt !== '')(`ends by itself with an open socket, poller and notifier${unbuilt}`, () => {
    expect(inProcess(backend, '')).toEqual({ status: 0, said: 'end' });
  });

  it.skipIf(unbuilt !== '')(`lives while a poller is attached, and ends after its detach${unbuilt}`, () => {
    const body = `
      poller.attach(() => {
        poller.wait(0);
        if (sys.clock.now() < due) return;
        say('woken');
        poller.detach();
      });
      const due = sys.clock.now() + 100_000;
      poller.arm(due);`;
    expect(inProcess(backend, body)).toEqual({ status: 0, said: 'end woken' });
  });

  it.skipIf(unbuilt !== '')(`ends when an attached poller is closed${unbuilt}`, () => {
    const body = `
      poller.attach(() => {});
      setTimeout(() => poller.close(), 20);`;
    expect(inProcess(backend, body)).toEqual({ status: 0, said: 'end' });
  });
});
