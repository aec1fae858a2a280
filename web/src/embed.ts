/**
 * The page inside an embedding frame: `embed.html?e=<permalink>&controls=a,b&lock=c&hide=d&theme=dark&autoplay&aspect=16/9`. With
 * `origin=<the host's>` the host can play, set and read it by messages (widget/wire.ts); without, it hears nobody.
 */
import './element/eddy-experiment';
import { experimentById } from './lib/catalog';
import { linkFromText } from './lib/permalink';
import { experimentHref } from './lib/router';
import { keysFromText, searchFromTeaching } from './lib/teach';
import { setTheme, startTheme } from './lib/theme';
import { perform, tellEvents } from './widget/bridge';
import { WIRE, callFromData, targetOf, type FromFrame } from './widget/wire';

// The permalink holds `&` itself, so that a link pasted without encoding still means what it says: whatever is not an
// option of the frame belongs to it.
const OPTIONS = ['controls', 'lock', 'hide', 'theme', 'autoplay', 'aspect', 'baseline', 'origin'];
const query = new URLSearchParams(location.search);
let permalink = query.get('e') ?? '';
for (const [key, value] of query) {
  if (key !== 'e' && !OPTIONS.includes(key)) permalink += `${permalink.includes('?') ? '&' : '?'}${key}=${encodeURIComponent(value)}`;
}

startTheme(query.get('theme'));
const frame = document.querySelector('#frame')!;
const element = document.createElement('eddy-experiment');
element.permalink = permalink;
element.controls = query.get('controls') ?? 'none';
element.lock = keysFromText(query.get('lock'));
element.hide = keysFromText(query.get('hide'));
element.aspect = query.get('aspect') ?? '';
element.autoplay = query.has('autoplay');
element.noBaseline = query.get('baseline') === 'off';
const link = document.createElement('a');
link.className = 'open-in-eddy';
link.target = '_blank';
link.rel = 'noopener';
// The page that the link opens locks and hides the same.
const search = searchFromTeaching({ lock: element.lock, hide: element.hide, present: false, ask: undefined });
const show = (text: string) => {
  const experiment = experimentById(linkFromText(text).id);
  document.title = experiment ? `${experiment.title} · Eddy` : 'Eddy';
  link.textContent = experiment ? `${experiment.title} · open in Eddy` : 'Open Eddy';
  link.href = experiment ? `./${search}${experimentHref(text)}` : './';
};
show(permalink);

const host = query.get('origin');
if (host && window.parent !== window) {
  const post = (message: FromFrame) => window.parent.postMessage(message, targetOf(host));
  tellEvents(element, (event, detail) => post({ eddy: WIRE, event, detail }));
  window.addEventListener('message', (event) => {
    if (event.source !== window.parent || event.origin !== host) return;
    const asked = callFromData(event.data);
    if (!asked) return;
    const { id, call } = asked;
    if (call.name === 'theme') setTheme(call.theme);
    void perform(element, call).then(
      (value) => post(value === undefined ? { eddy: WIRE, reply: id } : { eddy: WIRE, reply: id, value }),
      (thrown) => post({ eddy: WIRE, failure: id, message: thrown instanceof Error ? thrown.message : String(thrown) }),
    );
  });
}
element.addEventListener('eddy-settings', (event) => show((event as CustomEvent<string>).detail));
frame.append(element, link);
