// The schema for editors is the one that files are checked by.

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { jsonSchema } from '../../../sim/scenario/scenario-schema.ts';

const FILE = new URL('../../../sim/scenario/scenario.schema.json', import.meta.url);

// When this fails after a change of the fields: npx vitest run test/sim/scenario/scenario-schema.test.ts -u
it('is written down as it is in the code', async () => {
  await expect(`${JSON.stringify(jsonSchema(), null, 1)}\n`).toMatchFileSnapshot(fileURLToPath(FILE));
});

it('is in the package, under a name that editors find', () => {
  const { exports, files } = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'));
  expect(exports['./scenario.schema.json']).toBe('./sim/scenario/scenario.schema.json');
  expect(files).toContain('sim/scenario/scenario.schema.json');
  expect(files).toContain('samples/scenarios');
});
