/** What the probes of this machine say: always the same names, always a remedy where something is missing. */

import { describe, expect, it } from 'vitest';
import { openSys, type Probe, probeMachine, type Sys, SysError } from '../../sys/index.ts';

/** The names that a report has on every machine, in order. */
const NAMES = [
  'node',
  'sockets',
  'aead',
  'koffi',
  'backend',
  'ipv6',
  'gso',
  'gro',
  'reuseport',
  'right-net-raw',
  'right-net-admin',
  'right-bpf',
  'raw-sockets',
  'bpf-filter',
  'packet-ring',
  'af-xdp',
  'workers',
  'receive-buffer-max',
  'send-buffer-max',
  'memlock',
  'clock-source',
  'timers',
];

const byName = (probes: readonly Probe[], name: string) => probes.find((probe) => probe.name === name)!;

describe('probeMachine', () => {
  it('says something of every name, a remedy exactly where it is missing', async () => {
    const probes = await probeMachine(() => openSys());
    expect(probes.map(({ name }) => name)).toEqual(NAMES);
    for (const { name, ok, found, remedy } of probes) {
      expect({ name, found: found !== '', remedy: remedy !== '' }).toEqual({ name, found: true, remedy: !ok });
      expect(found + remedy).not.toContain('\n');
    }
  });

  it('requires Node, sockets and a cipher, and nothing else', async () => {
    const probes = await probeMachine(() => openSys());
    const required = probes.filter((probe) => probe.required);
    expect(required.map(({ name, ok }) => [name, ok])).toEqual([
      ['node', true],
      ['sockets', true],
      ['aead', true],
    ]);
  });

  it('finds the floor in working order, and says what it cannot do', async () => {
    const probes = await probeMachine(() => openSys({ backend: 'dgram' }));
    expect(byName(probes, 'sockets').ok).toBe(true);
    expect(byName(probes, 'backend')).toMatchObject({ ok: false, required: false });
    expect(byName(probes, 'gso').ok).toBe(false);
  });

  it('makes a missing required check of a backend that cannot open', async () => {
    const probes = await probeMachine(() => {
      throw new SysError('ENOSYS', 'openSys', 'no sockets here');
    });
    expect(byName(probes, 'sockets')).toMatchObject({ ok: false, required: true });
    expect(byName(probes, 'sockets').found).toContain('no sockets here');
  });

  it('makes a missing required check of a socket that cannot be bound', async () => {
    const sys = openSys();
    const broken: Sys = Object.assign(Object.create(sys), {
      openUdp: () => Promise.reject(new SysError('EACCES', 'bind', 'a sandbox')),
    });
    const probes = await probeMachine(() => broken);
    expect(byName(probes, 'sockets')).toMatchObject({ ok: false, found: 'bind: EACCES: a sandbox' });
  });

  it('does not take a bug for a missing capability', async () => {
    await expect(
      probeMachine(() => {
        throw new TypeError('a bug');
      }),
    ).rejects.toThrow('a bug');
  });
});
