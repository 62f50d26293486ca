/** After this long a wait has failed: three times what the slowest start takes on a busy machine. */
const deadlineMs = 20_000;

/** Rejects when `promise` takes longer than the deadline, saying what was waited for. */
export async function withDeadline<T>(promise: Promise<T>, describe: () => string): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => late.reject(new Error(`waited ${deadlineMs} ms for ${describe()}`)),
    deadlineMs,
  );
  try {
    return await Promise.race([promise, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Resolves as soon as `condition` holds, looking again every few milliseconds: for what announces itself by no event
 * (a file, a port, a process table).
 */
export async function eventually(
  condition: () => boolean | Promise<boolean>,
  describe: () => string,
): Promise<void> {
  let over = false;
  const watch = async () => {
    while (!over && !(await condition())) await Bun.sleep(5);
  };
  try {
    await withDeadline(watch(), describe);
  } finally {
    over = true;
  }
}
