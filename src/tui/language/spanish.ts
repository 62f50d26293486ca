/** Everything a chat screen says, in Spanish; see english.ts. */
import { spanishErrors } from "./spanish-errors.ts";
import { spanishPeers } from "./spanish-peers.ts";
import type { Words } from "./words.ts";

const personas = (count: number) => (count === 1 ? "1 persona" : `${count} personas`);
const mensajes = (count: number) => (count === 1 ? "1 mensaje" : `${count} mensajes`);

export const spanish: Words = {
  locale: "es-ES",

  connecting: (address) => `conectando con ${address}`,
  online: (server, nick) => `conectado a ${server} como ${nick}; /help muestra las órdenes`,
  onlineAgain: (server) => `conectado de nuevo, a ${server}`,
  waiting: (address, reason, seconds) =>
    `sin conexión con ${address}: ${reason}; nuevo intento en ${seconds}`,
  lost: (reason, seconds) => `se perdió la conexión: ${reason}; nuevo intento en ${seconds}`,
  seconds: (count) => `${count} s`,
  nickHeld: (message) =>
    `${message}; si era tuyo hace un momento quedará libre en 10 s: hasta entonces se intenta de nuevo`,
  nickOther: "toma otro ahora mismo con /nick NOMBRE",
  nickRefused: (message) => `${message}; elige otro con /nick NOMBRE`,
  closed: (message) => `desconectado: ${message}`,
  startOne: "inicia un chat en esta máquina con rtchat up, o indica otra dirección con --connect",

  reasons: {
    ECONNREFUSED: "nadie escucha ahí",
    ENOTFOUND: "el nombre de la máquina no se encuentra",
    EHOSTUNREACH: "no hay camino hasta allí",
    ENETUNREACH: "no hay red",
    TIMEOUT: "no hubo respuesta a tiempo",
    ENDED: "el servidor la terminó",
    NOT_RTCHAT: "allí contesta otra cosa, no rtchat",
    RESET: "se cortó",
    SILENT: "no se oyó nada durante demasiado tiempo",
    TLS_UNTRUSTED: "nadie de confianza responde por su certificado; nombra su autoridad con --tls-ca",
    TLS_HOST: "su certificado es para otro nombre",
    TLS_EXPIRED: "su certificado ha caducado",
    TLS_PIN: "su certificado no es el de --tls-pin",
    TLS_NONE: "no acepta TLS",
    TLS_FAILED: "el saludo TLS falló",
    "going-away": "el servidor para",
    "no-backend": "no hay ningún servidor detrás del balanceador",
    "too-many-connections": "el servidor está lleno",
  },

  errors: spanishErrors,

  joinedRoom: (room, members) => `estás en ${room} con ${members}`,
  alone: (room) => `estás en ${room}, por ahora sin nadie más`,
  people: personas,
  leftRoom: (room) => `has salido de ${room}`,
  came: (nick, room) => `${nick} entró en ${room}`,
  went: (nick, room) => `${nick} salió de ${room}`,
  renamed: (nick, to) => `${nick} ahora se llama ${to}`,
  youRenamed: (to) => `ahora te llamas ${to}`,
  topicIs: (room, topic) => `tema de ${room}: ${topic}`,
  noTopic: (room) => `${room} no tiene tema; ponle uno con /topic TEXTO`,
  topicSet: (by, room, topic) => `${by} puso el tema de ${room}: ${topic}`,
  topicCleared: (by, room) => `${by} quitó el tema de ${room}`,
  gap: (room) => `aquí faltan mensajes de ${room}; /history quizá los traiga`,
  gapCount: (count, room) => `aquí faltan ${mensajes(count)} de ${room}; /history quizá los traiga`,
  gapNew: (room) => `el registro de ${room} empezó de nuevo; los mensajes anteriores no están en él`,
  gapDirect: "pueden faltar mensajes directos que llegaron entretanto",
  notSent: (room, text, reason) => `no enviado a ${room}: ${text === "" ? "" : `${text}: `}${reason}`,
  goingAway: "el servidor está a punto de parar; la conexión se repone sola",
  serverSays: (message) => `servidor: ${message}`,
  youDirect: (nick) => `tú → ${nick}`,
  directYou: (nick) => `${nick} → tú`,
  now: (room) => `ahora escribes en ${room}`,

  noRoom: "no estás en ninguna sala; entra en una con /join",
  unknownCommand: (name, near) =>
    near === undefined
      ? `no existe la orden /${name}; /help muestra las que hay`
      : `no existe la orden /${name}; ¿querías decir /${near}?`,
  usage: (usage) => `se escribe así: ${usage}`,
  notIn: (room) => `no estás en ${room}`,
  members: (room, count) => `${personas(count)} en ${room}:`,
  andMore: (count) => `y ${count} más`,
  roomsHead: (count) => `${count === 1 ? "1 sala" : `${count} salas`}:`,
  noRooms: "no hay ninguna sala con gente",
  noHistory: (room) => `no hay nada anterior en ${room}`,
  historyHead: (room) => `antes en ${room}:`,
  historyEnd: "fin de los mensajes anteriores",
  noHelp: (words) => `ninguna orden tiene que ver con ${words}`,
  helpHead: "órdenes, o escribe sin más y pulsa Intro para enviar:",
  helpDirect: "una línea que empieza con dos barras se envía con una",

  pipeUnacknowledged: (count) => `${mensajes(count)} sin confirmar`,
  pipeRefused: (count) => (count === 1 ? "1 mensaje rechazado" : `${count} mensajes rechazados`),
  pipeUnread: "quien lee la salida no va al paso, y lo que espera ya es demasiado",
  pipeUnreadHint: "léela más rápido, o escribe en un archivo",
  pipeHint: "lo que no se confirmó puede enviarse otra vez; nada se dio por seguro sin serlo",
  noAnswer: (seconds) => `sin respuesta en ${seconds}`,
  held: "no hay ningún servidor detrás",
  waitingHeld: (address) => `${address} no tiene servidor ahora y guarda este puesto; esperando`,
  pipeOffline: (address, reason) => `no se puede llegar a ${address}: ${reason}`,
  pipeLost: (address, reason, seconds) => `sin conexión con ${address} desde hace ${seconds}: ${reason}`,
  pipeNothing: "no había nada que enviar",
  pipeTyped: "escribe el mensaje; Ctrl-D en una línea vacía lo envía",

  pipeTooLong: (most) => `el texto tiene más de ${most} caracteres; envíalo como archivo`,
  pipeNick: "elige otro con --nick",
  exported: (count, room) => `${mensajes(count)} de ${room}`,
  exportFailed: (room, reason) => `no se puede leer todo ${room}: ${reason}`,

  nothingToChange: "aquí no hay ningún mensaje tuyo que cambiar",
  stillSending: "tu último mensaje aún está en camino; cámbialo cuando haya llegado",
  nothingToAnswer: "aquí no hay ningún mensaje al que responder",
  fromBefore: "eso se dijo antes de que el servidor perdiera sus mensajes y ya no se puede tocar; cítalo",
  deletedText: "(mensaje borrado)",
  found: (count, looked) =>
    `${count === 1 ? "1 mensaje encontrado" : `${count} mensajes encontrados`} entre los últimos ${looked}:`,
  foundNone: (looked, more) =>
    more
      ? `nada encontrado entre los últimos ${looked} mensajes`
      : `nada encontrado en los ${looked} mensajes`,
  foundElsewhere: (room) => `tras /join ${room}, /jump NÚMERO va a uno; di más palabras para hallar menos`,
  foundMore: "/jump NÚMERO va a uno; di más palabras para encontrar menos",
  whoisHere: (nick, rooms) =>
    rooms === ""
      ? `${nick} está conectado; no compartís ninguna sala`
      : `${nick} está conectado; coincidís en ${rooms}`,
  whoisGone: (nick) => `no hay nadie conectado que se llame ${nick}`,
  kickedOut: (nick: string) => `${nick} ha sido expulsado`,
  bannedNow: (who: string) =>
    `${who} no puede conectar; /bans muestra quién no puede, /unban DIRECCIÓN lo anula`,
  banLifted: (address: string) => `${address} puede conectar de nuevo`,
  noBans: "no hay nadie excluido",
  banForGood: "para siempre",
  banUntil: (minute: string) => `hasta ${minute}`,
  banLine: (address: string, end: string, by: string, reason: string) =>
    `${address} ${end}, por ${by}${reason === "" ? "" : `: ${reason}`}`,
  deviceHow: "escribe esto en tu otro dispositivo, en el chat de rtchat client:",
  deviceSecret: "entonces ambos saben qué has leído. Quien tiene este código eres tú: no lo enseñes a nadie",
  deviceBad:
    "eso no es un código de dispositivo, o tiene una errata; /device en el otro dispositivo lo muestra",
  deviceSame: "este dispositivo es tuyo como el otro: lo que lees en uno está leído en ambos",
  youAway: (text) =>
    text === ""
      ? "estás ausente; /back o un mensaje lo termina"
      : `estás ausente: ${text}; /back o un mensaje lo termina`,
  youBack: "has vuelto",
  notAway: "no estás ausente",
  isAway: (nick, text) => (text === "" ? `${nick} no está` : `${nick} no está: ${text}`),
  nickBot: (nick) => `${nick} (bot)`,
  nickAway: (nick, text) => (text === "" ? `${nick} (ausente)` : `${nick} (ausente: ${text})`),
  ignored: (nick) => `desde ahora no lees nada de ${nick}; lo mismo otra vez lo deshace`,
  notIgnored: (nick) => `vuelves a leer a ${nick}`,
  muted: (room) => `${room} calla desde ahora; lo mismo otra vez lo deshace`,
  notMuted: (room) => `${room} vuelve a oírse`,
  highlighted: (word) => `${word} vale como tu nombre desde ahora; lo mismo otra vez lo deshace`,
  notHighlighted: (word) => `${word} vuelve a ser una palabra más`,
  highlightsHead: "valen como tu nombre:",
  noHighlights: "solo tu nombre te llama; /highlight PALABRA añade una palabra",
  noMentions: "nadie te ha hablado todavía",
  mentionsHead: "mensajes que te hablan a ti:",

  files: {
    offered: (nick: string, name: string, size: string, number: number) =>
      `${nick} ofrece ${name}, ${size}; /accept ${number} o /refuse ${number}`,
    youOffer: (nick: string, name: string, size: string, number: number) =>
      `se ofrece ${name}, ${size}, a ${nick}; /cancel ${number} lo retira`,
    youAccepted: (name: string) => `has aceptado ${name}; llega cuando le toque`,
    accepted: (nick: string, name: string) => `${nick} ha aceptado ${name}`,
    receiving: (nick: string, name: string) => `recibiendo ${name} de ${nick}`,
    cut: (nick: string, name: string) => `${name} está parado; sigue cuando vuelva ${nick}`,
    goesOn: (name: string, percent: string) => `${name} sigue desde el ${percent}`,
    received: (nick: string, name: string, path: string) =>
      `${name} de ${nick} está completo y comprobado: ${path}`,
    sent: (nick: string, name: string) => `${nick} tiene ${name}, completo y comprobado`,
    notReceived: (nick: string, name: string, reason: string) => `no recibido: ${name} de ${nick}: ${reason}`,
    notSent: (nick: string, name: string, reason: string) => `no enviado: ${name} a ${nick}: ${reason}`,
    progress: (name: string, bar: string, percent: string, done: string, size: string) =>
      `${name} ${bar} ${percent}, ${done} de ${size}`,
    youStopped: {
      refused: "lo has rechazado",
      cancelled: "lo has cancelado",
      "too-large": "es más grande de lo que se puede enviar",
      "no-space": "no hay bastante sitio en este disco",
      disk: "no se ha podido leer o escribir aquí",
      changed: "ya no es lo que se ofreció",
      "wrong-hash": "lo que ha llegado no es lo que se ofreció, y se ha tirado",
      "bad-chunk": "lo que ha llegado no corresponde a lo ofrecido, y se ha tirado",
    },
    theyStopped: {
      refused: "lo ha rechazado",
      cancelled: "lo ha cancelado",
      "too-many": "allí esperan ya demasiados archivos",
      "too-large": "es más grande de lo que acepta",
      "no-space": "no hay bastante sitio en su disco",
      disk: "no se ha podido leer o escribir allí",
      changed: "ya no es lo que se ofreció",
      "wrong-hash":
        "lo que ha llegado allí no es lo que se ofreció; si ha cambiado entretanto, envíalo otra vez",
      "bad-chunk": "lo enviado no correspondía a lo ofrecido",
      unknown: "ya no sabe nada de él; envíalo otra vez",
    },
    stopped: "se ha detenido",
    toWhom: "¿a quién? Escribe /send ARCHIVO NOMBRE",
    whatFile: (path: string) => `no hay ningún archivo ${path}`,
    isFolder: (path: string) => `${path} es una carpeta; empaquétala antes en un archivo`,
    noLink: (nick: string) =>
      `no hay conexión directa con ${nick}, y los archivos no van de otra forma; /why ${nick} dice qué se ha intentado`,
    toYourself: "ese eres tú",
    tooMany: (nick: string) =>
      `ya hay demasiados archivos en camino para ${nick}; espera a que acabe uno, o /cancel uno`,
    none: "no hay archivos en camino",
    whichOffer: "¿cuál? /files muestra los números",
    noOffer: "nadie te ha ofrecido un archivo",
    noSuch: (number: string) => `ningún archivo tiene el número ${number}; /files muestra los que hay`,
    notOffered: (number: string) => `el número ${number} no espera tu respuesta`,
    listed: (number: number, direction: string, nick: string, name: string, size: string, state: string) =>
      `${number}. ${direction} ${nick}: ${name}, ${size}, ${state}`,
    to: "a",
    from: "de",
    states: {
      reading: "leyéndose",
      offered: "ofrecido",
      waiting: "en espera",
      running: "en camino",
      done: "hecho",
      stopped: "detenido",
    },
  },

  peers: spanishPeers,

  about: { reply: "respuesta", edit: "corrección", delete: "borrado", reaction: "reacción" },

  screen: {
    offline: "sin conexión",
    away: "ausente",
    bot: "bot",
    connecting: "conectando",
    reconnecting: (seconds) => `nuevo intento en ${seconds}`,
    noTopic: "sin tema",
    below: (count) => `${mensajes(count)} más abajo`,
    newFrom: "nuevo desde aquí",
    searching: (query) => `en lo que enviaste: ${query}`,
    notInHistory: (query) => `nada de lo que enviaste tiene ${query}`,
    copying: "para copiarlo de una vez, pulsa Alt+L y selecciónalo con el ratón",
    bare: "Re Pág y Av Pág pasan páginas, cualquier otra tecla vuelve",
    sending: "enviando",
    failed: (reason) => `no enviado: ${reason}; Alt+R lo envía otra vez, Alt+X lo quita`,
    pasted: (lines, pieces) => {
      const [what, it] = lines > 1 ? [`${lines} líneas pegadas`, "las"] : ["una línea larga pegada", "la"];
      return `${what}: Intro ${it} envía en ${mensajes(pieces)}, e ${it} edita antes, Esc ${it} olvida`;
    },
    pasteCut: (characters, pieces) =>
      `cortado a ${characters} caracteres: Intro envía ${pieces} mensajes, e los edita antes, Esc los olvida`,
    edited: "(editado)",
    deleted: "mensaje borrado",
    tooSmall: "no cabe",
    loading: "trayendo mensajes anteriores",
    beginning: (room) => `el principio de ${room}`,
    rooms: "salas",
    quitAgain: "pulsa Ctrl-C otra vez para salir, o escribe /quit",
    nickQuestion: "¿Cómo quieres que te llamen?",
    nickHint: "letras, cifras, - y _; queda recordado, y /nick lo cambia",
    directTitle: (nick) => `conversación con ${nick}`,
    alone: "nadie más",
  },

  direct: {
    asSaid: (nick) =>
      `lo dicho sin pasar por el servidor se queda como se dijo; cítalo en un mensaje, o escribe a ${nick} por el servidor: /p2p off ${nick}`,
    saidDirectly: "eso se dijo sin pasar por el servidor y se queda como se dijo; cítalo en un mensaje",
    asks: (nick, hidden) =>
      `${nick} pide hablar directamente, sin pasar por el servidor: /p2p ${nick} acepta${hidden ? "" : ", y le muestra las direcciones de esta máquina"}; /p2p off ${nick} lo rechaza`,
    asked: (nick) => `se ha pedido a ${nick} hablar directamente; el camino se abre cuando acepte`,
    agreed: (nick) => `${nick} acepta; buscando un camino`,
    declined: (nick) => `${nick} no quiere hablar directamente ahora`,
    silent: (nick) =>
      `${nick} no ha respondido: no está, no quiere, o tiene un rtchat más antiguo; /p2p ${nick} vuelve a pedirlo`,
    connected: (nick, address, vpn) =>
      `tú y ${nick} os escribís ahora directamente, ${vpn ? "por una VPN, " : ""}a ${address}, cifrado; el servidor no ve nada`,
    relayed: (nick) =>
      `tú y ${nick} os escribís ahora por el relé del servidor, sellado: el servidor no puede leerlo`,
    vouched: (nick) =>
      `la clave es la que dice el servidor, nadie la ha comprobado: comparad palabras con /verify ${nick}`,
    verified: (nick) => `la clave de ${nick} está comprobada en este dispositivo`,
    waiting: (nick) =>
      `no hay camino a ${nick} por ahora; lo que escribas espera. /why ${nick} dice más, /p2p off ${nick} vuelve al servidor`,
    over: (nick) =>
      `${nick} ha terminado el camino directo. Nada le llega hasta que decidas: /p2p off ${nick} escribe por el servidor, que puede leerlo; /p2p ${nick} vuelve a pedirlo`,
    isOver: (nick) => `el camino directo ha terminado; /p2p off ${nick} escribe por el servidor`,
    off: (nick) => `lo que escribes a ${nick} pasa por el servidor, que puede leerlo`,
    notDelivered: (nick) => `el camino directo terminó antes de que ${nick} lo tuviera`,
    failed: (nick, reason) => `no hay camino directo a ${nick}: ${reason}`,
    ownKey: (nick) =>
      `${nick} muestra la clave de este mismo dispositivo: dos programas con una carpeta de datos; da a uno la suya con --data DIR`,
    keyChanged: (nick) =>
      `RECHAZADO: la clave de ${nick} no es la recordada. Puede que otra persona use el nombre, o que el servidor mienta`,
    knownKey: "antes",
    foundKey: "ahora",
    keyAdvice: (nick) =>
      `si sabes por qué (un dispositivo nuevo), /p2p forget ${nick} y luego /p2p ${nick}; si no, no lo hagas`,
    forgotten: (nick) => `la clave de ${nick} está olvidada; se creerá la próxima, así que comparad palabras`,
    notKnown: (nick) => `aquí no se recuerda ninguna clave de ${nick}`,
    notOn: (nick) => `no hay camino directo a ${nick}; /p2p ${nick} lo pide`,
    none: "ningún camino directo; /p2p NOMBRE pide uno",
    head: "caminos directos:",
    offWhom: "¿con quién? escribe /p2p off NOMBRE",
    whyWhom: "¿sobre quién? escribe /why NOMBRE",
    yourself: "ese nick es el tuyo",
    tooMany: (most) => `no caben más de ${most} caminos directos; termina uno con /p2p off NOMBRE`,
    tooOld: "este servidor no sabe presentar a la gente: es un rtchat más antiguo",
    switchedOff: "aquí no hay caminos directos, por --p2p off",
    compare: (nick) =>
      `compara estas palabras con ${nick}, de viva voz; ve las mismas con /verify y tu nombre:`,
    compared: (nick) =>
      `si las doce son iguales, escribe /verify ${nick} yes; si no, hay alguien entre vosotros`,
    wordsLater: (nick) => `todavía no hay palabras: aún no se ha llegado a ${nick}`,
    relayFailed: (reason) => `el relé: ${reason}`,
    renamed: (nick, to) => `${nick} se llama ahora ${to}; el camino directo es el mismo`,
    filesFirst: (nick) => `los archivos van directamente o no van: pídeselo antes a ${nick} con /p2p ${nick}`,
    titleDirect: (address) => `directamente a ${address}`,
    titleRelayed: "sellado, por el relé del servidor",
    titleWaiting: "directo, sin camino por ahora",
    titleOver: "el camino directo ha terminado",
    titleAsked: "se le ha pedido, sin respuesta",
    titleAsks: "pide hablar directamente",
    titleVerified: "clave comprobada",
    titleUnverified: "clave sin comprobar",
  },

  commands: {
    join: ["/join SALA", "entrar en una sala y escribir en ella"],
    leave: ["/leave [SALA]", "salir de una sala, o apartar una conversación"],
    msg: ["/msg NOMBRE TEXTO", "decir algo a una sola persona"],
    nick: ["/nick NOMBRE", "llamarse de otra manera"],
    names: ["/names [SALA]", "quién está aquí"],
    rooms: ["/rooms", "qué salas hay"],
    topic: ["/topic [TEXTO]", "ver o poner el tema de la sala; un solo - lo quita"],
    history: ["/history [CANTIDAD]", "ver mensajes anteriores"],
    me: ["/me TEXTO", "decir lo que haces: /me saluda"],
    reply: ["/reply [@NOMBRE] TEXTO", "responder al último mensaje de alguien, o de NOMBRE"],
    edit: ["/edit TEXTO", "poner otro texto en lugar de tu último mensaje"],
    delete: ["/delete", "retirar tu último mensaje"],
    react: ["/react EMOJI [@NOMBRE]", "reaccionar al último mensaje de alguien, o de NOMBRE"],
    search: ["/search PALABRAS [from:NOMBRE] [in:SALA]", "buscar mensajes; /jump va a uno"],
    jump: ["/jump NÚMERO", "ver un mensaje encontrado, con lo que se dijo alrededor"],
    whois: ["/whois NOMBRE", "si alguien está conectado, y dónde coincidís"],
    away: ["/away [TEXTO]", "estar ausente, con algo que decir a los demás; un mensaje tuyo lo termina"],
    kick: ["/kick NOMBRE [MOTIVO]", "terminar la sesión de alguien; puede volver"],
    ban: [
      "/ban NOMBRE|DIRECCIÓN [TIEMPO|forever] [MOTIVO]",
      "no dejar entrar desde una dirección o red, un día si no dices otra cosa",
    ],
    unban: ["/unban DIRECCIÓN", "dejar entrar de nuevo"],
    bans: ["/bans", "qué direcciones no pueden conectar"],
    device: ["/device [CÓDIGO]", "hacer tuyo otro dispositivo, para que ambos sepan qué has leído"],
    back: ["/back", "estar de vuelta"],
    ignore: ["/ignore NOMBRE", "no leer nada de alguien, o volver a leerlo"],
    highlight: ["/highlight [PALABRA]", "hacer que una palabra valga como tu nombre, o que deje de valer"],
    mute: ["/mute [SALA]", "callar una sala, o volver a oírla"],
    mentions: ["/mentions", "los mensajes que te hablan a ti"],
    p2p: [
      "/p2p [NOMBRE | off NOMBRE | forget NOMBRE]",
      "hablar con alguien sin el servidor, cifrado; off vuelve",
    ],
    peers: ["/peers", "quién está en la red, cómo se llega a cada cual y de quién es segura la clave"],
    why: ["/why [NOMBRE]", "qué falló en cada dirección que se probó"],
    verify: ["/verify NOMBRE [yes]", "doce palabras para comparar; con yes, da el nombre por verificado"],
    invite: ["/invite [ARCHIVO]", "hace una invitación para una persona, en la pantalla o en un archivo"],
    lock: ["/lock", "deja entrar solo con invitación"],
    unlock: ["/unlock", "deja entrar a quien sepa una dirección"],
    remove: ["/remove NOMBRE", "echa a alguien para siempre; la red cambia de secreto"],
    connect: ["/connect DIRECCIÓN", "llama a alguien ahora"],
    id: ["/id", "muestra tu propio identificador"],
    send: ["/send ARCHIVO [NOMBRE]", "ofrecer a alguien un archivo, directo a su máquina"],
    accept: ["/accept [NÚMERO]", "aceptar un archivo ofrecido"],
    refuse: ["/refuse [NÚMERO]", "no aceptar un archivo ofrecido"],
    cancel: ["/cancel NÚMERO", "detener un archivo en camino, en los dos lados"],
    files: ["/files", "los archivos ofrecidos o en camino"],
    help: ["/help [PALABRAS]", "ver las órdenes, o las que tienen que ver con unas palabras"],
    quit: ["/quit", "terminar el programa"],
  },
};
