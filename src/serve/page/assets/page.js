// What the page does beside its links and forms: keys, marks, copying, the stream of an answer, live changes.
"use strict";
(() => {
  const one = (selector, within = document) => within.querySelector(selector);
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const say = (words) => { one("#say").textContent = words; };

  // Keys can be switched off, because they get in the way of speech input.
  const stored = () => { try { return localStorage.getItem("keys"); } catch { return null; } };
  let keysAreOn = stored() !== "off";
  const hits = () => all(".hit");
  let current = -1;

  function goTo(index) {
    const list = hits();
    if (!list.length) return;
    current = Math.max(0, Math.min(index, list.length - 1));
    list.forEach((hit, at) => hit.classList.toggle("current", at === current));
    const link = one("a.open", list[current]);
    link.focus({ preventScroll: true });
    list[current].scrollIntoView({ block: "nearest" });
  }

  // Brings a mark into sight: in the pane where that scrolls by itself, else in the window.
  function show(node) {
    const pane = one("#source");
    if (getComputedStyle(pane).position !== "sticky") { node.scrollIntoView({ block: "center" }); return; }
    const table = node.closest("div.table");
    if (table) table.scrollTop += node.getBoundingClientRect().top - table.getBoundingClientRect().top - table.clientHeight / 2;
    const [at, within] = [node.getBoundingClientRect(), pane.getBoundingClientRect()];
    if (at.top >= within.top && at.bottom <= within.bottom) return;
    pane.scrollTop += node.getBoundingClientRect().top - pane.getBoundingClientRect().top - pane.clientHeight / 3;
  }

  // Marks of the source: the pieces of the quote, then the words of the query.
  let mark = -1;
  function goToMark(step) {
    const marks = all("#source mark.quote, #source .document .word").filter((node) => !node.parentElement.closest("mark.quote"));
    if (!marks.length) return;
    mark = (mark + step + marks.length) % marks.length;
    marks.forEach((node) => node.classList.remove("found"));
    marks[mark].classList.add("found");
    show(marks[mark]);
    say(`mark ${mark + 1} of ${marks.length}`);
  }

  function sourceIsThere() {
    const source = one("#source");
    if (!source) return;
    all("[data-mark], [data-copy]", source).forEach((button) => { button.hidden = false; });
    mark = -1;
    const quote = one("#mark", source);
    if (quote) {
      // Above its text, a page shows where the quote stands.
      const beside = one(".beside", source);
      show((beside && getComputedStyle(beside).display !== "grid" && one(".sheet rect", beside)) || quote);
      const marks = all("mark.quote, .document .word", source).filter((node) => !node.parentElement.closest("mark.quote"));
      mark = marks.indexOf(quote);
    }
  }

  document.addEventListener("keydown", (event) => {
    const field = event.target.closest("input, textarea, select, [contenteditable]");
    if (!keysAreOn || event.ctrlKey || event.metaKey || event.altKey || (field && event.key !== "Escape")) return;
    const open = one("dialog[open]");
    if (event.key === "Escape" && field) { field.blur(); return; }
    if (open) return;
    const acts = {
      "/": () => { const box = one("#q"); box?.focus(); box?.select(); },
      j: () => goTo(current + 1),
      k: () => goTo(current - 1),
      o: () => one("a.open", hits()[Math.max(current, 0)])?.click(),
      "]": () => goToMark(1),
      "[": () => goToMark(-1),
      "?": () => one("#keys").showModal(),
    };
    const act = acts[event.key];
    if (act) { event.preventDefault(); act(); }
  });

  document.addEventListener("click", async (event) => {
    const marked = event.target.closest("[data-mark]");
    if (marked) goToMark(Number(marked.dataset.mark));
    const copied = event.target.closest("[data-copy]");
    if (copied) {
      const words = copied.previousElementSibling.querySelector("textarea");
      try { await navigator.clipboard.writeText(absolute(words.value)); say("copied"); copied.textContent = "Copied"; } catch { words.focus(); words.select(); say("press Ctrl+C to copy"); }
    }
    if (event.target.closest("[data-keys]")) one("#keys").showModal();
    const hit = event.target.closest(".hit");
    if (hit && event.target.closest("a.open")) {
      current = hits().indexOf(hit);
      hits().forEach((other) => other.classList.toggle("current", other === hit));
    }
  });

  // A link in a copied citation leads here from anywhere.
  const absolute = (words) => words.replace(/\]\(\/w\//g, `](${location.origin}/w/`);

  const box = one("[data-keys-on]");
  box.checked = keysAreOn;
  box.addEventListener("change", () => {
    keysAreOn = box.checked;
    try { localStorage.setItem("keys", keysAreOn ? "on" : "off"); } catch { /* it holds until the page is left */ }
  });
  one("[data-keys]").hidden = false;

  // Completions of the word that is being written, where it is or may become an operator.
  const words = one("[data-complete]");
  if (words) {
    let latest = 0;
    words.addEventListener("input", async () => {
      const mine = ++latest;
      const [, before, word] = words.value.match(/^(.*?)(\S*)$/s);
      const offered = one("#offered");
      const mayBe = word.includes(":") || (word && ["path:", "type:", "agent:", "run:", "tag:", "before:", "after:"].some((operator) => operator.startsWith(word)));
      if (!mayBe) { offered.replaceChildren(); return; }
      try {
        const reply = await fetch(`${words.dataset.complete}?word=${encodeURIComponent(word)}`);
        if (!reply.ok || mine !== latest) return;
        offered.replaceChildren(...(await reply.json()).words.map((whole) => new Option("", before + whole)));
      } catch { /* nothing is offered */ }
    });
  }

  // An answer, part by part. Its parts are HTML of this server, in which every value is escaped.
  const answer = one("[data-answer]");
  if (answer) {
    const sentences = one(".sentences", answer);
    const stream = new EventSource(answer.dataset.answer);
    one(".waiting", sentences).textContent = "Reading…";
    let isFirst = true;
    let ended = false;
    const begin = () => { if (isFirst) { sentences.replaceChildren(); isFirst = false; } };
    stream.addEventListener("delta", (event) => {
      begin();
      let last = sentences.lastElementChild;
      if (!last?.classList.contains("waiting")) { last = document.createElement("p"); last.className = "waiting"; sentences.append(last); }
      last.textContent += event.data;
    });
    stream.addEventListener("sentence", (event) => { begin(); one(".waiting", sentences)?.remove(); sentences.insertAdjacentHTML("beforeend", event.data); });
    stream.addEventListener("fallback", () => sentences.replaceChildren());
    stream.addEventListener("done", (event) => {
      ended = true;
      stream.close();
      sentences.innerHTML = event.data;
      answer.setAttribute("aria-busy", "false");
    });
    stream.onerror = () => {
      stream.close();
      if (ended) return;
      answer.setAttribute("aria-busy", "false");
      const note = document.createElement("p");
      note.className = "warning";
      note.textContent = "The answer broke off. Reload the page to ask again.";
      sentences.append(note);
    };
  }

  // Newer changes are announced, and shown at the reader's wish: rows that move by themselves cannot be read.
  const live = one("[data-live]");
  if (live) {
    let stream = null;
    let isOver = false;
    let retryMs = 5_000;
    const fresh = one("#fresh");
    const tell = (...words) => { if (fresh.textContent !== words.map((one) => one.textContent ?? one).join("")) fresh.replaceChildren(...words); };
    const again = (words) => {
      const link = document.createElement("a");
      link.href = location.href;
      link.textContent = words;
      return link;
    };
    const listen = () => {
      let isCut = false;
      stream = new EventSource(live.dataset.live);
      stream.addEventListener("open", () => { if (isCut) tell("The server answers again."); isCut = false; retryMs = 5_000; });
      stream.addEventListener("changed", (event) => {
        const [revision, pending] = event.data.split(" ");
        // A screen reader hears it once, however many changes there are.
        if (!one("a", fresh)) say("there are newer changes");
        tell(again(`Newer changes up to revision ${revision}: show them`), Number(pending) ? ` · ${pending} pending` : "");
        live.dataset.live = live.dataset.live.replace(/after=\d+/, `after=${revision}`);
      });
      stream.addEventListener("over", (event) => { isOver = true; stream.close(); tell(`Newer changes are not announced: ${event.data}. `, again("Reload")); });
      stream.onerror = () => {
        isCut = true;
        if (stream.readyState !== EventSource.CLOSED) { tell("The server does not answer; newer changes are announced when it is back."); return; }
        // It was refused, as by a server that has too much to do.
        stream = null;
        tell("Newer changes are not announced now. ", again("Reload"));
        setTimeout(follow, retryMs);
        retryMs = Math.min(2 * retryMs, 60_000);
      };
    };
    // A browser keeps few connections to a server: pages that nobody sees give theirs back.
    const follow = () => {
      const isSeen = document.visibilityState === "visible";
      if (isSeen && !stream && !isOver) listen();
      if (!isSeen && stream) { stream.close(); stream = null; }
    };
    document.addEventListener("visibilitychange", follow);
    addEventListener("pagehide", () => { stream?.close(); stream = null; });
    addEventListener("pageshow", follow);
    follow();
  }

  // A picture of a page that does not come. Errors of pictures do not bubble.
  function undrawn(picture) {
    picture.closest(".paper").hidden = true;
    one("[data-undrawn]", picture.closest(".sheet")).hidden = false;
  }
  document.addEventListener("error", (event) => { if (event.target.matches?.("img[data-page]")) undrawn(event.target); }, true);
  // The first may have failed before the script came.
  all("img[data-page]").filter((picture) => picture.complete && !picture.naturalWidth).forEach(undrawn);

  // The session is over: the whole page leads to where one signs in, and back.
  document.addEventListener("htmx:after:request", (event) => { if (event.detail.ctx.response.status === 401) { event.preventDefault(); location.reload(); } });
  document.addEventListener("htmx:after:swap", () => { sourceIsThere(); say(one("#source h2")?.textContent ? `opened ${one("#source h2").textContent}` : "more results"); });
  document.addEventListener("htmx:after:restore", sourceIsThere);
  sourceIsThere();
})();
