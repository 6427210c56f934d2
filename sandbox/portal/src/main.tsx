import '@mantine/core/styles.css';
import '@mantine/dates/styles.css';
import '@mantine/notifications/styles.css';
import './global.css';
import { MantineProvider } from '@mantine/core';
import { Notifications } from '@mantine/notifications';
import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { RouterProvider } from '@tanstack/react-router';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { ApiError } from './api/client';
import { preload, router } from './router';
import { SessionProvider } from './session/session';
import { theme } from './theme';

const client = new QueryClient({
  defaultOptions: {
    queries: {
      // The server says what changes; nothing needs to be asked for again just because time passes.
      staleTime: 60_000,
      refetchOnWindowFocus: false,
      // What the server refuses stays refused; a server that is being started again comes back.
      retry: (count, error) => (!(error instanceof ApiError) || error.status === 0) && count < 3,
    },
  },
});

const root = document.getElementById('root');
if (root === null) throw new Error('index.html has no #root.');
createRoot(root).render(
  <StrictMode>
    <MantineProvider theme={theme} defaultColorScheme="auto">
      <Notifications position="bottom-right" />
      <QueryClientProvider client={client}>
        <SessionProvider>
          <RouterProvider router={router} />
        </SessionProvider>
      </QueryClientProvider>
    </MantineProvider>
  </StrictMode>,
);

window.addEventListener('load', preload);
