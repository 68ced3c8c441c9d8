/** Names of hosts by a pattern: `client-3`, `client-*`, `client-[0..9]`. */

/** Whether a name is meant. `*`: any letters, `?`: one, `[a..b]`: a number from a to b. */
export function globMatcher(glob: string): (name: string) => boolean {
  const ranges: (readonly [number, number])[] = [];
  const source = glob.replace(/\[(\d+)\.\.(\d+)\]|[*?]|[^*?]/gs, (part, from?: string, to?: string) => {
    if (part === '*') return '.*';
    if (part === '?') return '.';
    if (from === undefined) return part.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');
    ranges.push([Number(from), Number(to)]);
    return '(0|[1-9]\\d*)';
  });
  const pattern = new RegExp(`^${source}$`, 's');
  return (name) => {
    const match = pattern.exec(name);
    return (
      match !== null && ranges.every(([from, to], i) => Number(match[i + 1]) >= from && Number(match[i + 1]) <= to)
    );
  };
}
