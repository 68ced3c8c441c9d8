/** Elements, made in one call each. */

type Props<K extends keyof HTMLElementTagNameMap> = Partial<Omit<HTMLElementTagNameMap[K], 'style' | 'attributes'>> & {
  readonly attributes?: Readonly<Record<string, string>>;
  readonly style?: string;
};

export function el<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  props: Props<K> = {},
  ...children: readonly (Node | string)[]
): HTMLElementTagNameMap[K] {
  const { attributes = {}, style, ...rest } = props as Props<'div'>;
  const element = document.createElement(tag);
  Object.assign(element, rest);
  if (style !== undefined) element.style.cssText = style;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** A choice with its label; `groups` of [value, text]. */
export function choice(
  label: string,
  groups: readonly (readonly [group: string, options: readonly (readonly [value: string, text: string])[]])[],
  chosen: string,
  onChoose: (value: string) => void,
): HTMLLabelElement {
  const options = groups.flatMap(([group, entries]) => {
    const made = entries.map(([value, text]) => el('option', { value, selected: value === chosen }, text));
    return group === '' ? made : [el('optgroup', { label: group }, ...made)];
  });
  const select = el('select', {}, ...options);
  select.addEventListener('change', () => onChoose(select.value));
  return el('label', { className: 'choice' }, el('span', {}, label), select);
}

/** A table whose first column names the rows. Texts that are numbers stand at the right. */
export function table(
  caption: string,
  header: readonly string[],
  rows: readonly (readonly (Node | string)[])[],
): HTMLElement {
  const head = el(
    'tr',
    {},
    ...header.map((text, i) => el('th', { scope: 'col', className: i === 0 ? '' : 'number' }, text)),
  );
  const body = rows.map((row) =>
    el(
      'tr',
      {},
      ...row.map((cell, i) =>
        i === 0
          ? el('th', { scope: 'row' }, cell)
          : el('td', { className: typeof cell === 'string' ? 'number' : '' }, cell),
      ),
    ),
  );
  return el(
    'div',
    { className: 'scroll', tabIndex: 0, attributes: { role: 'region', 'aria-label': caption } },
    el('table', {}, el('caption', {}, caption), el('thead', {}, head), el('tbody', {}, ...body)),
  );
}

/** What need not be seen at once. */
export function folded(summary: string, ...children: readonly (Node | string)[]): HTMLDetailsElement {
  return el('details', {}, el('summary', {}, summary), ...children);
}

/** A command with a button that copies it. */
export function commandLine(text: string, note: string): HTMLElement {
  const button = el('button', { type: 'button', className: 'copy' }, 'Copy');
  const code = el('code', {}, text);
  button.addEventListener('click', () => {
    void copy(text, code).then((done) => {
      button.textContent = done ? 'Copied' : 'Press Ctrl+C';
    });
  });
  button.addEventListener('blur', () => {
    button.textContent = 'Copy';
  });
  return el('div', { className: 'command' }, el('span', { className: 'note' }, note), el('div', {}, code, button));
}

/** Where the clipboard is out of reach, the text is selected and the old way tried. */
async function copy(text: string, code: HTMLElement): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    getSelection()?.selectAllChildren(code);
    return document.execCommand('copy');
  }
}
