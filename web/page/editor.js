// The editor: CodeMirror with Python, a marked line for errors, and Escape then Tab to leave it.
import { closeBrackets, closeBracketsKeymap } from "@codemirror/autocomplete";
import {
  defaultKeymap, history, historyKeymap, indentWithTab,
} from "@codemirror/commands";
import { python } from "@codemirror/lang-python";
import {
  bracketMatching, HighlightStyle, indentOnInput, indentUnit, syntaxHighlighting,
} from "@codemirror/language";
import { EditorState, Prec, StateEffect, StateField } from "@codemirror/state";
import {
  Decoration, drawSelection, EditorView, highlightActiveLine, highlightActiveLineGutter,
  highlightSpecialChars, keymap, lineNumbers,
} from "@codemirror/view";
import { tags } from "@lezer/highlight";

const COLOURS = [ // by what a reader tells apart: names of its own colour stand in the style sheet
  [[tags.comment], "comment"],
  [[tags.string, tags.special(tags.string)], "string"],
  [[tags.number, tags.bool, tags.null], "number"],
  [[tags.keyword, tags.operatorKeyword, tags.definitionKeyword, tags.controlKeyword,
    tags.moduleKeyword, tags.self], "keyword"],
  [[tags.function(tags.definition(tags.variableName)), tags.definition(tags.className)], "made"],
];
const highlight = HighlightStyle.define(
  COLOURS.flatMap(([found, name]) => found.map((tag) => ({ tag, class: `code-${name}` }))));

const mark = StateEffect.define();

// The place of a column of characters, from 1, in a line: JavaScript counts some of them twice.
const placeIn = ({ from, text }, column) => (
  from + [...text].slice(0, Math.max(column - 1, 0)).join("").length);
const wrong = StateField.define({
  create: () => Decoration.none,
  update(marks, change) {
    const asked = change.effects.find((effect) => effect.is(mark));
    if (asked) return asked.value;
    return change.docChanged ? Decoration.none : marks;
  },
  provide: (field) => EditorView.decorations.from(field),
});

// An editor inside of `parent`: `typed` is called when the reader changes the text, `run` at
// Ctrl-Enter, and `refused` with the length that a text of more than `most` characters would have.
export function editor(parent, { typed, run, refused, most }) {
  const fits = EditorState.changeFilter.of(({ newDoc, startState }) => {
    const isFit = newDoc.length <= Math.max(most, startState.doc.length);
    if (!isFit) refused(newDoc.length);
    return isFit;
  });
  const extensions = [
    Prec.highest(keymap.of([{ key: "Mod-Enter", run: () => { run(); return true; } }])),
    lineNumbers(), highlightActiveLine(), highlightActiveLineGutter(), highlightSpecialChars(),
    history(), drawSelection(), indentOnInput(), bracketMatching(), closeBrackets(), python(),
    indentUnit.of("    "), EditorState.tabSize.of(4), EditorView.lineWrapping, wrong, fits,
    syntaxHighlighting(highlight),
    keymap.of([...closeBracketsKeymap, ...defaultKeymap, ...historyKeymap, indentWithTab]),
    EditorView.contentAttributes.of({
      "aria-label": "Program in Python", "aria-describedby": "leave", spellcheck: "false",
      tabindex: "0",
    }),
    EditorView.updateListener.of((update) => {
      const byReader = update.transactions.some((t) => t.docChanged);
      if (byReader) typed(update.state.doc.toString());
    }),
  ];
  const fresh = (doc) => EditorState.create({ doc, extensions });
  const view = new EditorView({ parent, state: fresh("") });

  return {
    text: () => view.state.doc.toString(),
    show: (text) => view.setState(fresh(text)), // with a history of its own
    clear: () => view.dispatch({ effects: mark.of(Decoration.none) }),
    // Marks a line, and the columns of it that are wrong (from 1; 0 where they are not known).
    mark({ line, column, end }) {
      if (line < 1 || line > view.state.doc.lines) return;
      const found = view.state.doc.line(line), { from, to } = found;
      const marks = [Decoration.line({ class: "wrong-line" }).range(from)];
      const first = placeIn(found, column), last = Math.max(placeIn(found, end), first + 1);
      if (column && last <= to) marks.push(Decoration.mark({ class: "wrong" }).range(first, last));
      view.dispatch({
        effects: [mark.of(Decoration.set(marks)), EditorView.scrollIntoView(from, { y: "center" })],
      });
    },
    // The cursor to a line with this text, the nearest one where lines came or went meanwhile, and
    // the keyboard to the editor; false where no line has it any more.
    go({ line, column, source }) {
      const { doc } = view.state, far = (number) => Math.abs(number - line);
      let nearest = 0;
      for (let number = 1; number <= doc.lines; number++)
        if (doc.line(number).text === source && (!nearest || far(number) < far(nearest)))
          nearest = number;
      if (!nearest) return false;
      const anchor = placeIn(doc.line(nearest), column);
      view.dispatch({ selection: { anchor }, scrollIntoView: true });
      view.focus();
      return true;
    },
  };
}
