/** live.js as text, embedded with `with { type: "text" }`. */
declare const text: string;
export default text;
