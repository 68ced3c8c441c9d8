/** Writing what `--html` and `--csv` name. */

import { accessSync, constants } from 'node:fs';
import { dirname } from 'node:path';
import { writeHtmlReport } from '../report/html-report.ts';
import type { ReportView } from '../report/report-data.ts';
import { writeWhole } from '../report/write-whole.ts';
import { UsageError } from './command.ts';

/** Throws UsageError when nothing can be written there: better known before an hour of runs than after it. */
export function checkPlace(option: string, file: string | undefined): void {
  if (file !== undefined) attempt(option, file, () => accessSync(dirname(file), constants.W_OK));
}

/** Writes a page with these views. Throws UsageError when it cannot. */
export function writeHtml(option: string, file: string, views: readonly ReportView[]): void {
  const title = views.length === 1 ? views[0]!.title : `${views.length} results`;
  attempt(option, file, () => writeHtmlReport(file, { schema: 'tickwire-report/1', title, views }));
}

/** Writes a text. Throws UsageError when it cannot. */
export function writeText(option: string, file: string, text: string): void {
  attempt(option, file, () => writeWhole(file, text));
}

function attempt(option: string, file: string, write: () => void): void {
  try {
    write();
  } catch (error) {
    throw new UsageError(`${option} ${file} cannot be written: ${(error as Error).message}`);
  }
}
