// Headless Chromium, and the chat page in it.
import assert from "node:assert/strict";
import { chromium } from "playwright-core";

const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** A browser with a profile of its own, for the test `t`. `CHROMIUM` names another program. */
export async function launch(t, options = {}) {
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: FLAGS });
  t.after(() => browser.close());
  return browser.newContext(options);
}

/** A tab with the chat page. */
export class Tab {
  /** What the page has thrown, or its security policy refused. */
  faults = [];

  /** Opens the page and waits until it is connected. */
  static async open(context, url, name) {
    const tab = new Tab();
    tab.page = await context.newPage();
    tab.page.on("pageerror", (error) => tab.faults.push(error.message));
    tab.page.on("console", (message) => {
      if (message.type() === "error" && /Content Security Policy|clank:/.test(message.text())) tab.faults.push(message.text());
    });
    await tab.page.goto(url);
    await tab.page.getByLabel("Your name").fill(name);
    await tab.state("up");
    return tab;
  }

  /** Waits for a state of the connection: up, down or over. */
  async state(state) {
    await this.page.locator(`#status[data-state="${state}"]`).waitFor();
  }

  status() {
    return this.page.locator("#status").textContent();
  }

  async say(text) {
    await this.page.getByLabel("Message", { exact: true }).fill(text);
    await this.page.getByRole("button", { name: "Send" }).click();
  }

  /** Waits until the page shows a message, and checks who is said to have sent it. */
  async sees(text, { from, own = false }) {
    const item = this.page.locator("li").filter({ has: this.page.getByText(text, { exact: true }) });
    await item.waitFor();
    assert.equal(await item.locator("b").textContent(), from);
    assert.equal(await item.evaluate((node) => node.classList.contains("own")), own);
  }

  /** Closes the tab as its user does. */
  async close() {
    await this.page.close({ runBeforeUnload: true });
  }
}
