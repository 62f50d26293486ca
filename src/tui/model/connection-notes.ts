/** What the screen says of the connection beyond its status line: at the beginning, and when the person has to act. */
import type { ConnectionState } from "../../client/events.ts";
import { failureIn, reasonIn } from "../language/words.ts";
import type { Words } from "../language/words.ts";

/** A line, and whether it is something that went wrong. */
export interface ConnectionNote {
  readonly text: string;
  readonly warning: boolean;
}

export class ConnectionNotes {
  readonly #words: Words;
  #wasOnline = false;
  /** The person knows that the nick is tried again. */
  #nickHeld = false;

  constructor(words: Words) {
    this.#words = words;
  }

  /** What is to be said of a state that the connection has just come to. */
  news(connection: ConnectionState, nick: string): readonly ConnectionNote[] {
    const words = this.#words;
    switch (connection.state) {
      case "online":
        this.#wasOnline = true;
        return connection.first
          ? [{ text: words.online(connection.server, connection.nick), warning: false }]
          : [];
      case "waiting":
        return this.#waiting(connection, nick);
      case "needs-nick":
        this.#nickHeld = false;
        return [
          {
            text: words.nickRefused(failureIn(words, { ...connection, value: connection.nick })),
            warning: true,
          },
        ];
      default:
        return [];
    }
  }

  #waiting(
    connection: Extract<ConnectionState, { state: "waiting" }>,
    nick: string,
  ): readonly ConnectionNote[] {
    const words = this.#words;
    const { code, address, attempt } = connection;
    if (code === "nick-taken") {
      if (this.#nickHeld) return [];
      this.#nickHeld = true;
      return [
        { text: `${words.nickHeld(reasonIn(words, connection, nick))}; ${words.nickOther}`, warning: true },
      ];
    }
    if (this.#wasOnline || attempt !== 1) return [];
    const text = words.waiting(address, reasonIn(words, connection), words.seconds("1"));
    const more = code === "ECONNREFUSED" ? [{ text: words.startOne, warning: false }] : [];
    return [{ text, warning: true }, ...more];
  }
}
