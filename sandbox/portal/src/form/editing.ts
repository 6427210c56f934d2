import { createContext } from 'react';

/**
 * Says to the dialog of an action whether an editor is open above it: Escape is then the editor's.
 */
export const EditingContext = createContext<(editing: boolean) => void>(() => undefined);
