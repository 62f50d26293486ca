/** Debian's Chromium, driven by playwright-core, which gives each start a profile of its own and removes it. */
import { chromium, type Page } from "playwright-core";

/** Nothing that calls home, and nothing that needs privileges. */
const flags = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** What a page is looked at with. */
export interface Look {
  readonly width?: number;
  readonly height?: number;
  readonly dark?: boolean;
  /** Off: a browser with JavaScript switched off. */
  readonly scripts?: boolean;
}

/** A page whose errors and console messages are collected. */
export interface TestPage {
  readonly page: Page;
  readonly complaints: string[];
  /** Closes it, with its cookies. */
  close(): Promise<void>;
}

/** A running browser. */
export interface TestBrowser {
  /** A page with cookies of its own. */
  page(look?: Look): Promise<TestPage>;
  close(): Promise<void>;
}

/** Starts the browser at `path`. */
export async function openBrowser(path: string): Promise<TestBrowser> {
  const browser = await chromium.launch({ executablePath: path, args: flags });
  return {
    async page(look = {}) {
      const context = await browser.newContext({
        viewport: { width: look.width ?? 1280, height: look.height ?? 720 },
        colorScheme: look.dark === true ? "dark" : "light",
        javaScriptEnabled: look.scripts ?? true,
      });
      const page = await context.newPage();
      const complaints: string[] = [];
      page.on("pageerror", (error) => complaints.push(String(error)));
      page.on("console", (message) => {
        if (message.type() === "error" || message.type() === "warning") complaints.push(message.text());
      });
      return { page, complaints, close: () => context.close() };
    },
    close: () => browser.close(),
  };
}
