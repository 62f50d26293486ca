/**
 * The dashboard's only script: puts each update in place, and asks before it drains.
 *
 * Updates are the same HTML the page was made of. They are merged into the page node by node instead of replacing it, so
 * that focus, hover and transitions survive. All of it is rendered and escaped by the server.
 */
const live = document.getElementById("live");
const dialog = document.getElementById("confirm");
const go = document.getElementById("confirm-go");
const problem = document.getElementById("confirm-error");
document.documentElement.classList.add("js");

/** Makes `old` look like `fresh`, keeping whatever is equal. */
function merge(old, fresh) {
  if (old.nodeType !== fresh.nodeType || old.nodeName !== fresh.nodeName || old.id !== fresh.id) {
    old.replaceWith(fresh);
    return;
  }
  if (old.nodeType === Node.TEXT_NODE) {
    if (old.data !== fresh.data) old.data = fresh.data;
    return;
  }
  if (old.nodeType !== Node.ELEMENT_NODE) return;
  for (const { name } of Array.from(old.attributes)) if (!fresh.hasAttribute(name)) old.removeAttribute(name);
  for (const { name, value } of fresh.attributes)
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  mergeChildren(old, fresh);
}

/** Children with an id are matched by it: a note that appears under one backend must not shift the rows below. */
function mergeChildren(old, fresh) {
  const wanted = [...fresh.childNodes];
  const ids = new Set(wanted.map((node) => node.id).filter(Boolean));
  for (const node of Array.from(old.childNodes)) if (node.id && !ids.has(node.id)) node.remove();
  for (const [index, node] of wanted.entries()) {
    const present = old.childNodes[index];
    if (node.id && present?.id !== node.id) {
      const moved = [...old.childNodes].find((other) => other.id === node.id);
      if (moved === undefined) old.insertBefore(node, present ?? null);
      else {
        old.insertBefore(moved, present ?? null);
        merge(moved, node);
      }
    } else if (present === undefined) old.append(node);
    else merge(present, node);
  }
  while (old.childNodes.length > wanted.length) old.lastChild.remove();
}

function show(html) {
  const page = new DOMParser().parseFromString(`<main id="live">${html}</main>`, "text/html");
  mergeChildren(live, page.getElementById("live"));
}

function connect() {
  const source = new EventSource("/events");
  source.addEventListener("snapshot", (event) => {
    document.documentElement.classList.remove("stale");
    show(event.data);
  });
  source.addEventListener("error", () => {
    // The page keeps its last figures, and says that they are old.
    document.documentElement.classList.add("stale");
    if (source.readyState !== EventSource.CLOSED) return;
    // Refused rather than cut: signed out, or too many streams. Loading the page again tells which.
    setTimeout(() => location.reload(), 2000);
  });
}

async function send(backend, action) {
  const response = await fetch(`/api/v1/backends/${encodeURIComponent(backend)}/${action}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: "{}",
  });
  if (response.ok) return;
  const body = await response.json().catch(() => undefined);
  throw new Error(body?.error?.message ?? `the balancer answered ${response.status}`);
}

function ask(backend, action, sessions) {
  const drain = action === "drain";
  document.getElementById("confirm-title").textContent = drain
    ? `Drain ${backend}?`
    : `Set ${backend} ready?`;
  document.getElementById("confirm-text").textContent = drain
    ? `Its ${sessions} sessions move to the other backends; nobody is disconnected. New sessions go elsewhere until you set it ready.`
    : "It takes new sessions again as soon as its checks are good.";
  problem.textContent = "";
  go.textContent = drain ? "Drain" : "Set ready";
  go.onclick = async () => {
    go.disabled = true;
    try {
      await send(backend, action);
      dialog.close();
    } catch (error) {
      problem.textContent = error.message;
    } finally {
      go.disabled = false;
    }
  };
  dialog.showModal();
}

live.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-action]");
  if (button !== null) ask(button.dataset.backend, button.dataset.action, button.dataset.sessions);
});

connect();
