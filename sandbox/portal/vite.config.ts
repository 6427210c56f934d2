import react from '@vitejs/plugin-react';
import { defineConfig } from 'vitest/config';

// The sandbox's Port server: `npm run dev` shows the pages with a server that runs already.
const server = process.env.PORT_BASE_URL ?? 'http://127.0.0.1:3100';

// The server takes requests of its own pages only.
const proxied = { target: server, changeOrigin: true, headers: { origin: server } };

export default defineConfig({
  plugins: [react()],
  server: { proxy: { '/v1': proxied, '/_sandbox': proxied } },
  build: {
    // The first ones with light-dark(), which would else be written in a way that Mantine's own
    // switch of the colours does not reach.
    cssTarget: ['chrome123', 'firefox120', 'safari17.5'],
    chunkSizeWarningLimit: 700,
  },
  test: { include: ['src/**/*.test.{ts,tsx}'], restoreMocks: true },
});
