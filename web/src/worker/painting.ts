/** What has been painted on a run: the strokes that its link brought, which come back at each start, and the visitor's own. */
import { MOST_MARKS, rounded, textFromMarks, type Mark } from '../lib/strokes';
import type { Pane } from './pane';
import type { PointerMessage } from './protocol';

export class Painting {
  private own: Mark[] = [];
  /** Something was painted that no link can hold. */
  isLost = false;
  /** The run was taken back, and what was painted later is gone once it goes on. */
  private isBack = false;
  private turn = 0;

  constructor(private given: Mark[] = []) {}

  /** A start: the link's strokes are to come, the visitor's are gone. Tells whether there were any. */
  rewind(panes: Pane[]): boolean {
    const had = this.own.length > 0 || this.isLost;
    this.own = [];
    this.isLost = false;
    this.isBack = false;
    panes.forEach((pane, i) => (pane.pending = inOrder(this.given, i)));
    return had;
  }
  /** A start of something else: no strokes. Tells whether there were any. */
  clear(panes: Pane[]): boolean {
    const had = this.given.length > 0;
    this.given = [];
    return this.rewind(panes) || had;
  }
  /** A state of the past is shown; it was kept before anything was painted at its step. */
  seek(panes: Pane[]): void {
    this.isBack = true;
    panes.forEach((pane, i) => (pane.pending = inOrder(this.given, i).filter((m) => m.at[i]! >= pane.progress.steps)));
  }
  /** The run is about to go on from where it is. Tells whether the visitor's later strokes are gone by that. */
  goOn(first: Pane): boolean {
    if (!this.isBack) return false;
    this.isBack = false;
    const before = this.own.length;
    this.own = this.own.filter((m) => m.at[0] < first.progress.steps);
    return this.own.length < before;
  }

  /** Paints on all panes; tells whether anything changed. */
  async paint(panes: Pane[], message: PointerMessage): Promise<boolean> {
    const brush = rounded(message);
    const place = brush ?? { x: message.x, y: message.y, radius: message.radius };
    let changed = false;
    for (const pane of panes) changed = (await pane.touch(message.kind, { ...message, ...place })) || changed;
    if (!changed || !panes[0]) return changed;
    const steps = panes[0].progress.steps;
    if (!brush || this.own.length + this.given.length >= MOST_MARKS) this.isLost = true;
    else {
      this.own.push({ view: message.view, field: fieldOf(panes[0].session), secondary: message.secondary, ...brush, at: [steps, panes[1]?.progress.steps ?? steps] });
    }
    return changed;
  }

  /** Its text for a link; undefined where more has happened meanwhile. */
  async text(): Promise<string | undefined> {
    const turn = ++this.turn;
    const text = this.isLost ? '' : await textFromMarks(inOrder([...this.given, ...this.own], 0));
    return turn === this.turn ? text : undefined;
  }
}

/** Before the name of a field that the control `brush` says, where there is one. */
const BRUSH = 'brush ';

/** What the brush is on: the field shown, or, where the control for that says so, another one. */
function fieldOf(session: Pane['session']): string {
  const brush = session.get('brush');
  return brush ? BRUSH + brush : (session.get('shown') ?? '');
}
/** The controls with which it is on that field. */
const controlsFor = (field: string): [string, string][] => (field.startsWith(BRUSH) ? [['brush', field.slice(BRUSH.length)]] : [['brush', ''], ['shown', field]]);

/** Sets those of the controls that say something else, and adds what they said to `undo`; throws where there is none of that name. */
function setControls(session: Pane['session'], controls: readonly [string, string][], undo: [string, string][] = []): void {
  for (const [key, text] of controls) {
    const now = session.get(key) ?? '';
    if (now === text) continue;
    session.set(key, text);
    undo.push([key, now]);
  }
}

const inOrder = (marks: readonly Mark[], pane: number): Mark[] => [...marks].sort((a, b) => a.at[pane]! - b.at[pane]!);

/** Paints what is due on a pane by now; tells whether anything was. */
export async function paintDue(pane: Pane, index: number): Promise<boolean> {
  const { session, progress, pending } = pane;
  let count = 0;
  for (const mark of pending) {
    if (mark.at[index]! > progress.steps) break;
    const undo: [string, string][] = [];
    try {
      setControls(session, controlsFor(mark.field), undo);
      await pane.touch('move', mark);
    } catch {
      // A link made by hand may name a field that is not there: that mark has nothing to be painted on.
    } finally {
      setControls(session, undo);
    }
    count++;
  }
  pending.splice(0, count);
  return count > 0;
}
