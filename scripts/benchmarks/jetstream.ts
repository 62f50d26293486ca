/** The few words of NATS that set a JetStream stream up. */

const GIVE_UP_MS = 30_000;
const ASK_AGAIN_MS = 250;

/** Asks for a file stream over all rooms until the server (or its cluster, once it has elected a leader) grants it. */
export async function createStream(port: number): Promise<void> {
  const config = { name: "rooms", subjects: ["room.*"], storage: "file", retention: "limits" };
  const request = JSON.stringify(config);
  const deadline = performance.now() + GIVE_UP_MS;
  let answer = "";
  while (!answer.includes('"config"')) {
    if (performance.now() > deadline) throw new Error(`JetStream did not create the stream: ${answer}`);
    answer = "";
    const socket = await Bun.connect({
      hostname: "127.0.0.1",
      port,
      socket: {
        data(_, chunk) {
          answer += chunk.toString();
        },
      },
    });
    socket.write(
      `CONNECT {"verbose":false}\r\nSUB answer 1\r\nPUB $JS.API.STREAM.CREATE.rooms answer ${request.length}\r\n${request}\r\n`,
    );
    await Bun.sleep(ASK_AGAIN_MS);
    socket.end();
  }
}
