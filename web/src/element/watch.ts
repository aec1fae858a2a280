/** Redraws an element when the run model it shows changes. */
import type { ReactiveController, ReactiveControllerHost } from 'lit';
import type { RunModel, Topic } from '../lib/run-model';

export class Watch implements ReactiveController {
  private off: (() => void)[] = [];
  private model: RunModel | undefined;

  constructor(
    private host: ReactiveControllerHost & { model?: RunModel },
    private topics: Topic[],
    private then: () => void = () => host.requestUpdate(),
  ) {
    host.addController(this);
  }
  hostUpdate(): void {
    if (this.model !== this.host.model) this.attach();
  }
  hostConnected(): void {
    this.attach();
  }
  hostDisconnected(): void {
    this.off.forEach((f) => f());
    this.off = [];
    this.model = undefined;
  }
  private attach(): void {
    this.off.forEach((f) => f());
    this.model = this.host.model;
    this.off = this.model ? this.topics.map((topic) => this.model!.on(topic, this.then)) : [];
  }
}
