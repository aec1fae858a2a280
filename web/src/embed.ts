/** The page inside an embedding frame: `embed.html?e=<permalink>&controls=a,b&theme=dark&autoplay&aspect=16/9`. */
import './element/eddy-experiment';
import { experimentById } from './lib/catalog';
import { linkFromText } from './lib/permalink';
import { startTheme } from './lib/theme';

// The permalink holds `&` itself, so that a link pasted without encoding still means what it says: whatever is not an
// option of the frame belongs to it.
const OPTIONS = ['controls', 'theme', 'autoplay', 'aspect', 'baseline'];
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
element.aspect = query.get('aspect') ?? '';
element.autoplay = query.has('autoplay');
element.noBaseline = query.get('baseline') === 'off';
frame.append(element);

const link = document.createElement('a');
link.className = 'open-in-eddy';
link.target = '_blank';
link.rel = 'noopener';
const show = (text: string) => {
  const experiment = experimentById(linkFromText(text).id);
  document.title = experiment ? `${experiment.title} · Eddy` : 'Eddy';
  link.textContent = experiment ? `${experiment.title} · open in Eddy` : 'Open Eddy';
  link.href = experiment ? `./#/e/${text}` : './';
};
show(permalink);
element.addEventListener('eddy-settings', (event) => show((event as CustomEvent<string>).detail));
frame.append(link);
