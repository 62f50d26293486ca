/** The command that `rtchat up` prints for people. */
import { beforeAll, expect, test } from "bun:test";
import { plainWayIn, tlsWayIn } from "../../src/modes/up/way-in.ts";
import { type Authority, newAuthority, selfSigned } from "../support/authority.ts";

let authority: Authority;
beforeAll(async () => {
  authority = await newAuthority();
});

test("without TLS nothing is said where clients look by themselves", () => {
  expect(plainWayIn("127.0.0.1:8000")).toBe("");
  expect(plainWayIn("[::1]:8000")).toBe("--connect [::1]:8000");
});

test("with TLS the host is one that the certificate is made out for", async () => {
  const { cert } = await authority.issue(["*.example.org", "chat.example.org", "localhost"]);
  expect(tlsWayIn("127.0.0.1:8000", cert)).toBe("--connect tls://localhost:8000");
  expect(tlsWayIn("0.0.0.0:443", cert)).toBe("--connect tls://chat.example.org:443");
});

test("with one that names no host, or signed itself, the fingerprint says which it is", async () => {
  for (const one of [await authority.issue(["*.example.org"]), await selfSigned(["chat.example.org"])]) {
    expect(tlsWayIn("[::1]:8000", one.cert)).toBe(`--connect tls://[::1]:8000 --tls-pin ${one.fingerprint}`);
  }
});
