import { defineConfig } from '@playwright/test';

/** Chromium of the system. */
const browser = (...args: string[]) => ({
  executablePath: process.env.EDDY_CHROMIUM || '/usr/bin/chromium',
  ignoreDefaultArgs: ['--disable-gpu'],
  args: ['--headless=new', '--no-sandbox', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync', ...args],
});

/** What needs a GPU: it gets one in software whose canvases reach screenshots, and then paints every page with it, at half the speed. */
const ON_GPU = /(agree|failures|rest|surface|volume)\.spec\.ts| on the gpu/;

export default defineConfig({
  testDir: '../tests/web',
  // Times of the clock are taken by themselves, after everything else (`.ci/test.sh`).
  testIgnore: process.env.EDDY_PACE === 'apart' ? '**/pace.spec.ts' : [],
  outputDir: 'node_modules/.cache/playwright',
  timeout: 60_000,
  expect: { timeout: 10_000 },
  fullyParallel: true,
  workers: Number(process.env.EDDY_TEST_WORKERS ?? 2),
  // A shared machine stalls now and then; what passes at the second try is reported as flaky.
  retries: process.env.CI ? 1 : 0,
  reporter: [['list'], ['../tests/web/total.ts']],
  use: {
    viewport: { width: 1280, height: 900 },
    // Each test is a first visit that goes to the network; the spec of the service worker allows it.
    serviceWorkers: 'block',
  },
  projects: [
    { name: 'page', grepInvert: ON_GPU, use: { launchOptions: browser('--disable-gpu') } },
    {
      name: 'gpu',
      grep: ON_GPU,
      use: {
        launchOptions: browser(
          '--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader', '--enable-features=Vulkan', '--use-vulkan=swiftshader', '--use-gl=angle', '--use-angle=swiftshader',
          '--ignore-gpu-blocklist',
        ),
      },
    },
  ],
});
