/** What was refused, in Spanish, by its code, with the value that it is about. */
import type { Words } from "./words.ts";

/** Un valor, con un espacio delante si lo hay. */
const con = (value: string | undefined) => (value === undefined ? "" : ` ${value}`);

export const spanishErrors: Words["errors"] = {
  "bad-json": () => "la línea no es un objeto JSON",
  "bad-utf8": () => "la línea no es UTF-8 válido",
  "unknown-type": () => "el servidor no conoce esta orden; quizá es de una versión anterior",
  "hello-first": () => "el servidor aún no sabe quién eres; conecta de nuevo",
  "already-hello": () => "el servidor ya sabe quién eres; usa /nick para cambiarlo",
  "bad-nick": (nick) => `el nombre${con(nick)} no sirve: de 1 a 32 letras, cifras, «-» o «_»`,
  "nick-taken": (nick) => `el nombre${con(nick)} ya es de alguien, o se confunde con el de alguien`,
  "bad-room": (room) => `la sala${con(room)} no puede llamarse así: de 1 a 32 letras, cifras, «-» o «_»`,
  "no-such-message": (seq) => `no existe el mensaje${con(seq)} aquí, o queda demasiado atrás`,
  "not-yours": (seq) => `el mensaje${con(seq)} no es tuyo; solo se cambian los propios`,
  "not-in-room": (room) =>
    `no estás en${room === undefined ? " esa sala" : con(room)}; entra antes con /join`,
  "no-such-nick": (nick) =>
    `nadie llamado${nick === undefined ? " así" : con(nick)} está conectado; /names muestra quién está`,
  "not-a-member": () => "ya no está en esta red",
  "not-introduced": () => "ya no vale este pase; preséntate de nuevo con /p2p",
  "relay-full": () => "hay demasiados datos en camino; espera un poco",
  "bad-text": (point) =>
    point === undefined
      ? "el texto está vacío, o tiene saltos de línea donde no puede"
      : `el texto tiene el carácter de control ${point}; quítalo y envíalo de nuevo`,
  "text-too-long": (most) => `el texto pasa del límite${con(most)}; acórtalo o divídelo`,
  "too-many-rooms": (most) =>
    `estás en demasiadas salas${most === undefined ? "" : ` (${most})`}; sal antes de una`,
  "rate-limited": () => "demasiado en poco tiempo; espera un poco y repítelo",
  forbidden: () => "solo los operadores pueden hacerlo, o el secreto no es el suyo",
  "no-such-ban": (address) => `ninguna exclusión de${con(address)}; /bans las muestra`,
  "not-banned": (address) =>
    `no se puede excluir${con(address)}: no es una red, es demasiado grande, o tiene tu propia dirección`,
  unavailable: () => "el registro no está al alcance ahora; inténtalo de nuevo",
  internal: () => "un fallo del servidor, apuntado en su registro",
  "version-mismatch": () => "el servidor habla otra versión del protocolo; actualiza rtchat",
  "line-too-long": () => "una línea de más de 64 KiB",
  "hello-timeout": () => "el servidor no supo a tiempo quién eres",
  "not-a-client": () => "el servidor tomó la conexión por otro protocolo",
  "slow-consumer": () => "la conexión leía demasiado despacio",
  "too-many-connections": () => "el servidor está lleno",
  "no-backend": () => "no hay ningún servidor tras el balanceador",
  "going-away": () => "el servidor se detiene",
  "session-lost": () => "la sesión no pudo pasar a otro servidor",
  flooding: () => "demasiadas líneas esperaban su turno",
  replaced: () => "la sesión sigue en una conexión más nueva; usa esa",
  kicked: () => "un operador terminó la sesión",
  banned: (until) =>
    until === undefined
      ? "un operador rechaza las conexiones de tu dirección"
      : `un operador rechaza las conexiones de tu dirección hasta ${until}`,
  "queue-full": () => "demasiado espera ya una respuesta; espera un poco",
  closed: () => "el chat está cerrado",
  disconnected: () => "sin conexión; inténtalo cuando vuelva",
  timeout: () => "no hubo respuesta a tiempo; inténtalo de nuevo",
  "fate-unknown": () => "la sesión se perdió: puede que el mensaje llegara o no",
};
