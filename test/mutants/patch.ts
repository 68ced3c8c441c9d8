// `node --import dist/test/mutants/patch.js ...`: runs a program with the bug planted that TICKWIRE_MUTANT describes.

import { register } from 'node:module';
import type { Mutant } from './mutant.ts';

const data = JSON.parse(process.env.TICKWIRE_MUTANT ?? 'null') as Mutant | null;
if (data === null) throw new Error('TICKWIRE_MUTANT is not set: give a mutant as JSON');
register('./patch-hooks.js', import.meta.url, { data });
