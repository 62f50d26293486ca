/**
 * The picture on the terminal, by Ink: one line of text a row, and the cursor where the person types. Everything that
 * decides anything is elsewhere; Ink compares the rows with those on the screen and writes what changed.
 */
import { Box, Text, render, useCursor } from "ink";
import type { Instance } from "ink";
import { memo, useSyncExternalStore } from "react";
import type { ReactNode } from "react";
import { toAnsi } from "../text/ansi.ts";
import type { TerminalAbilities } from "../text/ansi.ts";
import type { ScreenController } from "./controller.ts";

const Line = memo(function Line({ text }: { readonly text: string }): ReactNode {
  // An empty Text has no height; a space has.
  return <Text wrap="truncate">{text === "" ? " " : text}</Text>;
});

interface ScreenProps {
  readonly controller: ScreenController;
  readonly abilities: TerminalAbilities;
}

function Screen({ controller, abilities }: ScreenProps): ReactNode {
  const frame = useSyncExternalStore(controller.subscribe, controller.picture);
  const { setCursorPosition } = useCursor();
  setCursorPosition(frame.cursor);
  return (
    <Box flexDirection="column" height={frame.rows.length}>
      {frame.rows.map((row, index) => (
        // A row is its place on the screen and nothing else.
        // oxlint-disable-next-line react/no-array-index-key
        <Line key={index} text={toAnsi(row, abilities)} />
      ))}
    </Box>
  );
}

/** Draws until unmounted, on the alternate screen. */
export function mountScreen(
  controller: ScreenController,
  abilities: TerminalAbilities,
  stdout: NodeJS.WriteStream,
): Instance {
  return render(<Screen controller={controller} abilities={abilities} />, {
    stdout,
    alternateScreen: true,
    incrementalRendering: true,
    exitOnCtrlC: false,
    patchConsole: false,
    // What is typed must be seen within a picture's time; the controller holds back what others do.
    maxFps: 120,
  });
}
