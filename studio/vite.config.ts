import { svelte } from '@sveltejs/vite-plugin-svelte'
import { defineConfig } from 'vitest/config'

// The built pages, the studio's and the listening test's, are part of the Python package: whoever installs that needs no
// Node.
export default defineConfig({
  plugins: [svelte()],
  base: './',
  build: {
    outDir: '../src/fadernets/page',
    emptyOutDir: true,
    target: 'es2022',
    chunkSizeWarningLimit: 1500,
    assetsInlineLimit: 0,
    rolldownOptions: {
      input: ['index.html', 'listen.html'],
      // Names that stay, so that a commit holds again only what changed; the server has browsers ask whether it did.
      output: {
        entryFileNames: 'assets/[name].js',
        chunkFileNames: 'assets/[name].js',
        assetFileNames: 'assets/[name][extname]',
        minifyInternalExports: false,
      },
    },
  },
  server: { proxy: { '/api': { target: 'http://127.0.0.1:8765', ws: true } } },
  test: { include: ['src/**/*.test.ts'] },
})
