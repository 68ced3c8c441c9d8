/** The page of a report: reads the data beside it and draws a view for each result. */

import type { ReportData, ReportView } from '../report-data.ts';
import { drawCompare } from './compare.ts';
import { el } from './dom.ts';
import { drawRun } from './run.ts';
import { drawSequence } from './sequence.ts';
import { drawSweep } from './sweep.ts';

/** How each kind of view is drawn into its section. A new kind needs a line here, and one in `report-data.ts`. */
const KINDS: {
  readonly [K in ReportView['kind']]: (view: Extract<ReportView, { kind: K }>, into: HTMLElement) => void;
} = {
  sweep: drawSweep,
  run: drawRun,
  sequence: drawSequence,
  compare: drawCompare,
};
const NAMES: Readonly<Record<ReportView['kind'], string>> = {
  sweep: 'Sweep',
  run: 'Run',
  sequence: 'Sequence',
  compare: 'Comparison',
};

const data = JSON.parse(document.getElementById('data')!.textContent!) as ReportData;
const page = document.getElementById('report')!;
const views = data.views.filter(({ kind }) => kind in KINDS);

const sections = views.map((view, i) => {
  const section = el('section', { id: `view-${i}`, attributes: { 'aria-label': view.title } });
  const facts = view.facts.map(([name, value]) => el('div', {}, el('dt', {}, name), el('dd', {}, value)));
  section.append(
    el(
      'header',
      {},
      el('p', { className: 'kind' }, NAMES[view.kind]),
      el('h1', {}, view.title),
      el('dl', {}, ...facts),
    ),
  );
  return section;
});

const drawn = new Set<number>();
function show(index: number): void {
  for (const [i, section] of sections.entries()) section.hidden = i !== index;
  for (const [i, tab] of tabs.entries()) tab.setAttribute('aria-selected', String(i === index));
  if (drawn.has(index)) return;
  drawn.add(index);
  const view = views[index]!;
  (KINDS[view.kind] as (view: ReportView, into: HTMLElement) => void)(view, sections[index]!);
}

const tabs = views.map(({ kind, title }, i) => {
  const tab = el('button', { type: 'button', attributes: { role: 'tab', 'aria-controls': `view-${i}` } });
  tab.append(el('span', { className: 'kind' }, NAMES[kind]), ` ${title}`);
  tab.addEventListener('click', () => show(i));
  return tab;
});
if (views.length > 1) page.append(el('nav', { attributes: { role: 'tablist', 'aria-label': 'Results' } }, ...tabs));
page.append(
  ...sections,
  el('footer', {}, 'Made by tickwire’s simulator. Same seed, same result: every command here repeats its run exactly.'),
);
if (views.length > 0) show(0);
