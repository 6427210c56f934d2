import { json } from '@codemirror/lang-json';
import { yaml } from '@codemirror/lang-yaml';
import type { Diagnostic } from '@codemirror/lint';
import { lintGutter, linter } from '@codemirror/lint';
import { Compartment, EditorState } from '@codemirror/state';
import { oneDark } from '@codemirror/theme-one-dark';
import { EditorView } from '@codemirror/view';
import { useComputedColorScheme } from '@mantine/core';
import { basicSetup } from 'codemirror';
import { useEffect, useEffectEvent, useRef } from 'react';
import classes from './CodeEditor.module.css';
import type { Format } from './text';
import { parse } from './text';

interface Props {
  value: string;
  format: Format;
  /** Names the editor for those who cannot see what stands above it. */
  label: string;
  onChange?: (text: string) => void;
  height?: string;
}

const LANGUAGES = { json, yaml };
// The theme's own colours are hard to read on its own background.
const DARK = [
  EditorView.theme(
    {
      '&': { backgroundColor: '#1b1d22' },
      '.cm-gutters': { backgroundColor: '#1b1d22', color: '#a3adbd' },
    },
    { dark: true },
  ),
  oneDark,
];

function check(format: Format) {
  return linter((view): Diagnostic[] => {
    const text = view.state.doc.toString();
    if (text.trim() === '') return [];
    const found = parse(text, format);
    return found.ok ? [] : found.faults.map((fault) => ({ ...fault, severity: 'error' }));
  });
}

/** A text editor for JSON or YAML; without `onChange` it only shows. */
export function CodeEditor({ value, format, label, onChange, height }: Props) {
  const host = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView>(null);
  const theme = useRef(new Compartment());
  const dark = useComputedColorScheme('light', { getInitialValueInEffect: false }) === 'dark';
  const report = useEffectEvent((text: string) => onChange?.(text));
  const start = useEffectEvent(() => ({ value, dark }));
  const readOnly = onChange === undefined;

  useEffect(() => {
    if (host.current === null) return undefined;
    const initial = start();
    const editor = new EditorView({
      parent: host.current,
      state: EditorState.create({
        doc: initial.value,
        extensions: [
          basicSetup,
          LANGUAGES[format](),
          theme.current.of(initial.dark ? DARK : []),
          EditorView.lineWrapping,
          EditorView.contentAttributes.of({ 'aria-label': label }),
          EditorState.readOnly.of(readOnly),
          ...(readOnly ? [] : [check(format), lintGutter()]),
          EditorView.updateListener.of((update) => {
            if (update.docChanged) report(update.state.doc.toString());
          }),
        ],
      }),
    });
    view.current = editor;
    return () => editor.destroy();
  }, [format, label, readOnly]);

  useEffect(() => {
    view.current?.dispatch({ effects: theme.current.reconfigure(dark ? DARK : []) });
  }, [dark]);

  useEffect(() => {
    const editor = view.current;
    if (editor !== null && editor.state.doc.toString() !== value) {
      editor.dispatch({ changes: { from: 0, to: editor.state.doc.length, insert: value } });
    }
  }, [value]);

  return <div ref={host} className={classes.editor} style={{ height }} />;
}
