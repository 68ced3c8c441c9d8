/** The scenario file of a command: read, with what the command line says instead. */

import { readFileSync } from 'node:fs';
import { basename, dirname, isAbsolute, join } from 'node:path';
import type { ProxyOverrides, ProxyPlan } from '../scenario/proxy-scenario.ts';
import type { ScenarioOverrides, ScenarioPlan } from '../scenario/scenario-plan.ts';
import { FileError, oneLine, UsageError } from './command.ts';

/** Reads `file`. Throws UsageError. */
export async function readScenarioFile(file: string, overrides: ScenarioOverrides): Promise<ScenarioPlan> {
  // Only here: zod takes longer to load than a short run takes.
  const { readScenario } = await import('../scenario/scenario-plan.ts');
  return await reading(file, (text) => readScenario(file, text, (name) => namedText(file, name), overrides));
}

/** Reads `file` for a proxy. Throws UsageError. */
export async function readProxyFile(file: string, overrides: ProxyOverrides): Promise<ProxyPlan> {
  const { readProxyScenario } = await import('../scenario/proxy-scenario.ts');
  return await reading(file, (text) => readProxyScenario(file, text, (name) => namedText(file, name), overrides));
}

async function reading<Plan>(file: string, read: (text: string) => Plan): Promise<Plan> {
  const { ScenarioFileError } = await import('../scenario/scenario-text.ts');
  try {
    return read(textOf(file, file));
  } catch (error) {
    throw error instanceof ScenarioFileError ? new FileError(error.message) : error;
  }
}

/** What the report calls a scenario whose file gives it no name. */
export function nameOfFile(file: string): string {
  return basename(file).replace(/\.[^.]+$/, '');
}

/** The path of a file that a scenario file names. */
export function besideFile(file: string, name: string): string {
  return isAbsolute(name) ? name : join(dirname(file), name);
}

/** The text of a file that a scenario file names. Throws RangeError, which is told with its place. */
function namedText(file: string, name: string): string {
  try {
    return textOf(besideFile(file, name), name);
  } catch (error) {
    throw new RangeError((error as Error).message);
  }
}

/** Throws UsageError; directories and binary files end here too. */
export function textOf(path: string, name: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new UsageError(`${name} cannot be read: ${oneLine(error)}`);
  }
}
