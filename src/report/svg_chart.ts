// Charts as SVG text: axes, lines, dots. No script, no font or picture from elsewhere.
import { PALETTE, type Rgb } from '../cells/palette.js';

/** Text as it may stand in HTML and SVG. */
export function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (mark) => `&#${mark.charCodeAt(0)};`);
}

export const rgb = ([r, g, b]: Rgb): string => `rgb(${r},${g},${b})`;

/** The colour and the dashes of line `i`: two ways to tell lines apart. */
export function lineStyle(i: number, color: Rgb = PALETTE[i % PALETTE.length] as Rgb): string {
  const dashes = ['', '7 3', '2 3', '9 3 2 3'][i % 4] as string;
  return `stroke="${rgb(color)}"${dashes ? ` stroke-dasharray="${dashes}"` : ''}`;
}

/** At most two digits behind the point, none that say nothing. */
export const place = (value: number): string => String(Math.round(value * 100) / 100);

export interface Axis {
  label: string;
  low: number;
  high: number;
  /** Whether only whole numbers mean anything. */
  whole?: boolean;
}

/** Round numbers from `low` to `high`, about `wanted` of them. */
export function ticks({ low, high, whole = false }: Omit<Axis, 'label'>, wanted = 5): number[] {
  const raw = whole ? Math.max(1, (high - low) / wanted) : (high - low) / wanted;
  if (!(raw > 0) || !Number.isFinite(raw)) return [low];
  const power = 10 ** Math.floor(Math.log10(raw));
  const step =
    power * ([1, 2, 2.5, 5, 10].find((factor) => factor * power >= raw * (1 - 1e-9) && !(whole && (factor * power) % 1 > 0)) as number);
  const count = Math.floor(high / step + 1e-9) - Math.ceil(low / step - 1e-9) + 1;
  return Array.from({ length: Math.max(0, count) }, (_, i) => Number(((Math.ceil(low / step - 1e-9) + i) * step).toPrecision(12)));
}

/** Where the numbers of a chart stand in its picture. */
export interface Frame {
  x(value: number): number;
  y(value: number): number;
}

export interface Chart {
  title: string;
  /** What a screen reader says of it. */
  description: string;
  x: Axis;
  y: Axis;
  /** Lines of the legend: style and text. */
  legend?: readonly (readonly [style: string, text: string])[];
  width?: number;
}

const margin = { left: 58, right: 16, top: 34, bottom: 48 };
const plotHeight = 280;
const legendLine = 20;

/** A chart with axes, ticks and legend around what `body` draws. */
export function chart({ title, description, x, y, legend = [], width = 400 }: Chart, body: (frame: Frame) => string): string {
  const plotWidth = width - margin.left - margin.right;
  const height = margin.top + plotHeight + margin.bottom + legend.length * legendLine;
  const frame: Frame = {
    x: (value) => margin.left + ((value - x.low) / (x.high - x.low || 1)) * plotWidth,
    y: (value) => margin.top + plotHeight - ((value - y.low) / (y.high - y.low || 1)) * plotHeight,
  };
  const [left, right, top, bottom] = [margin.left, margin.left + plotWidth, margin.top, margin.top + plotHeight];
  const xTicks = ticks(x).map((value) => {
    const at = place(frame.x(value));
    return `<path d="M${at} ${bottom}v5"/><text x="${at}" y="${bottom + 18}" text-anchor="middle">${value}</text>`;
  });
  const yTicks = ticks(y).map((value) => {
    const at = place(frame.y(value));
    return (
      `<path d="M${left} ${at}h-5"/><path d="M${left} ${at}H${right}" stroke="#e4e4e4"/>` +
      `<text x="${left - 8}" y="${at}" dy="0.35em" text-anchor="end">${value}</text>`
    );
  });
  const legendTexts = legend.map(([style, text], i) => {
    const at = bottom + margin.bottom + i * legendLine + 8;
    return `<path d="M${left} ${at}h28" ${style} stroke-width="2.5"/><text x="${left + 36}" y="${at}" dy="0.35em">${escaped(text)}</text>`;
  });
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" ` +
    `aria-label="${escaped(`${title}. ${description}`)}" font-family="system-ui, sans-serif" font-size="12" fill="#222">` +
    `<title>${escaped(title)}</title><desc>${escaped(description)}</desc>` +
    `<text x="${left}" y="20" font-size="15" font-weight="600">${escaped(title)}</text>` +
    `<g stroke="#555" fill="none"><g stroke-width="1">${[...yTicks, ...xTicks].join('').replaceAll('<text ', '<text stroke="none" fill="#222" ')}</g>` +
    `<path d="M${left} ${top}V${bottom}H${right}"/></g>` +
    `<text x="${(left + right) / 2}" y="${bottom + 38}" text-anchor="middle">${escaped(x.label)}</text>` +
    `<text transform="translate(16 ${(top + bottom) / 2}) rotate(-90)" text-anchor="middle">${escaped(y.label)}</text>` +
    `<g fill="none">${body(frame)}${legendTexts.join('').replaceAll('<text ', '<text fill="#222" ')}</g></svg>`
  );
}

/** A line through points; it breaks where a number is missing. */
export function polyline({ x, y }: Frame, xs: readonly number[], ys: readonly number[], style: string): string {
  let path = '';
  let pen = 'M';
  xs.forEach((value, i) => {
    const height = ys[i] as number;
    if (!Number.isFinite(value) || !Number.isFinite(height)) {
      pen = 'M';
      return;
    }
    path += `${pen}${place(x(value))} ${place(y(height))}`;
    pen = 'L';
  });
  return `<path d="${path}" ${style} stroke-width="2" stroke-linejoin="round"/>`;
}

/** Pictures of `chart` beside each other, as one on white. */
export function sideBySide(pictures: readonly string[]): string {
  let width = 0;
  let height = 0;
  const parts = pictures.map((picture) => {
    const [, own = '0', high = '0'] = /viewBox="0 0 ([\d.]+) ([\d.]+)"/.exec(picture) ?? [];
    const placed = picture.replace('<svg ', `<svg x="${place(width)}" y="0" `);
    width += Number(own);
    height = Math.max(height, Number(high));
    return placed;
  });
  const size = `width="${place(width)}" height="${place(height)}"`;
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${place(width)} ${place(height)}" ${size}>` +
    `<rect ${size} fill="#fff"/>${parts.join('')}</svg>\n`
  );
}
