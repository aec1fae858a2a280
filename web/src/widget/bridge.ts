/** The widget's calls and events on the experiment element: the same in a frame and inline. */
import type { EddyExperiment } from '../element/eddy-experiment';
import type { RunModel } from '../lib/run-model';
import type { Call, WidgetEventName, WidgetEvents, WidgetState } from './wire';

export type Emit = <N extends WidgetEventName>(name: N, detail: WidgetEvents[N]) => void;

export function stateOf(model: RunModel): WidgetState {
  const progress = model.panes[0]?.progress;
  return {
    playing: model.playing,
    steps: progress?.steps ?? 0,
    position: progress?.position ?? 0,
    fraction: progress?.fraction ?? 0,
    outcome: progress?.outcome.kind ?? 'running',
  };
}

/** Latest value of each metric, by key. */
export function metricsOf(model: RunModel): Record<string, number> {
  const latest = model.panes[0]?.latest ?? [];
  return Object.fromEntries(model.experiment.metrics.map((m, i) => [m.key, latest[i + 1] ?? Number.NaN]));
}

/** Tells what happens to the runs of `element`, until the answer is called. */
export function tellEvents(element: EddyExperiment, emit: Emit): () => void {
  let off: (() => void)[] = [];
  const follow = (model: RunModel) => {
    off.forEach((f) => f());
    let isReady = false;
    let link = '';
    let playing = false;
    let ended = false;
    let steps = -1;
    let fault = '';
    const look = () => {
      if (model.status === 'ready' && !isReady) {
        isReady = true;
        link = model.permalink;
        emit('ready', { permalink: link });
      }
      if (isReady && model.permalink !== link && !model.visiting) {
        link = model.permalink;
        emit('settings', { permalink: link });
      }
      const trouble = model.fault ?? (model.status === 'failed' ? model.notices[0] : undefined);
      if (trouble && trouble.message !== fault) emit('error', { code: trouble.code, message: trouble.message });
      fault = trouble?.message ?? '';
      const state = stateOf(model);
      if (state.playing === playing && state.steps === steps && model.ended === ended) return;
      playing = state.playing;
      steps = state.steps;
      emit('state', state);
      emit('metric', metricsOf(model));
      if (model.ended !== ended && (ended = model.ended)) emit('finished', state);
    };
    off = [model.on('settings', look), model.on('state', look), model.on('engine', look)];
    look();
  };
  const onModel = (event: Event) => follow((event as CustomEvent<RunModel>).detail);
  element.addEventListener('eddy-model', onModel);
  if (element.model) follow(element.model);
  return () => {
    element.removeEventListener('eddy-model', onModel);
    off.forEach((f) => f());
  };
}

/** Does what a host asks; the answer is that of `get`, else nothing. Throws what the host should read. */
export async function perform(element: EddyExperiment, call: Call): Promise<string | undefined> {
  const model = element.model;
  if (call.name === 'open') {
    element.permalink = call.permalink;
    return undefined;
  }
  if (!model) throw new Error('There is no experiment in this figure.');
  switch (call.name) {
    case 'play':
      if (model.ended) await model.restart();
      await model.whenReady();
      model.play();
      return undefined;
    case 'pause':
      model.pause();
      return undefined;
    case 'restart':
      await model.restart();
      return undefined;
    case 'reset':
      model.reset();
      return undefined;
    case 'get':
      return model.values.get(call.key);
    case 'set': {
      if (!model.values.has(call.key)) throw new Error(`There is no control “${call.key}”. There are: ${[...model.values.keys()].join(', ')}.`);
      await model.whenReady();
      model.set(call.key, call.text);
      await model.settled();
      const refused = model.errors.get(call.key);
      if (refused) throw new Error(refused);
      return undefined;
    }
    case 'visible':
      model.setVisible(call.visible);
      return undefined;
    case 'theme':
      return undefined;
  }
}
