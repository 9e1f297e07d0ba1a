// Makes the page smoother; without it every form and link does the same by loading the page anew.
// - a picture may be dropped or pasted, and one that is chosen is sent at once
// - answers replace <main>; history, focus and a screen reader follow
"use strict";

const root = document.documentElement;
const byHistory = new Map(); // answers to a picture have no address of their own: they live as long as this tab
let visits = 0;
let underway = new AbortController(); // of the last question: who asks anew no longer waits for it

root.classList.add("scripted");
history.replaceState({ visit: visits }, "");

document.addEventListener("submit", (event) => {
  event.preventDefault();
  const form = event.target;
  const data = new FormData(form, event.submitter);
  const keep = event.submitter?.dataset.keep;
  if (form.method === "post") return send(data, keep);
  const query = new URLSearchParams([...data].filter(([name, value]) => value !== "" || name === "show"));
  visit(new Request("/?" + dedupe(query)), keep);
});

document.addEventListener("click", (event) => {
  const card = event.target.closest("a.card");
  if (!card || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  visit(new Request(card.href));
});

document.addEventListener("change", (event) => {
  if (event.target.type === "file" && event.target.files.length) search(event.target.files[0]);
});

document.addEventListener("paste", (event) => {
  const file = [...event.clipboardData.files].find((one) => one.type.startsWith("image/"));
  if (file) search(file);
});

const curtain = document.querySelector(".dropping");
document.addEventListener("dragover", (event) => {
  event.preventDefault();
  curtain.hidden = false;
});
document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) curtain.hidden = true;
});
document.addEventListener("drop", (event) => {
  event.preventDefault();
  curtain.hidden = true;
  const [file] = event.dataTransfer.files;
  if (file) return search(file);
  const card = [...document.querySelectorAll("a.card")].find((one) => one.contains(dragged));
  if (card) visit(new Request(card.href)); // one of the catalog's own pictures
});
let dragged = null;
document.addEventListener("dragstart", (event) => { dragged = event.target; });

window.addEventListener("popstate", (event) => {
  if (!event.state) return; // a link inside the page
  const kept = byHistory.get(event.state.visit);
  if (kept) {
    underway.abort();
    show(kept);
  } else load(new Request(location.href));
});

/** The last value of a name counts, as it does in the server. */
function dedupe(query) {
  const last = new URLSearchParams();
  for (const [name, value] of query) last.set(name, value);
  if (last.get("show") === "") last.delete("show");
  return last;
}

function search(file) {
  const data = new FormData(document.querySelector(".upload"));
  data.delete("picture");
  data.append("picture", file, "picture");
  send(data);
}

function send(data, keep) {
  const file = data.get("picture");
  const most = Number(document.querySelector("main").dataset.maxBytes);
  if (file instanceof File && file.size > most) data.set("picture", file.slice(0, most), "picture"); // enough to be refused
  visit(new Request("/", { method: "POST", body: data }), keep);
}

async function visit(request, keep) {
  const html = await load(request, keep);
  if (html === null) return;
  visits += 1;
  history.pushState({ visit: visits }, "", request.method === "GET" ? request.url : "/");
  if (request.method !== "GET") byHistory.set(visits, html);
}

/** Ask the server and show what it says; null where there is no answer, or where another question came after it. */
async function load(request, keep) {
  underway.abort();
  underway = new AbortController();
  const { signal } = underway;
  document.querySelector("main").setAttribute("aria-busy", "true");
  try {
    request.headers.set("Accept", "text/html");
    const response = await fetch(request, { signal });
    const html = await response.text();
    show(html, keep);
    return html;
  } catch {
    if (signal.aborted) return null;
    complain("The server does not answer: try again in a moment.");
    return null;
  }
}

/** Say what went wrong where the server says it too; what was there stays. */
function complain(text) {
  const said = document.createElement("p");
  const start = document.createElement("strong");
  start.textContent = "That did not work. ";
  said.append(start, text);
  const box = Object.assign(document.createElement("div"), { className: "trouble", role: "alert", tabIndex: -1 });
  box.append(said);
  document.querySelector("main").removeAttribute("aria-busy");
  document.querySelector(".results > .trouble")?.remove();
  document.querySelector(".results").prepend(box);
  box.focus();
}

function show(html, keep) {
  const fresh = new DOMParser().parseFromString(html, "text/html");
  const main = fresh.querySelector("main");
  if (!main) throw new Error("not a page of this server"); // but of a proxy before it
  const swap = () => {
    document.querySelector("main").replaceWith(document.adoptNode(main));
    document.title = fresh.title;
    const target = keep && main.querySelector(`[data-keep="${CSS.escape(keep)}"]`);
    (target || main.querySelector("[data-focus]") || main.querySelector("#results-heading")).focus({ preventScroll: Boolean(target) });
    if (!target) window.scrollTo(0, 0);
    document.querySelector("#announcer").textContent = main.dataset.announce;
  };
  if (document.startViewTransition && matchMedia("(prefers-reduced-motion: no-preference)").matches) {
    document.startViewTransition(swap).ready.catch(() => {}); // skipped, as when the window is resized: swapped all the same
  } else {
    swap();
  }
}
