// The chat page: everybody who has it open shares the topic below.
"use strict";
{
  const TOPIC = "chat/lobby";
  const KEPT_MESSAGES = 200;
  const LONGEST_NAME = 40;
  const LONGEST_TEXT = 2000;

  const [status, scroll, messages, form, name, text, send] = ["status", "scroll", "messages", "form", "name", "text", "send"].map(
    (id) => document.getElementById(id),
  );
  let session = null;

  const clank = Clank.connect(document.body.dataset.socket);
  clank.on("socket/connect", (connected) => {
    session = connected;
    session.subscribe(TOPIC, (_, message) => show(message));
    say("up", "Connected");
  });
  clank.on("socket/disconnect", ({ code, reason, willReconnect }) => {
    session = null;
    if (!willReconnect) say("over", `Disconnected: ${reason} (${code}). Reload the page to try again.`);
  });
  clank.on("socket/reconnecting", ({ reason, attempt, delay }) => {
    const again = attempt > 1 ? ` (attempt ${attempt})` : "";
    say("down", `Offline: ${reason}. Retrying in ${Math.ceil(delay / 1000)}\u00a0s${again}.`);
  });

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (!session || !text.value.trim()) return;
    try {
      // Not excluded: one's own message is shown when it comes back, as the sign that it went out.
      session.publish(TOPIC, { id: session.sessionid(), name: name.value.trim(), text: text.value }, false);
      text.value = "";
    } catch (error) {
      say("up", `Not sent: ${error.message}`);
    }
    text.focus();
  });

  name.value = stored() || `Guest ${100 + Math.floor(Math.random() * 900)}`;
  name.addEventListener("change", () => stored(name.value.trim()));
  text.focus();

  // Whoever reads further up is left there; else the newest message stays in view, also when the
  // room changes (a longer status line, a phone's keyboard).
  let atEnd = true;
  const toEnd = () => (scroll.scrollTop = scroll.scrollHeight);
  scroll.addEventListener("scroll", () => {
    atEnd = scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < 40;
  });
  new ResizeObserver(() => atEnd && toEnd()).observe(scroll);

  function say(state, words) {
    status.dataset.state = state;
    status.textContent = words;
    send.disabled = state !== "up";
  }

  /** Shows a message, or nothing if another program published something else on the topic. */
  function show(message) {
    if (typeof message?.name !== "string" || typeof message.text !== "string") return;
    const own = message.id === session?.sessionid();

    const item = document.createElement("li");
    item.classList.toggle("own", own);
    const from = element("p", "");
    from.className = "from";
    const now = new Date();
    const time = element("time", now.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" }));
    time.dateTime = now.toISOString();
    from.append(element("b", message.name.slice(0, LONGEST_NAME)), time);
    item.append(from, element("p", message.text.slice(0, LONGEST_TEXT)));

    messages.append(item);
    while (messages.children.length > KEPT_MESSAGES) messages.firstElementChild.remove();
    if (atEnd || own) toEnd();
  }

  function element(tag, words) {
    const made = document.createElement(tag);
    made.textContent = words;
    return made;
  }

  /** The name of last time, or stores it. A browser may forbid storage. */
  function stored(value) {
    try {
      if (value === undefined) return localStorage.getItem("clank-name");
      localStorage.setItem("clank-name", value);
    } catch {
      return undefined;
    }
  }
}
