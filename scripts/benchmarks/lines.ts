/** Lines of a stream of bytes, one after the other. */
export async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string, void> {
  let held = "";
  const decoder = new TextDecoder();
  for await (const chunk of stream) {
    const parts = (held + decoder.decode(chunk, { stream: true })).split("\n");
    held = parts.pop() ?? "";
    yield* parts;
  }
  if (held !== "") yield held;
}
