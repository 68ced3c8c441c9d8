/** `tickwire doctor`: what this machine offers to the engine, and what to do about what is missing. */

import { cpus, release, totalmem, type } from 'node:os';
import { type BackendReports, reportBackends } from '../../sys/backend-report.ts';
import { openSys, type Probe, probeMachine } from '../../sys/index.ts';
import { backendLines } from './doctor-backends.ts';
import { GREEN, mark, RED, YELLOW } from './doctor-mark.ts';
import { EXIT_MISSING, EXIT_OK } from './exit-code.ts';
import type { Terminal } from './terminal.ts';

/** What `doctor --json` prints. */
export interface DoctorReport extends BackendReports {
  readonly machine: {
    /** `linux`, `darwin`, `win32` ... */
    readonly platform: string;
    readonly arch: string;
    readonly kernel: string;
    readonly node: string;
    readonly cpu: string;
    readonly cpus: number;
    readonly memoryBytes: number;
  };
  readonly checks: readonly Probe[];
}

/** Tries everything this machine may offer. */
export async function examine(): Promise<DoctorReport> {
  const processors = cpus();
  return {
    machine: {
      platform: process.platform,
      arch: process.arch,
      kernel: `${type()} ${release()}`,
      node: process.versions.node,
      cpu: processors[0]?.model.trim() ?? 'unknown',
      cpus: processors.length,
      memoryBytes: totalmem(),
    },
    checks: await probeMachine(() => openSys()),
    ...(await reportBackends()),
  };
}

/** Prints `report` and returns the exit code: 0, or 3 when something required is missing. */
export function printReport(report: DoctorReport, terminal: Terminal, asJson: boolean): number {
  const { machine, checks } = report;
  const missing = checks.filter((check) => check.required && !check.ok);
  if (asJson) {
    terminal.out(JSON.stringify(report));
  } else {
    const memory = `${Math.round(machine.memoryBytes / 2 ** 30)} GiB`;
    terminal.out(
      `${machine.kernel} ${machine.arch}, Node v${machine.node}, ${machine.cpus} x ${machine.cpu}, ${memory}`,
    );
    const width = Math.max(...checks.map((check) => check.name.length));
    for (const check of checks) terminal.out(line(check, width, terminal.colour));
    for (const text of backendLines(report, process.env.TICKWIRE_SYS ?? '', terminal.colour)) terminal.out(text);
    terminal.out(summary(checks, missing));
  }
  if (missing.length === 0) return EXIT_OK;
  terminal.err(`tickwire: the engine cannot run here: ${missing.map((check) => check.name).join(', ')} missing`);
  return EXIT_MISSING;
}

function line(check: Probe, width: number, colour: boolean): string {
  const shown = mark(check.ok ? 'ok' : 'missing', check.ok ? GREEN : check.required ? RED : YELLOW, colour);
  const first = `${shown}  ${check.name.padEnd(width)}  ${check.found}`;
  return check.remedy === '' ? first : `${first}\n${' '.repeat(width + 11)}remedy: ${check.remedy}`;
}

function summary(checks: readonly Probe[], missing: readonly Probe[]): string {
  const optional = checks.filter((check) => !check.ok && !check.required).length;
  const rest = optional === 0 ? '' : `; ${optional} optional missing, which makes it slower or less capable`;
  if (missing.length > 0) return `the engine cannot run here${rest}`;
  return `the engine runs here${rest}`;
}
