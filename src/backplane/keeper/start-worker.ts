/**
 * Starts a worker thread of the keeper, from source and from the compiled binary.
 *
 * In the binary, workers are entry points of their own beside main (scripts/build lists them), each under the path it
 * has below src, while this module is part of some bundle at the root; so its own URL says nothing there.
 */

/** Which thread. */
export type WorkerName = "keeper" | "checkpoint" | "search";

const paths: Record<WorkerName, { readonly source: URL; readonly compiled: string }> = {
  keeper: {
    source: new URL("./worker.ts", import.meta.url),
    compiled: "./backplane/keeper/worker.js",
  },
  checkpoint: {
    source: new URL("./checkpoint/worker.ts", import.meta.url),
    compiled: "./backplane/keeper/checkpoint/worker.js",
  },
  search: {
    source: new URL("./search/worker.ts", import.meta.url),
    compiled: "./backplane/keeper/search/worker.js",
  },
};

/** A new thread; its errors are the caller's to listen for. */
export function startWorker(name: WorkerName): Worker {
  const { source, compiled } = paths[name];
  const url = Bun.main.startsWith("/$bunfs/") ? new URL(compiled, `file:///$bunfs/root/`) : source;
  return new Worker(url.href, { name: `rtchat ${name}` });
}
