/** Two runs side by side that have had the same time. */
import type { Pane } from './pane';

/**
 * Advances whichever pane has had less time on its own clock, metric number `clock`, to within a step of either; when one has
 * ended, the other goes on. The first goes no further than to the fraction `target` of its run; `left` says how many
 * milliseconds there are.
 */
export async function advanceByTime(
  first: Pane,
  second: Pane,
  clock: number,
  target: number,
  left: () => number,
  move: (pane: Pane, ms: number) => Promise<void>,
): Promise<void> {
  for (;;) {
    const ms = left();
    const ahead = first.clockMs(clock) - second.clockMs(clock);
    const late = !first.running || (second.running && ahead > 0);
    const [pane, other] = late ? [second, first] : [first, second];
    if (ms <= 0 || !pane.running || (pane === first && pane.progress.fraction > target)) return;
    const before = pane.progress.steps;
    await move(pane, other.running ? Math.min(ms, Math.abs(ahead) + 1) : ms);
    if (pane.progress.steps === before && pane.running) return;
  }
}
