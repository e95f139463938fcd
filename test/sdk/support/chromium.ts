import { existsSync } from 'node:fs';
import { type Browser, chromium } from 'playwright-core';

const PATHS = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

/** The browser of the machine. @throws {Error} that says how to get one: a test that needs it fails without */
export async function startChromium(): Promise<Browser> {
  const executablePath = process.env.NACRE_CHROMIUM ?? PATHS.find((path) => existsSync(path));
  if (executablePath === undefined) {
    throw new Error(`There is no browser at ${PATHS.join(', ')}: apt-get install chromium, or set NACRE_CHROMIUM to the path of one.`);
  }
  // Chromium's own sandbox does not work for root, as who tests run in containers; what is opened here comes from this repository.
  return chromium.launch({ executablePath, args: ['--no-sandbox'] });
}
