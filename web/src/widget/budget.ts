/**
 * What the figures of one page share: at most two run at a time, and at most four hold an engine. A figure that plays
 * because its reader said so takes the place of the one that has played longest; one that would start by itself waits.
 */
export interface Member {
  /** Stops a run that must make room. */
  hold(): void;
  /** Starts the run that was waiting. */
  proceed(): void;
  /** Gives the engine back; a still takes its place. */
  unload(): void;
  /** Whether some of it is on the screen. */
  readonly inSight: boolean;
}

export class Budget {
  /** Runs at a time. */
  running = 2;
  /** Engines at a time. */
  engines = 4;
  private playing: Member[] = [];
  private waiting: Member[] = [];
  private loaded: Member[] = [];

  /** Whether a run that starts by itself may start now; if not, `proceed` is called when it may. */
  ask(member: Member): boolean {
    if (this.playing.includes(member)) return true;
    if (this.playing.length < this.running) {
      this.note(member);
      return true;
    }
    if (!this.waiting.includes(member)) this.waiting.push(member);
    return false;
  }

  /** The reader has started `member`. */
  note(member: Member): void {
    this.waiting = this.waiting.filter((m) => m !== member);
    if (this.playing.includes(member)) return;
    this.playing.push(member);
    while (this.playing.length > this.running) this.playing.shift()!.hold();
  }

  /** `member` no longer runs or waits. */
  release(member: Member): void {
    this.waiting = this.waiting.filter((m) => m !== member);
    const before = this.playing.length;
    this.playing = this.playing.filter((m) => m !== member);
    if (this.playing.length < before) this.fill();
  }

  private fill(): void {
    while (this.playing.length < this.running) {
      const next = this.waiting.shift();
      if (!next) return;
      this.playing.push(next);
      next.proceed();
    }
  }

  /** Room for one more engine; `urgent`: the reader asked, so a figure in sight may have to give up its own. */
  load(member: Member, urgent = false): boolean {
    if (this.loaded.includes(member)) return true;
    while (this.loaded.length >= this.engines) {
      const given =
        this.loaded.find((m) => !m.inSight) ?? (urgent ? (this.loaded.find((m) => !this.playing.includes(m)) ?? this.loaded[0]) : undefined);
      if (!given) return false;
      this.forget(given);
      given.unload();
    }
    this.loaded.push(member);
    return true;
  }

  /** `member` is gone. */
  forget(member: Member): void {
    this.loaded = this.loaded.filter((m) => m !== member);
    this.release(member);
  }
}

/** One for the page, also where two copies of this module are on it. */
const shared = globalThis as { __eddyBudget?: Budget };
export const budget: Budget = (shared.__eddyBudget ??= new Budget());
