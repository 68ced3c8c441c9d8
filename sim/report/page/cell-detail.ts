/** One cell of a sweep: its seeds, each with its numbers and the command that repeats it. */

import type { CellData, Commands, SweepView } from '../report-data.ts';
import { commandLine, el, table } from './dom.ts';
import { headerOf, valueText } from './format.ts';

/** The command of seed number `i`. */
export function commandOf(commands: Commands, seeds: readonly string[], i: number): string {
  return typeof commands === 'string' ? commands + seeds[i]! : commands[i]!;
}

/** Heading, command and table of a cell; what is shown of each seed is of the channel that `metric` is about. */
export function cellDetail(view: SweepView, cell: CellData, metric: number): HTMLElement[] {
  const { axes, metrics } = view;
  const { group } = metrics[metric]!;
  const place = axes.map(
    ({ name, unit, values }, i) => `${name} ${values[cell.at[i]!]}${unit === '' ? '' : ` ${unit}`}`,
  );
  const shown = metrics.flatMap((one, i) => (one.group === group ? [i] : []));
  const start = worstSeed(view, cell, metric);
  const command = el('div');
  const show = (seed: number): void => {
    const why = seed === start && cell.seeds.length > 1 ? ', the worst of the cell' : '';
    command.replaceChildren(
      commandLine(commandOf(cell.commands, cell.seeds, seed), `Repeats seed ${cell.seeds[seed]}${why}`),
    );
    for (const [i, button] of buttons.entries()) button.setAttribute('aria-pressed', String(i === seed));
  };
  const buttons = cell.seeds.map((seed, i) => {
    const button = el('button', { type: 'button', className: 'seed', title: 'show the command that repeats it' }, seed);
    button.addEventListener('click', () => show(i));
    return button;
  });
  show(start);
  const rows = cell.seeds.map((_, i) => [buttons[i]!, ...shown.map((one) => valueText(cell.values[one]![i]!))]);
  const caption = `${cell.seeds.length} seeds: ${group}`;
  return [
    el('h2', {}, place.join(', ')),
    command,
    table(caption, ['seed', ...shown.map((one) => headerOf(metrics[one]!))], rows),
  ];
}

function worstSeed({ metrics }: SweepView, { values }: CellData, metric: number): number {
  const sign = metrics[metric]!.better === 'lower' ? 1 : -1;
  let worst = 0;
  for (const [i, value] of values[metric]!.entries()) {
    if (value !== null && sign * value > sign * (values[metric]![worst] ?? sign * Number.NEGATIVE_INFINITY)) worst = i;
  }
  return worst;
}
