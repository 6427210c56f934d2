import { useEffect } from 'react';

/** The title of the browser's window. */
export function usePageTitle(title: string): void {
  useEffect(() => {
    document.title = `${title} · Port sandbox`;
  }, [title]);
}
