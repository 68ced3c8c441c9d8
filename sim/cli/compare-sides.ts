/** The two sides of a comparison: `--a loss=5 --b loss=5,burst=4`, each on top of what the command sets for both. */

import { presetNamed } from '../scenario/presets.ts';
import { UsageError } from './command.ts';
import { type NetworkOptions, SETTINGS, type SettingName } from './network-options.ts';

/** What one side sets. */
export type SideSettings = Partial<NetworkOptions>;

/** Reads what `--a` or `--b` says; '' is nothing, so that this side is as the others options say. Throws UsageError. */
export function readSide(option: string, text: string): SideSettings {
  const settings: Record<string, number | string> = {};
  for (const part of text.split(',').filter((part) => part.trim() !== '')) {
    const match = /^\s*([a-z]+)=(.+?)\s*$/.exec(part);
    const name = match?.[1] ?? '';
    if (match === null || !(name in SETTINGS || name === 'preset')) {
      throw new UsageError(
        `${option} ${part}: give settings and their values, such as loss=5,burst=4; there is ` +
          `preset, ${Object.keys(SETTINGS).join(', ')}`,
      );
    }
    if (name in settings) throw new UsageError(`${option}: ${name} is there twice`);
    settings[name] = readValue(option, name, match[2]!);
  }
  return settings as SideSettings;
}

function readValue(option: string, name: string, text: string): number | string {
  if (name === 'preset') {
    if (presetNamed(text) === null)
      throw new UsageError(`${option}: there is no preset '${text}', see \`sim presets\``);
    return text;
  }
  try {
    return SETTINGS[name as SettingName].read(text.replace(/%$/, ''));
  } catch (error) {
    throw new UsageError(`${option}: ${name}=${text}: ${(error as Error).message}`);
  }
}

/** How a side is called. */
export function labelOf(settings: SideSettings, game: string | undefined): string {
  const parts = Object.entries(settings).map(([name, value]) => `${name}=${value}`);
  if (game !== undefined) parts.unshift(game);
  return parts.length === 0 ? 'as it is' : parts.join(', ');
}
