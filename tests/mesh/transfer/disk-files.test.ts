// Files on a real disk: what is there is never overwritten or followed, and every failure has a sentence.
import { afterAll, expect, test } from "bun:test";
import {
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DiskFiles } from "../../../src/mesh/transfer/disk-files.ts";

const root = mkdtempSync(join(tmpdir(), "rtchat-files-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));
let folders = 0;

/** A downloads folder that does not exist yet. */
function folder(): string {
  folders += 1;
  return join(root, String(folders), "downloads");
}

const key = "0123456789ab";
const bytesOf = (text: string): Uint8Array => Buffer.from(text);

test("a part grows, is found again by another run, and gets its name", async () => {
  const downloads = folder();
  const first = await new DiskFiles(downloads).openPart("a.txt", key, 10);
  await first.write(0, bytesOf("hello"));
  await first.close();
  expect(readdirSync(downloads)).toEqual([`a.txt.${key}.part`]);
  const second = await new DiskFiles(downloads).openPart("a.txt", key, 10);
  expect(second.size).toBe(5);
  expect(Buffer.from(await second.read(0, 100)).toString()).toBe("hello");
  await second.write(5, bytesOf("world"));
  expect(await second.finish("a.txt")).toBe(join(downloads, "a.txt"));
  expect(readFileSync(join(downloads, "a.txt"), "utf8")).toBe("helloworld");
  expect(readdirSync(downloads)).toEqual(["a.txt"]);
});

test("what is there keeps its name and content, be it a file, a folder or a dangling link", async () => {
  const downloads = folder();
  mkdirSync(join(downloads, "a (2).txt"), { recursive: true });
  writeFileSync(join(downloads, "a.txt"), "mine");
  symlinkSync(join(root, "nowhere"), join(downloads, "a (3).txt"));
  const part = await new DiskFiles(downloads).openPart("a.txt", key, 1);
  await part.write(0, bytesOf("x"));
  expect(await part.finish("a.txt")).toBe(join(downloads, "a (4).txt"));
  expect(readFileSync(join(downloads, "a.txt"), "utf8")).toBe("mine");
});

test("a part that is a symbolic link is not followed", async () => {
  const downloads = folder();
  mkdirSync(downloads, { recursive: true });
  writeFileSync(join(root, "target"), "mine");
  symlinkSync(join(root, "target"), join(downloads, `a.txt.${key}.part`));
  const opened = new DiskFiles(downloads).openPart("a.txt", key, 100);
  expect(opened).rejects.toMatchObject({ name: "FileStoreError", code: "disk" });
  await opened.catch(() => {});
  expect(readFileSync(join(root, "target"), "utf8")).toBe("mine");
});

test("a part that got its name already, when the program was killed, is not the file that has that name", async () => {
  const downloads = folder();
  mkdirSync(downloads, { recursive: true });
  writeFileSync(join(downloads, "a.txt"), "received, and written on by its owner");
  linkSync(join(downloads, "a.txt"), join(downloads, `a.txt.${key}.part`));
  const part = await new DiskFiles(downloads).openPart("a.txt", key, 8);
  await part.write(0, bytesOf("received"));
  expect(await part.finish("a.txt")).toBe(join(downloads, "a (2).txt"));
  expect(readFileSync(join(downloads, "a.txt"), "utf8")).toBe("received, and written on by its owner");
});

test("a part that is longer than the file is begun anew, and a discarded one is gone", async () => {
  const downloads = folder();
  const files = new DiskFiles(downloads);
  const first = await files.openPart("a.txt", key, 100);
  await first.write(0, bytesOf("far too much"));
  await first.close();
  const second = await files.openPart("a.txt", key, 3);
  expect(second.size).toBe(0);
  await second.write(0, bytesOf("ab"));
  await second.close();
  // Nothing is left of what was there before.
  const third = await files.openPart("a.txt", key, 3);
  expect(third.size).toBe(2);
  await third.discard();
  expect(readdirSync(downloads)).toEqual([]);
});

test("more than the disk has left is refused before a byte is asked for", async () => {
  const downloads = folder();
  const opened = new DiskFiles(downloads).openPart("a.txt", key, Number.MAX_SAFE_INTEGER);
  expect(opened).rejects.toMatchObject({ name: "FileStoreError", code: "no-space" });
  await opened.catch(() => {});
  expect(readdirSync(downloads)).toEqual([]);
});

test("what cannot be sent has a sentence", async () => {
  const files = new DiskFiles(folder());
  const missing = join(root, "missing");
  expect(files.openSource(missing)).rejects.toMatchObject({
    code: "not-found",
    message: `${missing} does not exist`,
  });
  expect(files.openSource(root)).rejects.toMatchObject({
    code: "not-a-file",
    message: `${root} is a folder; pack it into one file first`,
  });
  expect(files.openSource("/dev/null")).rejects.toMatchObject({ message: "/dev/null is not a file" });
  await Promise.allSettled([files.openSource(missing)]);
});
