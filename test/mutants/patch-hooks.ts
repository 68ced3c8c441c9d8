// Module hooks that plant a bug in one module while it is loaded. Registered by patch.ts.

import type { LoadHook } from 'node:module';
import type { Mutant } from './mutant.ts';

let mutant: Mutant | null = null;

export function initialize(data: Mutant): void {
  mutant = data;
}

export const load: LoadHook = async (url, context, nextLoad) => {
  const loaded = await nextLoad(url, context);
  if (mutant === null || !url.endsWith(`/dist/${mutant.file}`)) return loaded;
  const source = String(
    loaded.source instanceof Uint8Array ? new TextDecoder().decode(loaded.source) : (loaded.source ?? ''),
  );
  const places = source.split(mutant.find).length - 1;
  if (places !== 1) {
    throw new Error(
      `the patch '${mutant.name}' no longer applies: ${mutant.file} has its text ${places} times, not once`,
    );
  }
  return { ...loaded, source: source.replace(mutant.find, () => mutant!.replace) };
};
