/** `sim presets`: the networks that have a name, where their numbers come from, and how far to trust them. */

import { Argument, Command } from 'commander';
import { PRESETS, type Preset } from '../scenario/presets.ts';
import { SIM } from './spoken.ts';

export const presetsCommand: Command = new Command('presets')
  .description('list the networks that have a name, with sources')
  .addArgument(new Argument('[name]', 'show all of one').choices(PRESETS.map(({ name }) => name)))
  .option('--json', 'print one JSON object', false)
  .addHelpText('after', `\nExamples:\n  ${SIM} presets\n  ${SIM} presets wifi-lossy --json`)
  .action((name: string | undefined, { json }: { readonly json: boolean }) => {
    const shown = PRESETS.filter((preset) => name === undefined || preset.name === name);
    if (json) process.stdout.write(`${JSON.stringify({ presets: shown })}\n`);
    else process.stdout.write(`${shown.map(name === undefined ? line : page).join('\n')}\n`);
  });

function line({ name, confidence, text }: Preset): string {
  return `${name.padEnd(18)} ${confidence.padEnd(9)} ${text}`;
}

function page(preset: Preset): string {
  const { up, down, sources } = preset;
  const shown = (options: object): string => JSON.stringify(options, null, 2).replace(/^/gm, '  ').trim();
  return [
    line(preset),
    ...sources.map((source) => `  source: ${source}`),
    `  up: ${shown(up)}`,
    `  down: ${shown(down)}`,
  ].join('\n');
}
