/** What commands may touch, where a full screen runs them. */
import type { ChatBackend } from "../backend.ts";
import type { CommandContext } from "../commands/command.ts";
import type { Words } from "../language/words.ts";
import type { ChatModel } from "../model/chat-model.ts";
import { splitText } from "../split.ts";

/** What it is made of. */
export interface ContextParts {
  readonly backend: ChatBackend;
  readonly words: Words;
  readonly model: ChatModel;
  readonly suggest: CommandContext["suggest"];
  readonly quit: () => void;
  /** Brings a room or conversation to the front. */
  readonly focus: (target: string) => void;
  /** To a message of the room in front. */
  readonly jump: (seq: number) => void;
}

/** The context for a command that is run now. */
export function contextOf({
  backend,
  words,
  model,
  suggest,
  quit,
  focus,
  jump,
}: ContextParts): CommandContext {
  const room = (wanted: string) => model.rooms.find(({ name }) => name === wanted);
  return {
    backend,
    words,
    target: model.active.name,
    focus,
    close: (conversation) => model.forget(conversation),
    say: (...lines) => {
      for (const line of lines) model.note(line);
    },
    complain: (line) => model.note(line, true),
    send: (target, text, extras) => {
      focus(target);
      for (const piece of splitText(text)) model.send(target, piece, extras);
    },
    latest: (name, fits) => room(name)?.log.latest(fits),
    isSending: (name) => room(name)?.isSending ?? false,
    jump: (_, seq) => jump(seq),
    ignore: (nick) => model.people.toggleIgnored(nick),
    highlights: model.people.highlights,
    mute: (name) => {
      const found = room(name);
      if (found !== undefined) found.muted = model.muted.toggle(name);
      return found?.muted;
    },
    spoken: model.spoken,
    showHistory: (_, messages) => jump(messages.at(-1)?.seq ?? 0),
    oldest: (name) => room(name)?.log.oldestSeq,
    suggest,
    quit,
    copyHint: words.screen.copying,
  };
}
