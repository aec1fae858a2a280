/** A host page with twenty widgets; `?inline` shows them without frames. */
const IDS = ['gray-scott', 'heat-1d', 'burgers-1d', 'wave-2d', 'deis'];
const figures = document.querySelector('#figures')!;
const isInline = new URLSearchParams(location.search).has('inline');
for (let i = 0; i < 20; i++) {
  const figure = document.createElement('eddy-experiment');
  figure.setAttribute('experiment', IDS[i % IDS.length]!);
  figure.setAttribute('label', `Figure ${i + 1}`);
  figure.toggleAttribute('autoplay', true);
  figure.setAttribute('baseline', 'off');
  if (isInline) figure.toggleAttribute('inline', true);
  const caption = document.createElement('p');
  caption.textContent = `Figure ${i + 1}.`;
  figure.append(caption);
  figures.append(figure);
}
const script = document.createElement('script');
script.type = 'module';
script.src = new URL('../widget.js', location.href).href;
document.head.append(script);
export {};
