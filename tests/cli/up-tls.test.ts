/** `rtchat up` with TLS: the certificate is the balancer's alone, and the command that is printed gets a person in. */
import { beforeAll, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Authority, type Issued, newAuthority, selfSigned } from "../support/authority.ts";
import { openLab, type Running } from "../support/lab.ts";

const lab = openLab();
let authority: Authority;
let folder: string;
beforeAll(async () => {
  authority = await newAuthority();
  folder = await lab.folder();
  writeFileSync(join(folder, "ca.pem"), authority.cert);
});

/** The flags for a pair, in files of its own. */
function flagsFor(name: string, { cert, key }: Issued): string[] {
  const files = [join(folder, `${name}.pem`), join(folder, `${name}.key`)] as const;
  writeFileSync(files[0], cert);
  writeFileSync(files[1], key);
  return ["--tls-cert", files[0], "--tls-key", files[1]];
}

const up = (...flags: string[]) =>
  lab.start("up", "--servers", "1", "--port", "0", "--no-admin", "--data", join(folder, "data"), ...flags);

/** The flags of the client in the summary that a cluster has printed. */
async function hint(cluster: Running): Promise<string[]> {
  const line = await cluster.line(/^ {2}chat +rtchat client --nick YOU (.*)$/, "stderr");
  return line.split("--nick YOU ")[1]!.split(" ");
}

const send = async (...flags: string[]) =>
  (await lab.startWith({ input: "" }, "send", "--nick", "ana", ...flags, "hello")).ended();

test("people get in by the printed command, where an authority vouches for the name", async () => {
  const cluster = await up(...flagsFor("issued", await authority.issue(["localhost"])), "--tls-only");
  const { listen = "", servers = "" } = await cluster.ready();
  const flags = await hint(cluster);
  expect(flags).toEqual(["--connect", `tls://${listen.replace("127.0.0.1", "localhost")}`]);
  expect(cluster.output.stderr).toContain(`people connect to ${listen}, with TLS only\n`);
  const ca = ["--tls-ca", join(folder, "ca.pem")];
  expect(await send(...flags, ...ca)).toMatchObject({ code: 0, stderr: "" });
  expect((await send("--connect", listen)).stderr).toContain("this port takes TLS only");
  // The server itself has no certificate, and nothing that names one.
  expect((await send("--connect", servers)).code).toBe(0);
  const children = readFileSync(`/proc/${cluster.pid}/task/${cluster.pid}/children`, "utf8").split(" ");
  for (const child of children.filter(Boolean)) {
    const isServer = readFileSync(`/proc/${child}/cmdline`, "utf8").split("\0").includes("server");
    expect(readFileSync(`/proc/${child}/environ`, "utf8").includes("RTCHAT_TLS")).toBe(!isServer);
  }
  expect((await cluster.stop("SIGTERM")).code).toBe(0);
});

test("nobody vouches for one that signed itself: its fingerprint is printed, and gets people in", async () => {
  const pair = await selfSigned(["localhost"]);
  const cluster = await up(...flagsFor("self-signed", pair));
  const { listen = "" } = await cluster.ready();
  const flags = await hint(cluster);
  expect(flags).toEqual(["--connect", `tls://${listen}`, "--tls-pin", pair.fingerprint]);
  expect(cluster.output.stderr).toContain(`people connect to ${listen}, with TLS or without\n`);
  expect(await send(...flags)).toMatchObject({ code: 0, stderr: "" });
  cluster.kill("SIGHUP");
  await cluster.line(/^[\d:.]+ info {2}certificates are looked at without a signal/, "stderr");
  expect((await send("--connect", listen)).code).toBe(0);
  await cluster.stop("SIGTERM");
});

test("what will not do is said before anything starts", async () => {
  const half = await (await up("--tls-only")).ended();
  expect(half).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("rtchat up: --tls-only without a certificate\n"),
  });
  const [cert = "", , , key = ""] = flagsFor("one", await selfSigned(["localhost"]));
  const missing = await (await up(cert, join(folder, "none.pem"), "--tls-key", key)).ended();
  expect(missing.code).toBe(1);
  expect(missing.stderr).toMatch(
    /^rtchat up: cannot read .*none.pem: there is no such file; check its name\n$/,
  );
});
