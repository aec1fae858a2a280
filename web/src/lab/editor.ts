/** The editor of equations: CodeMirror with the language's colours, completion, and errors under their characters. */
import { autocompletion, closeBrackets, completionKeymap, type CompletionContext } from '@codemirror/autocomplete';
import { defaultKeymap, history, historyKeymap } from '@codemirror/commands';
import { HighlightStyle, StreamLanguage, bracketMatching, syntaxHighlighting } from '@codemirror/language';
import { setDiagnostics, type Diagnostic } from '@codemirror/lint';
import { EditorState } from '@codemirror/state';
import { EditorView, drawSelection, keymap, lineNumbers } from '@codemirror/view';
import { tags } from '@lezer/highlight';
import type { FormError } from './facts';

export interface Completion {
  label: string;
  detail: string;
  kind: 'function' | 'constant' | 'variable';
}

let names = new Map<string, Completion['kind']>();
let completions: Completion[] = [];

const language = StreamLanguage.define({
  name: 'equations',
  token(stream) {
    if (stream.match(/^(#|\/\/).*/)) return 'comment';
    if (stream.match(/^(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?/)) return 'number';
    if (stream.match(/^"[^"]*"?/)) return 'string';
    const word = stream.match(/^[\p{L}_][\p{L}\p{N}_'′]*/u) as RegExpMatchArray | null;
    if (word) {
      const text = word[0];
      if (text === 'in') return 'keyword';
      if (/_(t|tt)$/.test(text)) return 'propertyName';
      const kind = names.get(text);
      return kind === 'function' ? 'keyword' : kind === 'constant' ? 'atom' : kind === 'variable' ? 'variableName' : null;
    }
    stream.next();
    return null;
  },
});

const colours = HighlightStyle.define([
  { tag: tags.comment, color: 'var(--ink-faint)' },
  { tag: tags.number, color: 'var(--warn)' },
  { tag: tags.string, color: 'var(--ink-soft)' },
  { tag: tags.keyword, color: 'var(--accent)' },
  { tag: tags.atom, color: 'var(--good)' },
  { tag: tags.propertyName, color: 'var(--ink)', fontWeight: '600' },
]);

const look = EditorView.theme({
  '&': { fontSize: '14px', color: 'var(--ink)', backgroundColor: 'var(--surface)' },
  '&.cm-focused': { outline: '2px solid var(--accent)', outlineOffset: '-1px' },
  '.cm-scroller': { fontFamily: 'var(--font-mono)', lineHeight: '1.6' },
  '.cm-content': { padding: '10px 0', caretColor: 'var(--ink)', minHeight: '120px' },
  '.cm-cursor': { borderLeftColor: 'var(--ink)' },
  '.cm-gutters': { backgroundColor: 'var(--surface)', color: 'var(--ink-faint)', border: 'none' },
  '.cm-selectionBackground, &.cm-focused .cm-selectionBackground': { backgroundColor: 'var(--accent-soft) !important' },
  '.cm-tooltip': { backgroundColor: 'var(--surface)', color: 'var(--ink)', border: '1px solid var(--line-strong)', borderRadius: 'var(--radius)' },
  '.cm-tooltip-autocomplete ul li[aria-selected]': { backgroundColor: 'var(--accent-soft)', color: 'var(--ink)' },
  '.cm-diagnostic-error': { borderLeftColor: 'var(--stop)' },
  '.cm-diagnosticAction': { backgroundColor: 'var(--ink)', color: 'var(--paper)' },
  '.cm-lintRange-error': { backgroundImage: 'none', textDecoration: 'underline wavy var(--stop)', textUnderlineOffset: '4px' },
});

function complete(context: CompletionContext) {
  const word = context.matchBefore(/[\p{L}_][\p{L}\p{N}_]*/u);
  if (!word || (word.from === word.to && !context.explicit)) return null;
  return {
    from: word.from,
    options: completions.map((c) => ({ label: c.label, detail: c.detail === c.label ? '' : c.detail, type: c.kind })),
    validFor: /^[\p{L}_][\p{L}\p{N}_]*$/u,
  };
}

export interface Editor {
  text(): string;
  /** Replaces the text unless it is the same. */
  setText(text: string): void;
  setErrors(errors: FormError[]): void;
  setCompletions(list: Completion[]): void;
  replace(start: number, end: number, text: string): void;
  select(start: number, end: number): void;
  destroy(): void;
}

export function makeEditor(parent: HTMLElement, text: string, label: string, changed: (text: string) => void): Editor {
  let quiet = false;
  const view = new EditorView({
    parent,
    state: EditorState.create({
      doc: text,
      extensions: [
        lineNumbers(),
        history(),
        drawSelection(),
        bracketMatching(),
        closeBrackets(),
        language,
        syntaxHighlighting(colours),
        autocompletion({ override: [complete], icons: false }),
        keymap.of([...completionKeymap, ...defaultKeymap, ...historyKeymap]),
        EditorView.lineWrapping,
        EditorView.contentAttributes.of({ 'aria-label': label, spellcheck: 'false', autocapitalize: 'off' }),
        EditorView.updateListener.of((update) => {
          if (update.docChanged && !quiet) changed(update.state.doc.toString());
        }),
        look,
      ],
    }),
  });
  return {
    text: () => view.state.doc.toString(),
    setText(next) {
      if (view.state.doc.toString() === next) return;
      quiet = true;
      view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: next } });
      quiet = false;
    },
    setErrors(errors) {
      const { length } = view.state.doc;
      const marks = errors.map((e): Diagnostic => {
        const from = Math.min(e.start, length);
        const { replacement } = e;
        return {
          from,
          to: Math.min(Math.max(e.end, from), length),
          severity: 'error',
          message: `${e.message} ${e.hint}`.trim(),
          actions: replacement === null ? [] : [{ name: `Use ${replacement}`, apply: (v, a, b) => v.dispatch({ changes: { from: a, to: b, insert: replacement } }) }],
        };
      });
      view.dispatch(setDiagnostics(view.state, marks));
    },
    setCompletions(list) {
      completions = list;
      names = new Map(list.map((c) => [c.label, c.kind]));
    },
    replace(start, end, insert) {
      view.dispatch({ changes: { from: start, to: end, insert } });
    },
    select(start, end) {
      view.dispatch({ selection: { anchor: start, head: end }, scrollIntoView: true });
      view.focus();
    },
    destroy: () => view.destroy(),
  };
}
