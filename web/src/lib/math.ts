/** KaTeX and Markdown, loaded when the first formula or text is on the page. */
import { noChange } from 'lit';
import { Directive, directive, PartType, type ElementPart, type PartInfo } from 'lit/directive.js';
import { plainSymbol } from './format';

type Katex = typeof import('katex').default;
let katex: Promise<Katex> | undefined;
const sheet = typeof CSSStyleSheet === 'function' ? new CSSStyleSheet() : undefined;

function loadKatex(): Promise<Katex> {
  katex ??= Promise.all([
    import('katex'),
    // Font faces count only in the document; the rules are needed in each shadow tree too.
    import('katex/dist/katex.min.css'),
    import('katex/dist/katex.min.css?inline'),
  ]).then(async ([module, , rules]) => {
    // With its faces at hand a formula has its size at once.
    const faces = ['1em KaTeX_Main', 'italic 1em KaTeX_Math', '1em KaTeX_Size1', '1em KaTeX_Size2'].map((face) => document.fonts.load(face));
    await Promise.race([Promise.allSettled(faces), new Promise((late) => setTimeout(late, 1000))]);
    sheet?.replaceSync(rules.default.replace(/@font-face\s*\{[^}]*\}/g, ''));
    return module.default;
  });
  return katex;
}

function adopt(element: Element): void {
  const root = element.getRootNode();
  if (sheet && root instanceof ShadowRoot && !root.adoptedStyleSheets.includes(sheet)) root.adoptedStyleSheets.push(sheet);
}

/** Sets a formula in `element`; until KaTeX is there, and if it fails, as plain text. */
export async function setFormula(element: HTMLElement, latex: string, display = false): Promise<void> {
  element.textContent = plainSymbol(latex);
  try {
    const k = await loadKatex();
    if (element.isConnected) adopt(element);
    // Renders nodes, not text with style attributes, which a strict content security policy would refuse.
    k.render(latex, element, { displayMode: display, throwOnError: false, output: 'htmlAndMathml', strict: 'ignore' });
  } catch {
    // The plain text stays.
  }
}

class MathDirective extends Directive {
  private last = '';
  constructor(info: PartInfo) {
    super(info);
    if (info.type !== PartType.ELEMENT) throw new Error('math() stands in an element’s tag');
  }
  override render(_latex: string): typeof noChange {
    return noChange;
  }
  override update(part: ElementPart, [latex]: [string]): typeof noChange {
    if (latex !== this.last) {
      this.last = latex;
      void setFormula(part.element as HTMLElement, latex);
    }
    return noChange;
  }
}
/** `<span ${math('\\nu')}></span>` */
export const math = directive(MathDirective);

/** Loads what texts need, so that a page of them can be drawn at once. */
export async function preloadTexts(): Promise<void> {
  await Promise.all([import('marked'), loadKatex()]);
}

/** Markdown with `$…$` and `$$…$$` as DOM nodes. */
export async function setMarkdown(element: HTMLElement, text: string): Promise<void> {
  const { marked } = await import('marked');
  const formulas: { latex: string; display: boolean }[] = [];
  // Formulas first: Markdown would take their underscores for emphasis. The marker is of private-use characters.
  const withMarkers = text.replace(/\$\$([\s\S]+?)\$\$|\$([^$\n]+?(?:\n[^$\n]+?)*?)\$/g, (_, display: string | undefined, inline: string | undefined) => {
    formulas.push({ latex: (display ?? inline ?? '').trim(), display: display !== undefined });
    return `\ue000${formulas.length - 1}\ue001`;
  });
  // The texts are the catalogue's own; nothing of a visitor comes here.
  element.innerHTML = await marked.parse(withMarkers);
  const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
  const texts: Text[] = [];
  while (walker.nextNode()) if (walker.currentNode.textContent?.includes('\ue000')) texts.push(walker.currentNode as Text);
  for (const node of texts) {
    const parts = node.textContent!.split(/\ue000(\d+)\ue001/);
    const out = parts.map((part, i) => {
      if (i % 2 === 0) return document.createTextNode(part);
      const { latex, display } = formulas[Number(part)]!;
      const span = document.createElement('span');
      span.className = display ? 'formula display' : 'formula';
      if (display) span.tabIndex = 0;
      void setFormula(span, latex, display);
      return span;
    });
    node.replaceWith(...out);
  }
  for (const link of element.querySelectorAll('a')) link.rel = 'noopener';
  // What scrolls has to be reached by the keyboard.
  for (const code of element.querySelectorAll('pre')) code.tabIndex = 0;
}
