/** Small line charts as SVG text, without a library: axes, lines, points, a legend. */

export interface ChartSeries {
  name: string;
  points: readonly { x: number; y: number }[];
  /** `step`: a distribution; `line`: points that are joined; `points`: only the points. */
  style: 'step' | 'line' | 'points';
}

export interface ChartOptions {
  title: string;
  xTitle: string;
  yTitle: string;
  /** Logarithmic from this value on; what lies below is drawn at it. Linear where missing. */
  xLogFrom?: number;
  yLogFrom?: number;
  series: readonly ChartSeries[];
}

const WIDTH = 760;
const HEIGHT = 420;
const LEFT = 64;
const RIGHT = 230;
const TOP = 40;
const BOTTOM = 52;

/** Told apart by people who do not see all colours (Okabe and Ito 2008), and by dashes when there are more. */
const COLOURS = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9', '#000000'];
const DASHES = ['', '6 3', '2 3'];

export function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}

interface Axis {
  /** Share of the axis, 0 to 1. */
  place(value: number): number;
  ticks: number[];
}

function logAxis(from: number, highest: number): Axis {
  const low = Math.log10(from);
  const high = Math.max(low + 1, Math.ceil(Math.log10(Math.max(highest, from)) - 1e-9));
  const ticks: number[] = [];
  for (let power = Math.ceil(low - 1e-9); power <= high; power++) ticks.push(10 ** power);
  return { place: (value) => (Math.log10(Math.max(value, from)) - low) / (high - low), ticks };
}

/** Ends on a round number; five ticks or so. */
function linearAxis(highest: number): Axis {
  const rough = Math.max(highest, 1e-6) / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = ([1, 2, 5, 10].find((factor) => factor * power >= rough) ?? 10) * power;
  const count = Math.max(1, Math.ceil(highest / step - 1e-9));
  return {
    place: (value) => value / (count * step),
    ticks: Array.from({ length: count + 1 }, (_, index) => index * step),
  };
}

function tickText(value: number): string {
  return value >= 1000 ? value.toLocaleString('en') : String(Number(value.toPrecision(3)));
}

export function chart(options: ChartOptions): string {
  const points = options.series.flatMap((series) => series.points);
  const highestX = Math.max(0, ...points.map((point) => point.x));
  const highestY = Math.max(0, ...points.map((point) => point.y));
  const xAxis = options.xLogFrom === undefined ? linearAxis(highestX) : logAxis(options.xLogFrom, highestX);
  const yAxis = options.yLogFrom === undefined ? linearAxis(highestY) : logAxis(options.yLogFrom, highestY);
  const x = (value: number): string => (LEFT + xAxis.place(value) * (WIDTH - LEFT - RIGHT)).toFixed(1);
  const y = (value: number): string => (HEIGHT - BOTTOM - yAxis.place(value) * (HEIGHT - TOP - BOTTOM)).toFixed(1);
  const lines = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12">`,
    `<title>${escapeXml(options.title)}</title>`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>`,
    `<text x="${LEFT}" y="22" font-size="15">${escapeXml(options.title)}</text>`,
  ];
  for (const tick of xAxis.ticks) {
    lines.push(
      `<line x1="${x(tick)}" x2="${x(tick)}" y1="${TOP}" y2="${HEIGHT - BOTTOM}" stroke="#ddd"/>`,
      `<text x="${x(tick)}" y="${HEIGHT - BOTTOM + 16}" text-anchor="middle">${tickText(tick)}</text>`,
    );
  }
  for (const tick of yAxis.ticks) {
    lines.push(
      `<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${y(tick)}" y2="${y(tick)}" stroke="#ddd"/>`,
      `<text x="${LEFT - 6}" y="${Number(y(tick)) + 4}" text-anchor="end">${tickText(tick)}</text>`,
    );
  }
  const middle = (LEFT + WIDTH - RIGHT) / 2;
  const centre = (TOP + HEIGHT - BOTTOM) / 2;
  lines.push(
    `<text x="${middle}" y="${HEIGHT - 12}" text-anchor="middle">${escapeXml(options.xTitle)}</text>`,
    `<text transform="rotate(-90 16 ${centre})" x="16" y="${centre}" text-anchor="middle">${escapeXml(options.yTitle)}</text>`,
  );
  options.series.forEach((series, index) => {
    const colour = COLOURS[index % COLOURS.length];
    const dash = DASHES[Math.floor(index / COLOURS.length) % DASHES.length];
    const stroke = `fill="none" stroke="${colour}" stroke-width="2"${dash === '' ? '' : ` stroke-dasharray="${dash}"`}`;
    const drawn = series.points.map((point) => ({ x: x(point.x), y: y(point.y) }));
    if (series.style !== 'points' && drawn.length > 0) {
      const path = drawn.map((point, number) => {
        if (number === 0) return `M${point.x} ${point.y}`;
        return series.style === 'step' ? `H${point.x}V${point.y}` : `L${point.x} ${point.y}`;
      });
      lines.push(`<path d="${path.join('')}" ${stroke}/>`);
    }
    if (series.style !== 'step') {
      for (const point of drawn) lines.push(`<circle cx="${point.x}" cy="${point.y}" r="3.5" fill="${colour}"/>`);
    }
    const legendY = TOP + 10 + index * 18;
    const legendX = WIDTH - RIGHT + 12;
    lines.push(
      `<path d="M${legendX} ${legendY}h22" ${stroke}/>`,
      `<text x="${legendX + 28}" y="${legendY + 4}">${escapeXml(series.name)}</text>`,
    );
  });
  lines.push('</svg>');
  return `${lines.join('\n')}\n`;
}

/** The distribution of numbers as steps: at each number the share that is at most it. */
export function distribution(name: string, numbers: readonly number[], outOf = numbers.length): ChartSeries {
  const sorted = [...numbers].sort((a, b) => a - b);
  const points = sorted.map((x, index) => ({ x, y: (index + 1) / outOf }));
  return { name, points: [{ x: sorted[0] ?? 0, y: 0 }, ...points], style: 'step' };
}
