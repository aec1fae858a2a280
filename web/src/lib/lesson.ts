/**
 * Lessons and guides are Markdown with five kinds of fenced blocks, one `key: value` or marked line each:
 *
 *     ```eddy                        a live figure: the permalink, then options
 *     heat-1d?scheme=euler
 *     controls: dt,points
 *     ```
 *     ```predict | question          `? text`, `- choice`, `* the right choice`, `= what is said then`
 *     ```number                      `? text`, `* 0.048 ± 5 %`, `= what is said then`
 *     ```task                        `? text`, `goal: outcome = diverged, dt > 0.01`, `answer: <permalink>`, `= …`
 *
 * A `predict` covers the figure after it until a choice is made. A `task` watches the figure before it.
 */
import { keysFromText } from './teach';

export interface Figure {
  kind: 'figure';
  permalink: string;
  controls: string;
  /** Keys of controls that are shown but fixed. */
  lock: string[];
  hide: string[];
  baseline: boolean;
  caption: string;
}
export interface Choice {
  kind: 'predict' | 'question';
  text: string;
  options: { text: string; isRight: boolean }[];
  then: string;
}
export interface NumberQuestion {
  kind: 'number';
  text: string;
  value: number;
  /** Relative tolerance. */
  tolerance: number;
  then: string;
}
export interface Condition {
  /** `outcome`, a metric's key, or a control's key. */
  name: string;
  relation: '=' | '<' | '>' | '<=' | '>=';
  value: string;
}
export interface Task {
  kind: 'task';
  text: string;
  goal: Condition[];
  /** A permalink that reaches the goal when it is run to its end: for the tests. */
  answer: string;
  then: string;
}
export type Block = { kind: 'text'; text: string } | Figure | Choice | NumberQuestion | Task;

const FENCE = /^```(eddy|predict|question|number|task)\n([\s\S]*?)^```$/gm;

export function blocksFromMarkdown(source: string): Block[] {
  const blocks: Block[] = [];
  let at = 0;
  for (const match of source.matchAll(FENCE)) {
    const before = source.slice(at, match.index).trim();
    if (before) blocks.push({ kind: 'text', text: before });
    blocks.push(blockFromLines(match[1]!, match[2]!.split('\n').map((l) => l.trim()).filter(Boolean)));
    at = match.index + match[0].length;
  }
  const rest = source.slice(at).trim();
  if (rest) blocks.push({ kind: 'text', text: rest });
  return blocks;
}

function blockFromLines(kind: string, lines: string[]): Block {
  const option = (key: string) => lines.find((l) => l.startsWith(`${key}:`))?.slice(key.length + 1).trim() ?? '';
  const marked = (mark: string) => lines.filter((l) => l.startsWith(`${mark} `)).map((l) => l.slice(2));
  const text = marked('?').join(' ');
  const then = marked('=').join(' ');
  switch (kind) {
    case 'eddy':
      return { kind: 'figure', permalink: lines[0] ?? '', controls: option('controls') || 'none', lock: keysFromText(option('lock')), hide: keysFromText(option('hide')), baseline: option('baseline') !== 'off', caption: option('caption') };
    case 'number': {
      const match = /^([-+.\deE]+)\s*±\s*([\d.]+)\s*%$/.exec(marked('*')[0] ?? '');
      if (!match) throw new Error(`A number question needs a line “* value ± percent %”: ${text}`);
      return { kind: 'number', text, value: Number(match[1]), tolerance: Number(match[2]) / 100, then };
    }
    case 'task':
      return { kind: 'task', text, then, answer: option('answer'), goal: option('goal').split(',').map(conditionFromText) };
    default: {
      const options = lines.filter((l) => /^[-*] /.test(l)).map((l) => ({ text: l.slice(2), isRight: l.startsWith('* ') }));
      if (options.filter((o) => o.isRight).length !== 1) throw new Error(`A question needs exactly one right choice: ${text}`);
      return { kind: kind === 'predict' ? 'predict' : 'question', text, options, then };
    }
  }
}

function conditionFromText(text: string): Condition {
  const match = /^([\w-]+)\s*(<=|>=|=|<|>)\s*(\S+)$/.exec(text.trim());
  if (!match) throw new Error(`This is no condition: ${text}`);
  return { name: match[1]!, relation: match[2] as Condition['relation'], value: match[3]! };
}

/** Whether every condition holds; `read` gives the outcome, a metric or a control, or nothing if there is none. */
export function isReached(goal: readonly Condition[], read: (name: string) => string | number | undefined): boolean {
  return goal.every(({ name, relation, value }) => {
    const is = read(name);
    if (is === undefined) return false;
    if (relation === '=') return typeof is === 'number' ? is === Number(value) : is === value;
    const [a, b] = [Number(is), Number(value)];
    return relation === '<' ? a < b : relation === '>' ? a > b : relation === '<=' ? a <= b : a >= b;
  });
}
