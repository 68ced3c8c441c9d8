/**
 * `sim selftest`: closed forms against the simulator, each as expected, simulated and z.
 *
 * Exit code 1: some |z| is above 4.
 */

import { Command } from 'commander';
import { type Check, Z_MAX, Z_WRONG } from '../selftest/check.ts';
import { FORMS, fails, runForm } from '../selftest/selftest.ts';
import { EXIT_FAILED, UsageError } from './command.ts';
import { SIM } from './spoken.ts';

interface Options {
  readonly seed: string;
  readonly form?: readonly string[];
  readonly json: boolean;
}

export const selftestCommand: Command = new Command('selftest')
  .description('compare the simulator with the closed forms of queueing, loss and repair')
  .option('--seed <text>', "decides every chance; 'random': another one each time", '1')
  .option('--form <name...>', 'only these forms')
  .option('--json', 'print one JSON object', false)
  .addHelpText(
    'after',
    `\nExamples:\n  ${SIM} selftest --seed random\n  ${SIM} selftest --form M/D/1 'head of line' --json`,
  )
  .action(run);

function run(options: Options): void {
  const seed = options.seed === 'random' ? String(Math.floor(Math.random() * 2 ** 32)) : options.seed;
  const forms = options.form === undefined ? FORMS : options.form.map(formNamed);
  const checks: Check[] = [];
  for (const form of forms) {
    const found = runForm(form, seed);
    checks.push(...found);
    if (!options.json) for (const check of found) process.stdout.write(`${row(check)}\n`);
  }
  const failed = checks.filter(fails);
  if (options.json) process.stdout.write(`${JSON.stringify({ seed, checks })}\n`);
  else process.stdout.write(`${forms.length} forms, ${checks.length} checks, ${failed.length} failed; seed ${seed}\n`);
  if (failed.length === 0) return;
  process.stderr.write(`sim: ${failed.length} checks failed; repeat them with: ${SIM} selftest --seed ${seed}\n`);
  process.exitCode = EXIT_FAILED;
}

function formNamed(name: string): (typeof FORMS)[number] {
  const form = FORMS.find((one) => one.name === name);
  if (form !== undefined) return form;
  throw new UsageError(`there is no form '${name}': give one of ${FORMS.map((one) => one.name).join(', ')}`);
}

function row(check: Check): string {
  const { name, expected, simulated, z } = check;
  const verdict = fails(check) ? `FAILED, above ${Z_MAX}` : '';
  const shown = Math.abs(z) === Z_WRONG ? 'not exact' : z.toFixed(2);
  return `${name.padEnd(66)} ${number(expected)} ${number(simulated)} ${shown.padStart(9)} ${verdict}`.trimEnd();
}

function number(value: number): string {
  return (Number.isInteger(value) ? String(value) : value.toPrecision(6)).padStart(12);
}
