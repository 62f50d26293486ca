/** Which room a key leads to: the next, one by its number, one with news, or the one before this one. */
import type { ChatModel } from "../model/chat-model.ts";
import type { RoomModel } from "../model/room-model.ts";

export class RoomSwitch {
  readonly #model: ChatModel;
  /** Names of rooms that were in front, the latest last, each once. */
  #visited: string[] = [];

  constructor(model: ChatModel) {
    this.#model = model;
  }

  /** The room in front is about to be another one. */
  leaving(name: string): void {
    this.#visited = [...this.#visited.filter((one) => one !== name), name];
  }

  /** The one that was in front before this one. */
  back(): RoomModel | undefined {
    const { rooms, active } = this.#model;
    const listed = new Map(rooms.map((room) => [room.name, room]));
    const name = this.#visited.findLast((one) => one !== active.name && listed.has(one));
    return name === undefined ? undefined : listed.get(name);
  }

  /** The neighbour in the list, which has no ends. */
  step(by: 1 | -1): RoomModel | undefined {
    const { rooms, active } = this.#model;
    return rooms[(rooms.indexOf(active) + by + rooms.length) % rooms.length];
  }

  /** The room at a place, from 1; Alt+0 is the tenth. */
  numbered(key: string): RoomModel | undefined {
    const digit = /^alt-(\d)$/.exec(key)?.[1];
    return digit === undefined ? undefined : this.#model.rooms[(Number(digit) + 9) % 10];
  }

  /** The next room where somebody spoke to one, else the next with anything unread. */
  unread(): RoomModel | undefined {
    const { rooms, active } = this.#model;
    const at = rooms.indexOf(active);
    const round = [...rooms.slice(at + 1), ...rooms.slice(0, at)].filter(({ muted }) => !muted);
    return round.find((room) => room.mentions > 0) ?? round.find(({ unread }) => unread > 0);
  }
}
