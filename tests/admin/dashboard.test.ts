/** The dashboard in a real browser, over a real balancer with backends that die and drain. */
import { afterAll, afterEach, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import type { Page } from "playwright-core";
import { type AdminServer, listenAdmin } from "../../src/admin/listen.ts";
import type { AdminOptions } from "../../src/admin/context.ts";
import { systemClock } from "../../src/protocol/clock.ts";
import { silentLogger } from "../../src/protocol/logger.ts";
import { Client, startBalancer, TestBackend } from "../balancer/cluster.ts";
import { eventually } from "../support/deadline.ts";
import { findService } from "../support/services.ts";
import { type Look, openBrowser, type TestBrowser } from "./browser.ts";
import { backendView, FakeBalancer, snapshotOf } from "./fixtures.ts";

const chromium = findService("chromium");
const TOKEN = "0123456789abcdef0123456789abcdef";
// A browser on a busy machine takes its time to start.
setDefaultTimeout(60_000);

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

let browser: TestBrowser;
beforeAll(async () => {
  if (chromium !== undefined) browser = await openBrowser(chromium);
});
afterAll(() => (chromium === undefined ? undefined : browser.close()));

async function cluster(count: number, sessions = 0) {
  const backends = Array.from({ length: count }, (_, index) => new TestBackend(`s${index + 1}`).start());
  for (const backend of backends) cleanups.push(() => backend.kill());
  const parts = await startBalancer(backends.map(({ id }) => id).join(","));
  cleanups.push(() => parts.balancer.stop());
  const up = backends.map(() => "up").join();
  await eventually(
    async () => (await parts.states()) === up,
    () => "all backends up",
  );
  const clients: Client[] = [];
  for (let turn = 0; turn < sessions; turn += 1) {
    const client = await Client.to(parts.at);
    cleanups.push(() => client.stop());
    await client.ask("hi");
    clients.push(client);
  }
  return { backends, clients, ...parts };
}

function serve(options: Omit<AdminOptions, "clock" | "logger">, port = 0): AdminServer {
  const parts = { clock: systemClock, logger: silentLogger, ...options };
  const admin = listenAdmin({ host: "127.0.0.1", port }, parts);
  cleanups.push(() => admin.stop());
  return admin;
}

async function visit(path: string, look: Look = {}) {
  const opened = await browser.page(look);
  cleanups.push(() => opened.close());
  const { page, complaints } = opened;
  const origins = new Set<string>();
  page.on("request", (request) => origins.add(new URL(request.url()).origin));
  await page.goto(path);
  return { page, complaints, origins };
}

const row = (page: Page, id: string) => page.locator(`tr.backend[data-backend="${id}"]`);
const state = (page: Page, id: string) => row(page, id).locator(".badge");
const colourOf = (page: Page, id: string): Promise<string> =>
  page.evaluate(`getComputedStyle(document.querySelector('tr[data-backend="${id}"] .badge')).color`);
const until = (page: Page, id: string, text: string, ms: number) =>
  state(page, id).filter({ hasText: text }).waitFor({ timeout: ms });

describe.skipIf(chromium === undefined)("the dashboard", () => {
  test("shows every backend and follows it: a killed one turns red within 3 s, without reload", async () => {
    const { backends, balancer } = await cluster(3, 6);
    const admin = serve({ view: balancer, control: balancer.control });
    const { page, complaints } = await visit(`http://${admin.address}/`);
    await page.evaluate("window.notReloaded = true");
    expect(await page.locator("#tile-users").textContent()).toBe("6");
    expect(await page.locator("#status").textContent()).toBe("All well");
    for (const { id } of backends) expect(await state(page, id).textContent()).toBe("up");
    const [killed, other] = backends as [TestBackend, TestBackend, TestBackend];
    const green = await colourOf(page, other.id);
    killed.kill();
    await until(page, killed.id, "down", 3_000);
    // The colour changes slowly, for the eye: wait for the last one.
    const finished = "Promise.all(document.getAnimations().map((animation) => animation.finished))";
    await page.evaluate(`${finished}.then(() => true)`);
    const colours = (await colourOf(page, killed.id)).match(/\d+/g)?.map(Number);
    const [red = 0, greenPart = 0, blue = 0] = colours ?? [];
    expect(red).toBeGreaterThan(2 * Math.max(greenPart, blue));
    expect(await colourOf(page, other.id)).toBe(green);
    expect(await row(page, killed.id).locator(".reason").textContent()).toBe("L4CON");
    expect(await page.locator("tr.note").textContent()).toContain(killed.id);
    await page.locator("#status").filter({ hasText: "Degraded" }).waitFor();
    expect(await page.locator("#tile-handovers").textContent()).toBe("2");
    killed.start();
    await until(page, killed.id, "up", 10_000);
    expect(await page.evaluate("window.notReloaded")).toBe(true);
    expect(complaints).toEqual([]);
  });

  test("drains after asking, shows the progress, and takes it back", async () => {
    const { backends, clients, balancer } = await cluster(2, 60);
    const admin = serve({ view: balancer, control: balancer.control });
    const { page, complaints } = await visit(`http://${admin.address}/`);
    const [first] = backends as [TestBackend, TestBackend];
    await row(page, first.id).getByRole("button", { name: "Drain" }).click();
    const dialog = page.getByRole("dialog");
    expect(await dialog.textContent()).toContain("Its 30 sessions move");
    await dialog.getByRole("button", { name: "Cancel" }).click();
    expect(await state(page, first.id).textContent()).toBe("up");
    // So slow that it is seen however slow the browser is; at the end those who are left go by themselves.
    await balancer.control.drain(first.id, { rate: 1 });
    await until(page, first.id, "draining", 3_000);
    const progress = page.locator("tr.note progress");
    const seen = new Set<number>();
    const look = async (): Promise<void> => void seen.add(Number(await progress.getAttribute("value")));
    await eventually(
      () => look().then(() => seen.size > 2),
      () => `the drain's progress; seen ${[...seen].join()}`,
    );
    for (const client of clients) client.stop();
    await eventually(
      () => look().then(() => seen.has(30)),
      () => `the end of the drain; seen ${[...seen].join()}`,
    );
    expect(await page.locator("tr.note").textContent()).toContain("drained");
    await row(page, first.id).getByRole("button", { name: "Set ready" }).click();
    await dialog.getByRole("button", { name: "Set ready" }).click();
    await until(page, first.id, "up", 3_000);
    await row(page, first.id).getByRole("button", { name: "Drain" }).click();
    await dialog.getByRole("button", { name: "Drain" }).click();
    await until(page, first.id, "draining", 3_000);
    expect(await dialog.isVisible()).toBe(false);
    expect(complaints).toEqual([]);
  });

  test("asks for the token when there is one, and shows what is refused", async () => {
    const fake = new FakeBalancer(snapshotOf([backendView(8001)]));
    fake.outcome = { ok: false, problem: "conflict", message: "not now, <b>please</b>" };
    const admin = serve({ view: fake, control: fake, token: TOKEN });
    const { page } = await visit(`http://${admin.address}/`);
    expect(new URL(page.url()).pathname).toBe("/login");
    await page.getByLabel("Admin token").fill("wrong");
    await page.getByRole("button", { name: "Sign in" }).click();
    expect(await page.getByRole("alert").textContent()).toBe("That is not the token.");
    await page.getByLabel("Admin token").fill(TOKEN);
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.locator("#tile-users").filter({ hasText: "30" }).waitFor();
    expect(await page.evaluate("document.cookie")).toBe("");
    // Live with the cookie, too.
    fake.current = snapshotOf([backendView(8001, { state: "ejected", reason: "ejected" })]);
    await until(page, "127.0.0.1:8001", "ejected", 3_000);
    await page.getByRole("button", { name: "Set ready" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Set ready" }).click();
    await page.getByRole("alert").filter({ hasText: "not now, <b>please</b>" }).waitFor();
    await page.getByRole("dialog").getByRole("button", { name: "Cancel" }).click();
    await page.getByRole("button", { name: "Sign out" }).click();
    expect(new URL(page.url()).pathname).toBe("/login");
  });

  test("says that it is out of date when the balancer is gone, and goes on when it is back", async () => {
    const fake = new FakeBalancer(snapshotOf([backendView(8001)]));
    const admin = serve({ view: fake, control: fake });
    const port = Number(admin.address.split(":").at(-1));
    const { page } = await visit(`http://${admin.address}/`);
    await page.locator("html.js").waitFor();
    await admin.stop();
    await page.locator("html.stale").waitFor();
    fake.current = snapshotOf([backendView(8001, { state: "down", reason: "L7TOUT" })]);
    serve({ view: fake, control: fake }, port);
    await until(page, "127.0.0.1:8001", "down", 20_000);
    expect(await page.locator("html.stale").count()).toBe(0);
  });

  test("keeps focus, and rows in place, while it changes under the hand", async () => {
    const fake = new FakeBalancer(snapshotOf([backendView(8001), backendView(8002)]));
    const admin = serve({ view: fake, control: fake });
    const { page } = await visit(`http://${admin.address}/`);
    const button = row(page, "127.0.0.1:8002").getByRole("button");
    await button.focus();
    await page.evaluate("window.before = document.activeElement");
    // A note appears above it, then a backend before it, then they go.
    const noted = backendView(8001, { state: "down", reason: "L4CON", detail: "gone" });
    fake.current = snapshotOf([backendView(8000), noted, backendView(8002, { selected: 99 })]);
    await page.getByText("99 times").waitFor();
    expect(await page.locator("tr.backend .address").allTextContents()).toEqual([
      "127.0.0.1:8000",
      "127.0.0.1:8001",
      "127.0.0.1:8002",
    ]);
    expect(await page.evaluate("document.activeElement === window.before")).toBe(true);
    fake.current = snapshotOf([backendView(8002, { selected: 100 })]);
    await page.getByText("100 times").waitFor();
    expect(await page.locator("tr.backend").count()).toBe(1);
    expect(await page.locator("tr.note").count()).toBe(0);
    expect(await page.evaluate("document.activeElement === window.before")).toBe(true);
  });

  test("fits a phone, in light and dark, and loads nothing from elsewhere", async () => {
    const views = [
      backendView(8001),
      backendView(8002, { state: "down", reason: "L4CON", detail: "x ".repeat(200) }),
    ];
    const fake = new FakeBalancer(snapshotOf(views));
    const admin = serve({ view: fake, control: fake });
    const grounds: string[] = [];
    for (const dark of [false, true]) {
      const { page, complaints, origins } = await visit(`http://${admin.address}/`, {
        width: 390,
        height: 844,
        dark,
      });
      const width = await page.evaluate("document.documentElement.scrollWidth");
      expect(width).toBeLessThanOrEqual(390);
      expect(await row(page, "127.0.0.1:8001").getByRole("button").isVisible()).toBe(true);
      grounds.push(await page.evaluate("getComputedStyle(document.body).backgroundColor"));
      expect([...origins]).toEqual([`http://${admin.address}`]);
      expect(complaints).toEqual([]);
    }
    expect(grounds[0]).not.toBe(grounds[1]);
  });

  test("is readable without JavaScript, and refreshes itself", async () => {
    const fake = new FakeBalancer(snapshotOf([backendView(8001)]));
    const admin = serve({ view: fake, control: fake });
    const { page } = await visit(`http://${admin.address}/`, { scripts: false });
    expect(await page.locator(".badge").textContent()).toBe("up");
    expect(await page.getByRole("button", { name: "Drain" }).isVisible()).toBe(false);
    fake.current = snapshotOf([backendView(8001, { state: "down", reason: "L4CON" })]);
    await page.locator(".badge").filter({ hasText: "down" }).waitFor({ timeout: 20_000 });
  });
});
