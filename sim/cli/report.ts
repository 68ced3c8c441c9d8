/** `sim report`: results that were kept, as a page for people or a table for spreadsheets. */

import { Command } from 'commander';
import { csvOf } from '../report/csv.ts';
import { UsageError } from './command.ts';
import { writeHtml, writeText } from './report-file.ts';
import { SIM } from './spoken.ts';

interface ReportOptions {
  readonly output?: string;
  readonly csv?: string;
}

export const reportCommand: Command = new Command('report')
  .description('make a page or a table of results of `sweep --out`, and of `run`, `sweep` and `compare` with --json')
  .argument('<files...>', 'results, each a view of the page')
  .option('-o, --output <file>', 'write an HTML page that needs no network')
  .option('--csv <file>', 'write a table, a row a run')
  .addHelpText(
    'after',
    '\nExamples:\n' +
      `  ${SIM} report runs.ndjson -o report.html\n` +
      `  ${SIM} report before.ndjson after.ndjson -o report.html --csv runs.csv`,
  )
  .action(report);

async function report(files: readonly string[], { output, csv }: ReportOptions): Promise<void> {
  if (output === undefined && csv === undefined) {
    throw new UsageError('what is to be written? give -o report.html, --csv runs.csv, or both');
  }
  // The checks of files take a while to load: the other commands do without them.
  const { RunFileError, readRuns } = await import('../report/read-runs.ts');
  try {
    const { views, rows } = readRuns(files);
    if (output !== undefined) writeHtml('-o', output, views);
    if (csv !== undefined) writeText('--csv', csv, csvOf(rows));
  } catch (error) {
    throw error instanceof RunFileError ? new UsageError(error.message) : error;
  }
  for (const file of [output, csv]) if (file !== undefined) process.stdout.write(`${file} written\n`);
}
