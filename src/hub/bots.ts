/**
 * Sessions of programs, which nobody sits at: somebody's script that says one thing and goes, or reads along.
 *
 * A session is one by its name, for its whole life. So every store, event and hand-over knows it without a field, no two
 * servers can disagree, and a server that has never heard of bots carries it along.
 */

/** Names of connections are UUIDs, which never end so. */
const MARK = "-bot";

/** The name of a session that begins with this connection. */
export function sessionNameOf(connection: string, bot: boolean): string {
  return bot ? connection + MARK : connection;
}

/** Whether a session, by its name, is a program's. */
export function isBot(session: string): boolean {
  return session.endsWith(MARK);
}

/** `{bot: true}`, or nothing. */
export function botField(session: string): { readonly bot?: true } {
  return isBot(session) ? { bot: true } : {};
}
