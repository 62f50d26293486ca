/** TLS from the client to the balancer and to a server, through the binary. */
import { beforeAll, expect, test } from "bun:test";
import { X509Certificate } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import { type Authority, type Issued, newAuthority } from "../support/authority.ts";
import { eventually } from "../support/deadline.ts";
import { openLab } from "../support/lab.ts";

const DAY_MS = 24 * 3_600_000;
const lab = openLab();
let authority: Authority;
let issued: Issued;
let files: Files;
let doors: Doors;

/** Where a certificate, its key and its authority's certificate are. */
interface Files {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

interface Doors {
  readonly balancer: string;
  readonly server: string;
  readonly admin: string;
}

beforeAll(async () => {
  authority = await newAuthority();
  issued = await authority.issue(["localhost"]);
  ({ files, doors } = await cluster("shared", issued));
});

/** A server and a balancer with two workers that show a certificate from files of their own. */
async function cluster(name: string, certificate: Issued): Promise<{ files: Files; doors: Doors }> {
  const folder = join(await lab.folder(), name);
  mkdirSync(folder);
  const own = { ca: join(folder, "ca.pem"), cert: join(folder, "tls.pem"), key: join(folder, "tls.key") };
  writeFileSync(own.ca, authority.cert);
  put(own, certificate);
  const common = [
    "--port",
    "0",
    "--data",
    join(folder, "data"),
    "--tls-cert",
    own.cert,
    "--tls-key",
    own.key,
  ];
  const server = await lab.start("server", ...common);
  const { listen = "", certificateUntil } = await server.ready();
  // What renews certificates often sends this; nothing ends by it.
  server.kill("SIGHUP");
  await server.line(/certificates are looked at without a signal/, "stderr");
  expect(certificateUntil).toMatch(/^\d{4}-\d\d-\d\d$/);
  const more = ["--backends", listen, "--admin", "127.0.0.1:0", "--workers", "2", "--tls-only"];
  const balancer = await lab.start("balancer", ...common, ...more);
  const { listen: door = "", admin = "" } = await balancer.ready();
  const local = (address: string): string => address.replace("127.0.0.1", "localhost");
  return { files: own, doors: { server: local(listen), balancer: local(door), admin } };
}

function put(into: Files, { cert, key }: Issued): void {
  writeFileSync(into.key, key);
  writeFileSync(into.cert, cert);
}

const send = async (...args: string[]) => {
  const client = await lab.startWith({ input: "" }, "send", ...args, "hello");
  return client.ended();
};

test("messages go through when the certificate is vouched for, or is the pinned one", async () => {
  const ways = [
    ["--nick", "ana", "--connect", `tls://${doors.balancer}`, "--tls-ca", files.ca],
    ["--nick", "bob", "--connect", doors.balancer, "--tls", "--tls-pin", issued.fingerprint],
    ["--nick", "cyd", "--connect", `tls://${doors.server}`, "--tls-ca", files.ca],
    // This one takes both.
    ["--nick", "dan", "--connect", doors.server],
  ];
  for (const { code, stderr } of await Promise.all(ways.map((way) => send(...way)))) {
    expect(stderr).toBe("");
    expect(code).toBe(0);
  }
});

test("nothing is said to whoever is not believed, and nothing is taken without TLS where it is required", async () => {
  const untrusted = await lab.startWith(
    { input: "" },
    "send",
    "--connect",
    `tls://${doors.balancer}`,
    "secret words",
  );
  await untrusted.line(
    /nobody we trust vouches for its certificate; name its authority with --tls-ca/,
    "stderr",
  );
  await untrusted.stop("SIGTERM");
  const { code, stderr } = await send("--connect", doors.balancer);
  expect(code).toBe(1);
  expect(stderr).toContain("this port takes TLS only");
});

/** The fingerprint that the balancer shows to whoever comes now, and the version of TLS it agrees to. */
function shown(
  { balancer }: Doors,
  versions: { minVersion: "TLSv1" | "TLSv1.2"; maxVersion: "TLSv1.1" | "TLSv1.3" },
): Promise<string> {
  const [host = "", port] = balancer.split(":");
  return new Promise((resolve) => {
    const socket = connectTls({ host, port: Number(port), rejectUnauthorized: false, ...versions }, () => {
      resolve(socket.getPeerCertificate().fingerprint256.replaceAll(":", "").toLowerCase());
      socket.destroy();
    });
    socket.on("error", () => resolve("refused"));
  });
}

test("TLS below 1.2 is refused", async () => {
  expect(await shown(doors, { minVersion: "TLSv1", maxVersion: "TLSv1.1" })).toBe("refused");
  expect(await shown(doors, { minVersion: "TLSv1.2", maxVersion: "TLSv1.3" })).toBe(issued.fingerprint);
});

test("a renewed certificate is shown to new clients, without a restart", async () => {
  const own = await cluster("renewed", issued);
  const renewed = await authority.issue(["localhost"]);
  put(own.files, renewed);
  await eventually(
    async () =>
      (await shown(own.doors, { minVersion: "TLSv1.2", maxVersion: "TLSv1.3" })) === renewed.fingerprint,
    () => "the new certificate",
  );
});

test("until when it is good is in health, metrics and status, also after a renewal, while nobody comes", async () => {
  const own = await cluster("ending", await authority.issue(["localhost"], 13 * DAY_MS));
  const { admin } = own.doors;
  const ask = async (path: string) => (await fetch(`http://${admin}${path}`)).text();
  const status = async (...flags: string[]) =>
    (await (await lab.start("status", "--admin", admin, ...flags)).ended()).stdout;
  const notAfter = (pem: string) => new X509Certificate(pem).validToDate;

  await eventually(
    async () => (await ask("/health")).split("in 12 d 23 h; renew it").length === 5,
    () => "a warning in the notes and in a check, of the balancer and of the server",
  );
  expect(await status()).toMatch(/: degraded [^]*\nthe certificate ends on [-\d]+, in 12 d 23 h; renew it\n/);

  const renewed = await authority.issue(["localhost"], 90 * DAY_MS);
  put(own.files, renewed);
  const seconds = notAfter(renewed.cert).getTime() / 1_000;
  await eventually(
    async () => (await ask("/metrics")).includes(`rtchat_tls_certificate_not_after_seconds ${seconds}\n`),
    () => `${seconds} in the metrics`,
  );
  // The server has the same certificate for those who come to it directly, and tells the balancer of it.
  const ofServer = new RegExp(
    `^rtchat_balancer_backend_tls_certificate_not_after_seconds\\{backend="[^"]+"\\} ${seconds}$`,
    "m",
  );
  await eventually(
    async () => ofServer.test(await ask("/metrics")),
    () => `${seconds} of the server in the metrics`,
  );
  expect(await status()).toMatch(
    /: all well [^]*\ncertificate until [-\d]+, 89 d 23 h from now\n[^]*\n {2}certificate until [-\d]+, 89 d 23 h from now\n/,
  );
  const certificate = { notAfter: notAfter(renewed.cert).toISOString() };
  expect(JSON.parse(await status("--json"))).toMatchObject({ certificate, backends: [{ certificate }] });
});

test.each([
  [["--tls-only"], 2, "--tls-only without a certificate"],
  [["--tls-cert", "x.pem"], 2, "--tls-cert without --tls-key"],
  [["--tls-key", "x.key"], 2, "--tls-key without --tls-cert"],
  [
    ["--tls-cert", "missing.pem", "--tls-key", "missing.key"],
    1,
    "cannot read missing.pem: there is no such file",
  ],
] as const)("a server with %p does not start", async (flags, code, message) => {
  const server = await lab.startWith({ input: "" }, "server", "--port", "0", ...flags);
  const ended = await server.ended();
  expect(ended.code).toBe(code);
  expect(ended.stderr).toContain(message);
});
