/** Light colouring of Rust: comments, texts, numbers, keywords. No parser: one pass of a regular expression. */
import { html, type TemplateResult } from 'lit';

const TOKEN =
  /(\/\/[^\n]*)|("(?:\\.|[^"\\])*")|\b(\d[\d_.]*(?:e[+-]?\d+)?(?:f32|f64|u32|usize)?)\b|\b(as|async|await|break|const|continue|else|enum|fn|for|if|impl|in|let|loop|match|mod|move|mut|pub|ref|return|self|Self|static|struct|super|trait|type|use|where|while|crate|dyn|true|false)\b/g;
const CLASSES = ['comment', 'text', 'digit', 'word'];

export function highlightRust(code: string): TemplateResult[] {
  const out: TemplateResult[] = [];
  let at = 0;
  for (const match of code.matchAll(TOKEN)) {
    if (match.index > at) out.push(html`${code.slice(at, match.index)}`);
    const kind = CLASSES[match.slice(1).findIndex((group) => group !== undefined)];
    out.push(html`<span class=${`t-${kind}`}>${match[0]}</span>`);
    at = match.index + match[0].length;
  }
  out.push(html`${code.slice(at)}`);
  return out;
}
