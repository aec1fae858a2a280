/** Numbers, durations and symbols as text. */

/** About `digits` significant digits, with an exponent only where it is shorter to read. */
export function numberText(value: number, digits = 3): string {
  if (Number.isNaN(value)) return '–';
  if (!Number.isFinite(value)) return value > 0 ? '∞' : '−∞';
  if (value === 0) return '0';
  const size = Math.abs(value);
  let text: string;
  if (size >= 1e6 || size < 1e-3) {
    const [mantissa = '', exponent = '0'] = value.toExponential(digits - 1).split('e');
    text = `${trimZeros(mantissa)}·10${superscript(String(Number(exponent)))}`;
    text = text.replace(/^(-?)1·/, '$1');
  } else {
    text = trimZeros(value.toPrecision(Math.max(digits, Math.ceil(Math.log10(size + 1)))));
  }
  return text.replace('-', '−');
}

/** Ends of a range with the same decimals, three digits of the larger: while the range moves, their widths stay. */
export function rangeTexts(low: number, high: number): [string, string] {
  const size = Math.max(Math.abs(low), Math.abs(high));
  const decimals = 2 - Math.floor(Math.log10(size));
  // Above and below, an exponent or a whole number is shorter.
  if (!(decimals >= 0 && decimals <= 5)) return [numberText(low), numberText(high)];
  const text = (value: number): string => (Number(value.toFixed(decimals)) === 0 ? '0' : value.toFixed(decimals).replace('-', '−'));
  return [text(low), text(high)];
}

function trimZeros(text: string): string {
  return text.includes('.') && !text.includes('e') ? text.replace(/\.?0+$/, '') : text;
}

const SUPERSCRIPTS: Record<string, string> = {
  '-': '⁻', '0': '⁰', '1': '¹', '2': '²', '3': '³', '4': '⁴', '5': '⁵', '6': '⁶', '7': '⁷', '8': '⁸', '9': '⁹',
  '+': '⁺', n: 'ⁿ', i: 'ⁱ', '(': '⁽', ')': '⁾',
};
const SUBSCRIPTS: Record<string, string> = {
  '-': '₋', '0': '₀', '1': '₁', '2': '₂', '3': '₃', '4': '₄', '5': '₅', '6': '₆', '7': '₇', '8': '₈', '9': '₉',
  '+': '₊', a: 'ₐ', e: 'ₑ', h: 'ₕ', i: 'ᵢ', j: 'ⱼ', k: 'ₖ', l: 'ₗ', m: 'ₘ', n: 'ₙ', o: 'ₒ', p: 'ₚ', r: 'ᵣ', s: 'ₛ',
  t: 'ₜ', u: 'ᵤ', v: 'ᵥ', x: 'ₓ', '(': '₍', ')': '₎',
};

function superscript(text: string): string {
  return [...text].map((c) => SUPERSCRIPTS[c] ?? c).join('');
}

/** A unit as typed, `mm^2/s`, with its powers raised. */
export function unitText(unit: string): string {
  return unit.replace(/\^([-+]?\d+)(?![\d.])/g, (_, power: string) => superscript(power)).replaceAll('*', '·');
}

const COMMANDS: Record<string, string> = {
  alpha: 'α', beta: 'β', gamma: 'γ', delta: 'δ', epsilon: 'ε', varepsilon: 'ε', zeta: 'ζ', eta: 'η', theta: 'θ',
  vartheta: 'ϑ', iota: 'ι', kappa: 'κ', lambda: 'λ', mu: 'μ', nu: 'ν', xi: 'ξ', pi: 'π', rho: 'ρ', sigma: 'σ', tau: 'τ',
  phi: 'φ', varphi: 'φ', chi: 'χ', psi: 'ψ', omega: 'ω', Gamma: 'Γ', Delta: 'Δ', Theta: 'Θ', Lambda: 'Λ', Xi: 'Ξ',
  Pi: 'Π', Sigma: 'Σ', Phi: 'Φ', Psi: 'Ψ', Omega: 'Ω', nabla: '∇', partial: '∂', infty: '∞', cdot: '·', times: '×',
  le: '≤', leq: '≤', ge: '≥', geq: '≥', approx: '≈', sim: '∼', to: '→', in: '∈', int: '∫', sum: 'Σ', prod: 'Π', sqrt: '√',
  ell: 'ℓ', pm: '±', langle: '⟨', rangle: '⟩', lVert: '‖', rVert: '‖', Vert: '‖', vert: '|', lvert: '|', rvert: '|',
  hbar: 'ℏ', Re: 'Re', Im: 'Im', mid: '|', '|': '‖', ',': ' ', ';': ' ', '!': '', ' ': ' ', quad: ' ', '%': '%',
};

/** A LaTeX symbol as plain text, for canvases and drawings where KaTeX cannot stand. */
export function plainSymbol(latex: string): string {
  let text = latex
    // A name ends before a font: \theta\mathcal L is no \thetaL.
    .replace(/(\\[A-Za-z]+)(?=\\(?:math|text|bm|bold|oper))/g, '$1 ')
    .replace(/\\(?:left|right|big|Big|bigl|bigr|displaystyle)(?![A-Za-z])/g, '')
    .replace(/\\(?:mathrm|mathbf|mathcal|operatorname|text|textrm|boldsymbol|bm|mathit)(?:\s*\{([^{}]*)\}|\s+(\S))/g, '$1$2')
    .replace(/\\[td]?frac\s*(\d)\s*(\d)/g, (_, a: string, b: string) => (a === '1' && b === '2' ? '½' : `${a}/${b}`))
    .replace(/\\(?:hat|widehat)\s*\{?(\\?[A-Za-z]+)\}?/g, '$1\u0302')
    .replace(/\\(?:bar|overline)\s*\{?(\\?[A-Za-z]+)\}?/g, '$1\u0304')
    .replace(/\\(?:tilde|widetilde)\s*\{?(\\?[A-Za-z]+)\}?/g, '$1\u0303')
    .replace(/\\[td]?frac\s*\{([^{}]*)\}\s*\{([^{}]*)\}/g, '$1/$2')
    .replace(/\\([A-Za-z]+|[^A-Za-z])/g, (_, name: string) => COMMANDS[name] ?? name);
  text = text.replace(/\^(?:\{([^{}]*)\}|(.))/g, (_, group: string | undefined, single: string | undefined) => {
    const inner = group ?? single ?? '';
    return [...inner].every((c) => c in SUPERSCRIPTS) ? superscript(inner) : `^${inner}`;
  });
  text = text.replace(/_(?:\{([^{}]*)\}|(.))/g, (_, group: string | undefined, single: string | undefined) => {
    const inner = (group ?? single ?? '').replace(/\s/g, '');
    return [...inner].every((c) => c in SUBSCRIPTS) ? [...inner].map((c) => SUBSCRIPTS[c]).join('') : ` ${inner}`;
  });
  return text.replace(/[{}]/g, '').replace(/\s+/g, ' ').trim();
}

/** `label symbol (unit)` of an axis; a symbol that only repeats the label is left out. */
export function axisText(axis: { label: string; symbol: string; unit: string }): string {
  const symbol = plainSymbol(axis.symbol);
  // “x” named “x₁”, or “y” named “x₂”, needs no two names.
  const doubled = symbol !== '' && (symbol === axis.label || axis.label.length === 1 || (axis.label.length === 2 && symbol.startsWith(axis.label)));
  const head = doubled ? symbol : symbol ? `${axis.label} ${symbol}` : axis.label;
  return axis.unit ? `${head} (${axis.unit})` : head;
}

export function durationText(seconds: number): string {
  if (!Number.isFinite(seconds)) return '';
  if (seconds < 0.95) return `${Math.max(0.1, seconds).toFixed(1)} s`;
  if (seconds < 90) return `${Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 90 ? `${minutes} min` : `${(minutes / 60).toFixed(1)} h`;
}

/** A rate with a metric prefix: “1.2 M cells/s”. */
export function rateText(perSecond: number, unit: string): string {
  if (!(perSecond > 0)) return '';
  const [scale, prefix] =
    perSecond >= 1e9 ? [1e9, ' G'] : perSecond >= 1e6 ? [1e6, ' M'] : perSecond >= 1e4 ? [1e3, ' k'] : [1, ' '];
  const value = perSecond / scale;
  return `${value >= 99.5 ? Math.round(value) : value.toPrecision(2)}${prefix}${prefix === ' ' ? '' : ' '}${unit}/s`;
}

/** Tick positions of an axis from `low` to `high`, about `count` of them, at round numbers. */
export function ticks(low: number, high: number, count: number): number[] {
  const span = high - low;
  // A span lost in rounding has no ticks, and counting through it would not end.
  if (!(span > 1e-9 * Math.max(Math.abs(low), Math.abs(high))) || !Number.isFinite(span)) return [];
  const raw = span / Math.max(1, count);
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].map((m) => m * power).find((s) => s >= raw * 0.999) ?? 10 * power;
  const out: number[] = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + span * 1e-9; i++) out.push(i * step);
  return out;
}

/** Text of a tick among others `step` apart: no more digits than the step needs. */
export function tickText(value: number, all: number[]): string {
  const step = all.length > 1 ? Math.abs(all[1]! - all[0]!) : Math.abs(value) || 1;
  const largest = Math.max(...all.map(Math.abs), step);
  if (largest >= 1e5 || largest < 1e-3) return numberText(Math.abs(value) < step * 1e-6 ? 0 : value, 2);
  const decimals = Math.max(0, Math.min(6, -Math.floor(Math.log10(step) + 1e-9)));
  const exact = (step * 10 ** decimals) % 1 > 1e-6 ? decimals + 1 : decimals;
  return (Math.abs(value) < step * 1e-6 ? 0 : value).toFixed(exact).replace('-', '−');
}

export const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
