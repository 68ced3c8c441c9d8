/** What `doctor` prints and answers, with probes put in by hand. */

import { describe, expect, it } from 'vitest';
import { type DoctorReport, printReport } from '../../../engine/cli/doctor.ts';
import type { Terminal } from '../../../engine/cli/terminal.ts';
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

/** A terminal that keeps what was written. */
function recorder(colour = false): Terminal & { readonly outs: string[]; readonly errs: string[] } {
  const outs: string[] = [];
  const errs: string[] = [];
  return { outs, errs, colour, env: {}, out: (text) => void outs.push(text), err: (text) => void errs.push(text) };
}

function print(checks: readonly Probe[], options: { asJson?: boolean; colour?: boolean } = {}) {
  const terminal = recorder(options.colour);
  const code = printReport({ machine: MACHINE, checks }, terminal, options.asJson ?? false);
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
    expect(lines[4]).toContain('1 optional missing');
    expect(lines).toHaveLength(5);
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
    expect(JSON.parse(out)).toEqual({ machine: MACHINE, checks: [PRESENT, OPTIONAL, REQUIRED] });
    expect(out).not.toContain('\n');
  });

  it('colours the marks where the terminal shows colours, and only there', () => {
    expect(print([PRESENT, OPTIONAL, REQUIRED]).out).not.toContain('\u001b');
    const { out } = print([PRESENT, OPTIONAL, REQUIRED], { colour: true });
    for (const colour of [32, 33, 31]) expect(out).toContain(`\u001b[${colour}m`);
  });
});
