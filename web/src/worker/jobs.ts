/** Work apart from the stage: checking a claim, drawing a poster. */
import { FieldBitmap, STAGE, drawView, type Context2d } from './draw';
import type { ClaimProgress, Progress, RunOptions, ToEngine, Verdict, ViewHeader } from './protocol';
import { engineError, loadBundle } from './wasm';

type ClaimRequest = Extract<ToEngine, { type: 'claim' }>;
type RefineRequest = Extract<ToEngine, { type: 'refine' }>;
type PosterRequest = Extract<ToEngine, { type: 'poster' }>;

/** Lets messages in between two slices. */
export const breathe = () => new Promise<void>((resolve) => setTimeout(resolve, 0));

export async function checkClaim(request: ClaimRequest, report: (progress: ClaimProgress) => void): Promise<Verdict> {
  const module = await loadBundle(request.bundle);
  const check = await module.ClaimSession.open(request.experiment, JSON.stringify(request.options));
  try {
    for (;;) {
      const progress: ClaimProgress = JSON.parse(await check.advance(80));
      report(progress);
      const verdict = check.verdict();
      if (verdict !== undefined) return JSON.parse(verdict);
      await breathe();
    }
  } finally {
    check.free();
  }
}

/** A refinement study, in slices, until it is done or `goOn` says no; the last report. */
export async function refine(request: RefineRequest, report: (progress: unknown) => void, goOn: () => boolean): Promise<unknown> {
  const module = await loadBundle(request.bundle);
  if (!module.RefineSession) throw engineError('bundle-missing', 'This bundle has no equation lab.');
  const study = module.RefineSession.open(request.form, request.dt);
  try {
    for (;;) {
      const progress: { done: boolean } = JSON.parse(study.advance(30));
      if (progress.done || !goOn()) return progress;
      report(progress);
      await breathe();
    }
  } finally {
    study.free();
  }
}

/** Runs the experiment for a while and draws it once. */
export async function renderPoster(request: PosterRequest): Promise<ImageBitmap> {
  const module = await loadBundle(request.bundle);
  const options: RunOptions = { device: 'cpu', precision: 'f64' };
  const session = await module.Session.open(request.permalink, JSON.stringify(options));
  try {
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
      await breathe();
    }
    const raw = await session.view(request.view.key);
    const header: ViewHeader = JSON.parse(raw.header);
    const canvas = new OffscreenCanvas(request.width, request.height);
    const context = canvas.getContext('2d') as Context2d | null;
    if (!context) throw engineError('canvas', 'This browser cannot draw off-screen.');
    context.fillStyle = STAGE;
    context.fillRect(0, 0, request.width, request.height);
    let [width, height] = [request.width, request.height];
    if (request.equal && header.kind !== 'empty') {
      // Cover the card: the picture keeps its proportions and overflows evenly.
      const aspect = (header.x[1] - header.x[0]) / (header.y[1] - header.y[0]);
      if (header.kind === 'field') {
        if (width / height > aspect) height = width / aspect;
        else width = height * aspect;
      } else if (width / height > aspect) width = height * aspect;
      else height = width / aspect;
    }
    const inner = new OffscreenCanvas(Math.round(width), Math.round(height));
    const innerContext = inner.getContext('2d', { alpha: false }) as Context2d | null;
    if (!innerContext) throw engineError('canvas', 'This browser cannot draw off-screen.');
    drawView(
      { context: innerContext, width: inner.width, height: inner.height, ratio: 1.5, baseline: false },
      { header, data: raw.data },
      request.view,
      new FieldBitmap(),
    );
    // Bars beside the picture continue its rim.
    context.drawImage(inner, 0, 0, 1, 1, 0, 0, request.width, request.height);
    context.drawImage(inner, (request.width - width) / 2, (request.height - height) / 2);
    return canvas.transferToImageBitmap();
  } finally {
    session.free();
  }
}
