import { svelte } from '@sveltejs/vite-plugin-svelte'
import { defineConfig } from 'vitest/config'

// In development the API is the one of `go run ./cmd/internal/console/consoletest/serve`, or of any Quartier named by QUARTIER_URL.
const api = process.env.QUARTIER_URL ?? 'http://127.0.0.1:8099'

export default defineConfig({
  plugins: [svelte()],
  build: { target: 'es2022', modulePreload: { polyfill: false }, assetsInlineLimit: 0, chunkSizeWarningLimit: 700 },
  server: { proxy: { '/api': { target: api, changeOrigin: true }, '/healthz': api } },
  test: { include: ['src/**/*.test.ts'], environment: 'node' },
})
