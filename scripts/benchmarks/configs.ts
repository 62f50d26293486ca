/** The opponents' configurations: templates in configs/, filled in and written to the run's own folder. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** What stands for `{{name}}` in a template. */
export type Values = Readonly<Record<string, string | number>>;

/**
 * Fills a template in. A line that begins with `{{#name}}` is repeated for each value of the list of that name, where
 * `{{name}}` in the singular (without the last letter) is the value and `{{number}}` counts from 1.
 * @throws when a name of the template has no value
 */
export function fill(
  template: string,
  values: Values,
  lists: Readonly<Record<string, readonly (string | number)[]>> = {},
): string {
  const one = (text: string, known: Values): string =>
    text.replaceAll(/\{\{(\w+)\}\}/g, (_, name: string) => {
      const value = known[name];
      if (value === undefined) throw new Error(`the template asks for "${name}", which has no value`);
      return String(value);
    });
  return template
    .split("\n")
    .flatMap((line) => {
      const list = /^\{\{#(\w+)\}\}/.exec(line);
      if (list === null) return [one(line, values)];
      const [mark, name = ""] = list;
      const singular = name.slice(0, -1);
      return (lists[name] ?? []).map((value, at) =>
        one(line.slice(mark.length), { ...values, number: at + 1, [singular]: value }),
      );
    })
    .join("\n");
}

/** Writes a filled template of configs/ to a folder and gives its path. @param as its name there, else the template's */
export function configure(
  folder: string,
  template: string,
  values: Values,
  lists: Readonly<Record<string, readonly (string | number)[]>> = {},
  as: string = template,
): string {
  const text = readFileSync(join(import.meta.dir, "configs", template), "utf8");
  const file = join(folder, as);
  writeFileSync(file, fill(text, { folder, ...values }, lists));
  return file;
}

const streamModule = "/usr/lib/nginx/modules/ngx_stream_module.so";

/** nginx's line that loads the stream module, where it is a file of its own (Debian); empty where it is built in. */
export function nginxModules(): string {
  return existsSync(streamModule) ? `load_module ${streamModule};` : "";
}
