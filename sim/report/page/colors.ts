/** Colours: of the page, of lines, and of the scale from good to bad. */

export interface Theme {
  readonly dark: boolean;
  readonly text: string;
  readonly faint: string;
  readonly line: string;
  readonly surface: string;
  readonly accent: string;
  readonly bad: string;
  /** Of lines in one chart; told apart with colour-blind eyes too (after Okabe and Ito). */
  readonly series: readonly string[];
  /** From good to bad; lightness runs one way, so that it reads in grey too. */
  readonly scale: readonly string[];
}

const LIGHT: Theme = {
  dark: false,
  text: '#1d2433',
  faint: '#5b6579',
  line: '#d9dee8',
  surface: '#ffffff',
  accent: '#1f5fd0',
  bad: '#c2361c',
  series: ['#0072b2', '#d55e00', '#009e73', '#a34d84', '#8a6d00', '#3aa0d8', '#5b6579'],
  scale: ['#eef6f1', '#fbe8b4', '#f9c265', '#f08f3c', '#d9512c', '#a02142', '#561246'],
};

const DARK: Theme = {
  dark: true,
  text: '#e6eaf2',
  faint: '#9aa5b8',
  line: '#323c4e',
  surface: '#161c27',
  accent: '#79a9ff',
  bad: '#ff8a6b',
  series: ['#56b4e9', '#ff9a4d', '#2fd1a0', '#e38dc4', '#e6c84a', '#9db4ff', '#9aa5b8'],
  scale: ['#1f3a46', '#3d4470', '#70437f', '#a8487c', '#dc5f68', '#f8934f', '#fbd867'],
};

const prefersDark = matchMedia('(prefers-color-scheme: dark)');

export function theme(): Theme {
  return prefersDark.matches ? DARK : LIGHT;
}

/** Calls back when the reader changes between light and dark. */
export function onThemeChange(listener: () => void): void {
  prefersDark.addEventListener('change', listener);
}

/** The colour at `share` (0 .. 1) of a scale. */
export function colorAt(scale: readonly string[], share: number): string {
  const place = Math.min(1, Math.max(0, share)) * (scale.length - 1);
  const index = Math.min(scale.length - 2, Math.floor(place));
  const [from, to] = [channels(scale[index]!), channels(scale[index + 1]!)];
  return `#${from.map((value, i) => hex(value + (to[i]! - value) * (place - index))).join('')}`;
}

/** Black or white, whichever is read better on a colour (WCAG's relative luminance). */
export function textOn(color: string): string {
  const [r, g, b] = channels(color).map((value) => {
    const part = value / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  const luminance = 0.2126 * r! + 0.7152 * g! + 0.0722 * b!;
  return luminance > 0.18 ? '#101522' : '#ffffff';
}

function channels(color: string): number[] {
  return [1, 3, 5].map((at) => Number.parseInt(color.slice(at, at + 2), 16));
}

function hex(value: number): string {
  return Math.round(value).toString(16).padStart(2, '0');
}
