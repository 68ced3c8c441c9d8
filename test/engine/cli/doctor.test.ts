/** What `doctor` prints and answers, with probes put in by hand. */

import { describe, expect, it, vi } from 'vitest';
import { type DoctorReport, printReport } from '../../../engine/cli/doctor.ts';
import type { Terminal } from '../../../engine/cli/terminal.ts';
import type { BackendReports } from '../../../sys/backend-report.ts';
import type { Probe } from '../../../sys/index.ts';

const MACHINE: DoctorReport['machine'] = {
  platform: 'linux',
  arch: 'x64',
  kernel: 'Linux 6.1.0',
  node: '20.19.0',
  cpu: 'Some CPU',
  cpus: 2,
  memoryBytes: 8 * 2 ** 30,
};

const PRESENT: Probe = { name: 'sockets', ok: true, required: true, found: 'they work', remedy: '' };
const OPTIONAL: Probe = {
  name: 'receive-buffer-max',
  ok: false,
  required: false,
  found: '212992 bytes',
  remedy: 'sudo sysctl -w net.core.rmem_max=4194304',
};
const REQUIRED: Probe = { name: 'aead', ok: false, required: true, found: 'no cipher', remedy: 'use another Node' };

const WAYS: BackendReports = {
  backends: [
    { backend: 'udp', ok: true, found: 'epoll', remedy: '' },
    { backend: 'xdp', ok: false, found: 'bpf: EPERM', remedy: 'sudo setcap' },
  ],
  auto: { backend: 'udp', why: 'the fastest that is safe' },
  interfaces: [
    {
      name: 'eth0',
      unfit: '',
      addresses: ['192.0.2.7'],
      mtuBytes: 1500,
      queues: 4,
      mode: 'native',
      zeroCopy: true,
      isDefault: true,
      attached: false,
    },
    {
      name: 'veth1',
      unfit: '',
      addresses: [],
      mtuBytes: 1400,
      queues: 1,
      mode: 'generic',
      zeroCopy: false,
      isDefault: false,
      attached: true,
    },
    {
      name: 'lo',
      unfit: 'no Ethernet',
      addresses: [],
      mtuBytes: 0,
      queues: 0,
      mode: 'untold',
      zeroCopy: null,
      isDefault: false,
      attached: false,
    },
  ],
};

/** A terminal that keeps what was written. */
function recorder(colour = false): Terminal & { readonly outs: string[]; readonly errs: string[] } {
  const outs: string[] = [];
  const errs: string[] = [];
  return { outs, errs, colour, env: {}, out: (text) => void outs.push(text), err: (text) => void errs.push(text) };
}

function print(checks: readonly Probe[], options: { asJson?: boolean; colour?: boolean } = {}) {
  const terminal = recorder(options.colour);
  const code = printReport({ machine: MACHINE, checks, ...WAYS }, terminal, options.asJson ?? false);
  return { code, out: terminal.outs.join('\n'), err: terminal.errs.join('\n') };
}

describe('doctor', () => {
  it('prints a line for each check, and below a missing one what to paste', () => {
    const { out } = print([PRESENT, OPTIONAL]);
    const lines = out.split('\n');
    expect(lines[0]).toBe('Linux 6.1.0 x64, Node v20.19.0, 2 x Some CPU, 8 GiB');
    expect(lines[1]).toMatch(/^ok {7}sockets +they work$/);
    expect(lines[2]).toMatch(/^missing {2}receive-buffer-max {2}212992 bytes$/);
    expect(lines[3]!.trim()).toBe('remedy: sudo sysctl -w net.core.rmem_max=4194304');
    expect(lines.at(-1)).toContain('1 optional missing');
  });

  it('says of each way to the network whether it would work, which one auto takes and why, and what interfaces can', () => {
    const { out } = print([PRESENT]);
    expect(out.slice(out.indexOf('ways to')).split('\n').slice(0, -2)).toEqual([
      'ways to the network (the option `sys`):',
      'ok       udp  epoll  <- auto',
      'missing  xdp  bpf: EPERM',
      '              remedy: sudo setcap',
      'auto takes udp: the fastest that is safe',
      '',
      'interfaces, for packet and xdp:',
      'eth0   4 queues, MTU 1500, xdp native (in the driver), zero-copy, 192.0.2.7  <- for a server bound to all addresses',
      'veth1  1 queue, MTU 1400, xdp generic (the driver has none), frames are copied, HAS AN XDP PROGRAM ALREADY, no address',
      'lo     no Ethernet',
    ]);
  });

  it('says what the environment asks for', () => {
    vi.stubEnv('TICKWIRE_SYS', 'packet');
    expect(print([PRESENT]).out).toContain('TICKWIRE_SYS asks for packet, wherever no option does');
    vi.stubEnv('TICKWIRE_SYS', '');
    expect(print([PRESENT]).out).not.toContain('TICKWIRE_SYS');
    vi.unstubAllEnvs();
  });

  it('answers 0 when only what is optional is missing, and says nothing on stderr', () => {
    expect(print([PRESENT, OPTIONAL])).toMatchObject({ code: 0, err: '' });
  });

  it('answers 3 when something required is missing, and names it on stderr', () => {
    const { code, err, out } = print([PRESENT, REQUIRED]);
    expect(code).toBe(3);
    expect(err).toContain('aead');
    expect(out).toContain('remedy: use another Node');
  });

  it('answers the same codes with --json', () => {
    expect(print([PRESENT, OPTIONAL], { asJson: true }).code).toBe(0);
    expect(print([REQUIRED], { asJson: true }).code).toBe(3);
  });

  it('prints one object with --json and nothing else', () => {
    const { out } = print([PRESENT, OPTIONAL, REQUIRED], { asJson: true, colour: true });
    expect(JSON.parse(out)).toEqual({ machine: MACHINE, checks: [PRESENT, OPTIONAL, REQUIRED], ...WAYS });
    expect(out).not.toContain('\n');
  });

  it('colours the marks where the terminal shows colours, and only there', () => {
    expect(print([PRESENT, OPTIONAL, REQUIRED]).out).not.toContain('\u001b');
    const { out } = print([PRESENT, OPTIONAL, REQUIRED], { colour: true });
    for (const colour of [32, 33, 31]) expect(out).toContain(`\u001b[${colour}m`);
  });
});
