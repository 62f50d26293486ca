/** The table of `rtchat status`, without a balancer. */
import { describe, expect, test } from "bun:test";
import { PassThrough } from "node:stream";
import { renderStatus } from "../../src/modes/status/table.ts";
import { backendView, snapshotOf } from "../admin/fixtures.ts";

const plain = new PassThrough();

test("shows what the dashboard shows, in columns", () => {
  const drain = {
    cause: "operator" as const,
    startedAt: "2026-01-31T12:09:00.000Z",
    deadlineAt: "2026-01-31T12:11:00.000Z",
    rate: 10,
    total: 40,
    remaining: 10,
  };
  const snapshot = snapshotOf(
    [
      backendView(8001, { failures: 0, selected: 75 }),
      backendView(8002, { state: "draining", reason: "draining", selected: 25, drain, failures: 2 }),
      backendView(8003, {
        id: "10.0.0.7:8003",
        state: "down",
        reason: "L4TOUT",
        detail: "no answer within 5000 ms; check that it runs",
        selected: 0,
        failures: 0,
        lastCheck: { code: "L4TOUT", at: "2026-01-31T12:09:59.000Z", durationMs: 5_000, detail: "" },
      }),
    ],
    { sessions: { current: 1_234, max: 2_000, total: 9_999, held: 3, refused: 2 }, workers: 2 },
  );
  expect(renderStatus(snapshot, plain))
    .toBe(`rtchat balancer on 127.0.0.1:8000: degraded (up 1 h 10 min, round-robin, 2 workers)
1,234 users (most 2,000), 24 messages/s, 31 connections, 9 hand-overs, 3 waiting for a server, 2 given up, 4 refused at the door

backend         state                   sessions  chosen                    messages/s  last check
127.0.0.1:8001  up 10 min           10 (most 14)  ████████░░ 75                    8.0  L7OK 0.8 ms
127.0.0.1:8002  draining 10 min     10 (most 14)  ███░░░░░░░ 25 (2 failed)         8.0  L7OK 0.8 ms
  ███████████████░░░░░ 30 of 40 moved
10.0.0.7:8003   down L4TOUT 10 min  10 (most 14)  ░░░░░░░░░░ 0                     8.0  L4TOUT 5.0 s
  no answer within 5000 ms; check that it runs
`);
});

describe("on a terminal", () => {
  const snapshot = snapshotOf(
    [
      backendView(8001, { failures: 0, selected: 75 }),
      backendView(8003, {
        id: "[2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff]:8003",
        state: "down",
        reason: "L4TOUT",
        detail: "no answer within 5000 ms; check that it runs, and that nothing stands between",
        lastCheck: { code: "L4TOUT", at: "2026-01-31T12:09:59.000Z", durationMs: 5_000, detail: "" },
      }),
    ],
    {
      sessions: { current: 1_234, max: 2_000, total: 9_999, held: 3, refused: 2 },
      retiring: 7,
      unresolved: [
        { name: "chat.lan:8001", detail: "chat.lan does not resolve (ENOTFOUND); check the name" },
      ],
      certificate: { notBefore: "2025-12-01T00:00:00.000Z", notAfter: "2026-02-09T16:10:00.000Z" },
    },
  );
  const at = (columns: number) => renderStatus(snapshot, Object.assign(new PassThrough(), { columns }));

  test.each([130, 110, 100, 90, 80, 70, 60, 50, 40, 30, 20, 10])(
    "of %d columns no line is wider",
    (columns) => {
      const lines = at(columns).split("\n");
      expect(lines.filter((line) => Bun.stringWidth(line) > columns)).toEqual([]);
      // However narrow, who is down and how many are where.
      expect(lines.join(" ").replaceAll(/\s+/g, "")).toContain("down");
      expect(lines.join("").replaceAll(/\s+/g, "")).toContain("1,234users");
    },
  );

  test("of few columns what matters most is left", () => {
    const small = snapshotOf([backendView(8001), backendView(8002, { state: "down", reason: "L4CON" })]);
    const of = (columns: number) =>
      renderStatus(small, Object.assign(new PassThrough(), { columns })).split("\n\n")[1]?.split("\n")[0];
    expect([100, 80, 60, 40].map(of)).toEqual([
      "backend         state                  sessions  chosen                    messages/s  last check",
      "backend         state              sessions  chosen         msg/s  last check",
      "backend         state              sessions  msg/s",
      "backend         state       sessions",
    ]);
  });
});

test("shows weights, slow starts and what is wrong with a server that is up", () => {
  const snapshot = snapshotOf(
    [
      backendView(8001, { failures: 0, weight: 3, ramp: 0.25 }),
      backendView(8002, { weight: 0, detail: "of weight 0: gets nobody new" }),
    ],
    {
      sessions: { current: 1, max: 1, total: 1, held: 0, refused: 0 },
      connections: { current: 1, total: 1 },
      handovers: { in: 1, out: 1 },
      refused: { total: 0, address: 0, rate: 0, descriptors: 0 },
    },
  );
  expect(renderStatus(snapshot, plain))
    .toBe(`rtchat balancer on 127.0.0.1:8000: degraded (up 1 h 10 min, round-robin)
1 user (most 1), 16 messages/s, 1 connection, 1 hand-over

backend         state          sessions  chosen                              messages/s  last check
127.0.0.1:8001  up 10 min  10 (most 14)  █████░░░░░ 41 (weight 3)                   8.0  L7OK 0.8 ms
  starting slowly, with 25 % of its share
127.0.0.1:8002  up 10 min  10 (most 14)  █████░░░░░ 41 (weight 0, 1 failed)         8.0  L7OK 0.8 ms
  of weight 0: gets nobody new
`);
});

test("lets no foreign text command the terminal", () => {
  const odd = backendView(8001, {
    id: "x\u001b[2J",
    detail: "a\u001b]0;b\u0007\nc",
    state: "down",
    reason: "L7RSP",
  });
  const text = renderStatus(snapshotOf([odd], { listen: "l\u001b[31m" }), plain);
  expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/);
  expect(text.split("\n")).toHaveLength(7);
});

test("says so when there is nothing, or nothing yet", () => {
  const empty = snapshotOf([], {
    unresolved: [{ name: "chat.lan:8001", detail: "chat.lan does not resolve" }],
  });
  expect(renderStatus(empty, plain)).toContain("not serving");
  expect(renderStatus(empty, plain)).toContain("chat.lan does not resolve");
  const fresh = backendView(8001, { lastCheck: null, messageRates: [], selected: 0, state: "starting" });
  expect(renderStatus(snapshotOf([fresh]), plain)).toContain("none yet");
});

test("says until when the certificate is good, and that it should have been renewed", () => {
  const line = (notAfter: string) =>
    renderStatus(
      snapshotOf([backendView(8001)], { certificate: { notBefore: "2025-12-01T00:00:00.000Z", notAfter } }),
      plain,
    ).split("\n")[2];
  expect(line("2026-03-01T00:10:00.000Z")).toBe("certificate until 2026-03-01, 28 d 12 h from now");
  expect(line("2026-02-09T16:10:00.000Z")).toBe("the certificate ends on 2026-02-09, in 9 d 4 h; renew it");
  expect(line("2026-01-30T16:10:00.000Z")).toBe(
    "the certificate ended on 2026-01-30, clients refuse it; renew it",
  );
});
