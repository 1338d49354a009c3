// Finds the Chromium that drives the browser tests.

import { existsSync } from "node:fs";

/** Where the systems install it; CHROMIUM_PATH goes before all of them. */
const USUAL_PLACES = [
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
  "/Applications/Chromium.app/Contents/MacOS/Chromium",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
  "C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe",
];

/** One line for those who have none. */
export const HOW_TO_GET_CHROMIUM =
  "install it (Debian: `apt-get install chromium`) or set CHROMIUM_PATH to a Chromium or Chrome";

/** @returns {string | undefined} */
export function findChromium() {
  const chosen = process.env.CHROMIUM_PATH;
  return (chosen ? [chosen] : USUAL_PLACES).find((path) => existsSync(path));
}
