// The section of sim/README.md on scenario files says what there is.

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { LINK_SHAPE } from '../../../sim/scenario/link-schema.ts';
import { readScenario } from '../../../sim/scenario/scenario-plan.ts';
import { ACTIONS } from '../../../sim/scenario/timeline-actions.ts';

const read = (path: string): string => readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8');
const section = read('sim/README.md').split('## Scenario files')[1]!.split('\n## ')[0]!;

describe('sim/README.md', () => {
  it('shows a sample as it is', () => {
    expect(/```jsonc\n([^`]*)```/.exec(section)![1]).toBe(read('samples/scenarios/office-upload.json'));
  });

  it('names every field of a link and every action of a timeline', () => {
    for (const field of Object.keys(LINK_SHAPE)) expect(section).toMatch(new RegExp(`\`${field}[\`:]`));
    for (const action of Object.keys(ACTIONS)) expect(section).toContain(`| \`${action}: `);
  });
});

it.each(['train', 'office-upload', 'cell', 'bad-day'])('the sample %s is in order', (name) => {
  const plan = readScenario(name, read(`samples/scenarios/${name}.json`), (file) => read(`samples/scenarios/${file}`));
  expect(plan.expect.length).toBeGreaterThan(1);
});
