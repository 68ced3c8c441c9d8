/** `--script` of `sim run`: what befalls the run in place of chance. */

import type { Fault } from '../link/fault.ts';
import { faultText } from '../link/fault.ts';
import type { ScenarioReport } from '../scenario/scenario.ts';
import { UsageError } from './command.ts';
import { readFaults } from './swarm-subject.ts';

/** Reads a script for a run with so many clients. Throws UsageError, also for a host that the run does not have. */
export function readScript(file: string, clients: number): readonly Fault[] {
  const faults = readFaults(file);
  for (const fault of faults) {
    const hosts = 'host' in fault ? [fault.host] : fault.direction.split('>');
    const unknown = hosts.find((host) => !isHost(host, clients));
    if (unknown === undefined && (hosts.length === 1 || hosts[0] !== hosts[1])) continue;
    const last = clients - 1;
    const there = last < 0 ? 'server alone' : `server and client-0${last > 0 ? ` to client-${last}` : ''}`;
    const wrong = unknown === undefined ? 'a way leads from one host to another' : `there is no host ${unknown}`;
    throw new UsageError(`${file}: '${faultText(fault)}': ${wrong}: this run has ${there}`);
  }
  return faults;
}

/** What the table says of it. */
export function scriptLine(file: string, script: NonNullable<ScenarioReport['script']>): string {
  const { faults, met } = script;
  return `script           ${file} in place of chance, ${met} of ${faults} faults befell the run`;
}

function isHost(name: string, clients: number): boolean {
  if (name === 'server') return true;
  const [, number] = /^client-(0|[1-9]\d{0,8})$/.exec(name) ?? [];
  return number !== undefined && Number(number) < clients;
}
