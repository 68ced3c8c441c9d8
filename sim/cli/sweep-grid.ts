/** The grid of a sweep: `--grid loss=0,1,5 --grid latency=20,60`, every value of each with every value of the others. */

import { UsageError } from './command.ts';
import { type NetworkOptions, SETTINGS, type SettingName } from './network-options.ts';

/** One setting and its values. */
export interface Axis {
  readonly name: SettingName;
  readonly values: readonly number[];
}

/** Cells of a grid: more is a mistake in a list. */
const CELLS_MAX = 10_000;

/** Reads the `--grid` options. Throws UsageError. */
export function readGrid(texts: readonly string[]): Axis[] {
  const axes = texts.map(readAxis);
  for (const { name } of axes) {
    if (axes.filter((axis) => axis.name === name).length > 1) {
      throw new UsageError(`--grid ${name} is given twice: put all values into one list`);
    }
  }
  const cells = axes.reduce((product, { values }) => product * values.length, 1);
  if (cells > CELLS_MAX) throw new UsageError(`the grid has ${cells} cells: give at most ${CELLS_MAX}`);
  return axes;
}

/** All cells, the last axis changing fastest. */
export function cellsOf(axes: readonly Axis[]): Partial<NetworkOptions>[] {
  let cells: Partial<NetworkOptions>[] = [{}];
  for (const { name, values } of axes) {
    cells = cells.flatMap((cell) => values.map((value) => ({ ...cell, [name]: value })));
  }
  return cells;
}

function readAxis(text: string): Axis {
  const match = /^([a-z]+)=(.+)$/.exec(text);
  const name = match?.[1] as SettingName | undefined;
  if (match === null || name === undefined || !(name in SETTINGS)) {
    throw new UsageError(
      `--grid ${text}: give a setting and its values, such as loss=0,1,5; there is ${Object.keys(SETTINGS).join(', ')}`,
    );
  }
  const values = match[2]!.split(',').map((value) => {
    try {
      return SETTINGS[name].read(value.trim().replace(/%$/, ''));
    } catch (error) {
      throw new UsageError(`--grid ${name}: '${value}': ${(error as Error).message}`);
    }
  });
  if (new Set(values).size < values.length) throw new UsageError(`--grid ${name}: a value is there twice`);
  return { name, values };
}
