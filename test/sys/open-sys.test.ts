/** `openSys`: which backend is given, and what is said where it cannot be. */

import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { library } from '../../sys/ffi/library.ts';
import { addressOf, openNotifier, openRawSocket, openSys, READABLE, SysError } from '../../sys/index.ts';

const native = process.platform === 'linux' && library() !== null;
const built = fileURLToPath(new URL('../../dist/sys/index.js', import.meta.url));
const unbuilt = existsSync(built) ? '' : ' (dist/ is not built: npm run build)';

describe('openSys', () => {
  afterEach(() => vi.unstubAllEnvs());

  it.skipIf(!native)(`gives the Linux backend where it works${native ? '' : ' (needs koffi on Linux)'}`, () => {
    vi.stubEnv('TICKWIRE_SYS', undefined);
    expect(openSys().capabilities.backend).toBe('linux');
  });

  it('gives the backend that TICKWIRE_SYS names, and an option before that', () => {
    vi.stubEnv('TICKWIRE_SYS', 'dgram');
    expect(openSys().capabilities.backend).toBe('dgram');
    if (native) expect(openSys({ backend: 'udp' }).capabilities.backend).toBe('linux');
    vi.stubEnv('TICKWIRE_SYS', '');
    expect(openSys({ backend: 'dgram' }).capabilities.backend).toBe('dgram');
  });

  it('says which values TICKWIRE_SYS may have', () => {
    vi.stubEnv('TICKWIRE_SYS', 'windows95');
    expect(() => openSys()).toThrow(SysError);
    expect(() => openSys()).toThrow('"windows95": it may be auto, udp, packet, xdp, dgram, or unset');
  });

  it.skipIf(unbuilt !== '')(`falls back to node:dgram where koffi cannot load, and goes on${unbuilt}`, () => {
    const script = `
      import { addressOf, openSys, portOf } from ${JSON.stringify(built)};
      const sys = openSys();
      const socket = await sys.openUdp(addressOf('127.0.0.1', 0));
      console.log(sys.capabilities.backend, portOf(socket.localAddress) > 0);
      socket.close();
      let error = 'none';
      try { openSys({ backend: 'udp' }); } catch (e) { error = e.code + ' ' + /TICKWIRE_SYS=dgram/.test(e.message); }
      console.log(error);
    `;
    // --no-addons: node refuses every native addon, as a platform without a prebuilt one does.
    const { stdout, stderr } = spawnSync(process.execPath, ['--no-addons', '--input-type=module', '-e', script], {
      encoding: 'utf8',
      env: { ...process.env, TICKWIRE_SYS: '' },
    });
    expect(stderr).toBe('');
    expect(stdout).toBe('dgram true\nENOSYS true\n');
  });

  it.skipIf(unbuilt !== '')(`does not load koffi before it is called${unbuilt}`, () => {
    const script = `
      import ${JSON.stringify(built)};
      const { createRequire } = await import('node:module');
      const cache = Object.keys(createRequire(${JSON.stringify(built)}).cache);
      console.log(cache.filter((path) => path.includes('koffi')).length);
    `;
    const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
    expect(stdout).toBe('0\n');
  });
});

describe('openRawSocket', () => {
  it('says what it needs where the poller cannot wait for it', () => {
    const sys = openSys({ backend: 'dgram' });
    const open = () => openRawSocket(sys, addressOf('127.0.0.1', 0)!, 1);
    expect(open).toThrow(SysError);
    expect(open).toThrow("openRawSocket: ENOSYS: raw sockets need Linux and koffi, and `openSys({ backend: 'udp' })`");
  });

  it.skipIf(!native || process.getuid?.() !== 0)(
    `opens one that the poller of its Sys can wait for${native && process.getuid?.() === 0 ? '' : ' (needs root and koffi on Linux)'}`,
    () => {
      const sys = openSys({ backend: 'udp' });
      const socket = openRawSocket(sys, addressOf('127.0.0.1', 0)!, 253); // RFC 3692: for experiments
      const poller = sys.openPoller();
      poller.add(socket, 7, READABLE);
      socket.tx.address.set(addressOf('127.0.0.1', 0)!, 0);
      socket.tx.length[0] = 3;
      socket.tx.count = 1;
      expect([socket.flush(), poller.wait(2_000_000), poller.keys[0], socket.receive()]).toEqual([1, 1, 7, 1]);
      expect(socket.rx.length[0]).toBe(20 + 3);
      poller.close();
      socket.close();
      sys.close();
    },
  );
});

describe('openNotifier', () => {
  it.each([null, 7, {}, { kind: 'eventfd' }, { kind: 'other', port: 1 }])('refuses what is no handle: %o', (handle) => {
    expect(() => openNotifier(handle)).toThrow(TypeError);
  });
});
