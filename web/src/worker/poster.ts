/** A still of a run: what the gallery's cards, the previews of links and a widget before it loads show. */
import { FieldBitmap, STAGE, drawView, type Context2d } from './draw';
import type { DrawSpec, Progress, ViewHeader } from './protocol';

export interface PosterSpec {
  view: DrawSpec;
  /** Milliseconds of computing at most. */
  milliseconds: number;
  /** Moment of the run that is drawn, as a part of it. */
  fraction: number;
  width: number;
  height: number;
  /** Whether both axes measure the same, so that the picture keeps its proportions. */
  equal: boolean;
}
interface Runs {
  progress(): string;
  advance(budgetMs: number, maxSteps: number): Promise<string>;
  view(key: string): Promise<{ header: string; data: Float32Array }>;
}

/** Runs `session` up to the moment, as far as the time allows, and draws it. The site's build calls it too. */
export async function drawPoster(session: Runs, request: PosterSpec): Promise<OffscreenCanvas> {
  let spent = 0;
  let steps = 1;
  let progress: Progress = JSON.parse(session.progress());
  while (progress.outcome.kind === 'running' && progress.fraction < request.fraction && spent < request.milliseconds) {
    const started = performance.now();
    const before = progress;
    progress = JSON.parse(await session.advance(20, steps));
    spent += performance.now() - started;
    const perStep = (progress.fraction - before.fraction) / Math.max(1, progress.steps - before.steps);
    // Close to the wanted moment, no further than it; a run without an end goes on for its time.
    steps = perStep > 0 ? Math.max(1, Math.floor((request.fraction - progress.fraction) / perStep)) : 0;
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  const raw = await session.view(request.view.key);
  const header: ViewHeader = JSON.parse(raw.header);
  const canvas = new OffscreenCanvas(request.width, request.height);
  const context = canvas.getContext('2d') as Context2d | null;
  if (!context) throw new Error('This browser cannot draw off-screen.');
  context.fillStyle = STAGE;
  context.fillRect(0, 0, request.width, request.height);
  let [width, height] = [request.width, request.height];
  if (request.equal && header.kind !== 'empty') {
    // Cover the card: the picture keeps its proportions and overflows evenly.
    const aspect = (header.x[1] - header.x[0]) / (header.y[1] - header.y[0]);
    if (header.kind === 'field' || header.kind === 'volume') {
      if (width / height > aspect) height = width / aspect;
      else width = height * aspect;
    } else if (width / height > aspect) width = height * aspect;
    else height = width / aspect;
  }
  const inner = new OffscreenCanvas(Math.round(width), Math.round(height));
  const innerContext = inner.getContext('2d', { alpha: false }) as Context2d | null;
  if (!innerContext) throw new Error('This browser cannot draw off-screen.');
  drawView(
    { context: innerContext, width: inner.width, height: inner.height, ratio: 1.5, baseline: false },
    { header, data: raw.data },
    request.view,
    new FieldBitmap(),
  );
  // Bars beside the picture continue its rim.
  context.drawImage(inner, 0, 0, 1, 1, 0, 0, request.width, request.height);
  context.drawImage(inner, (request.width - width) / 2, (request.height - height) / 2);
  return canvas;
}
