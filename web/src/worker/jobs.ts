/** Work apart from the stage: checking a claim, drawing a poster. */
import { drawPoster } from './poster';
import type { ClaimProgress, RunOptions, ToEngine, Verdict } from './protocol';
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
    return (await drawPoster(session, request)).transferToImageBitmap();
  } finally {
    session.free();
  }
}
