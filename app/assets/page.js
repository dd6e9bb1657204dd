// Automatic logoff with a warning, and waiting times that count down. Without this script a page works as well: its
// `Refresh` header replaces it when the session has ended, and a waiting time stands as it was when the page was made.
"use strict";

{
  /** A number of seconds in words. */
  const inWords = (seconds) => {
    const of = (number, unit) => (number === 1 ? `1 ${unit}` : `${number} ${unit}s`);
    const minutes = Math.floor(seconds / 60);
    const rest = seconds % 60;
    if (minutes === 0) return of(rest, "second");
    return rest === 0 ? of(minutes, "minute") : `${of(minutes, "minute")} ${of(rest, "second")}`;
  };

  /** Shows the time until `end`, and nothing below zero. Returns the seconds. */
  const show = (element, end) => {
    const seconds = Math.max(0, Math.ceil((end - Date.now()) / 1000));
    element.textContent = inWords(seconds);
    return seconds;
  };

  for (const wait of document.querySelectorAll("[data-wait]")) {
    const end = Date.now() + 1000 * Number(wait.dataset.wait);
    const timer = setInterval(() => {
      if (show(wait, end) > 0) return;
      clearInterval(timer);
      wait.parentElement.textContent = "You can try again now.";
    }, 1000);
  }

  /** Times of the session in the header of this page's response: `Server-Timing` is the one that scripts can read. */
  const header = performance.getEntriesByType("navigation")[0]?.serverTiming ?? [];
  const stated = (name) => header.find((entry) => entry.name === name);
  const channel = new BroadcastChannel("session");

  /** The page of a session: warns before its end, and leaves the page then. */
  const watch = (left, warning) => {
    const dialog = document.getElementById("logoff");
    const part = (name) => dialog.querySelector(`.logoff-${name}`);
    // By the clock, which goes on while the device sleeps.
    let end = Date.now() + left.duration;
    let warned = 0;

    /** Whether the session has ended; to ask is no use of it. */
    const hasEnded = async () => {
      const response = await fetch("/signed-out", { redirect: "manual" }).catch(() => undefined);
      return response?.ok === true;
    };

    /** A form with text that was not sent, and that the server keeps. */
    const unsent = () =>
      [...document.querySelectorAll("form[data-kept]")].find((form) =>
        [...form.elements].some((field) => (field.defaultValue ?? field.value) !== field.value),
      );

    /** Replaces the page at the end of the session; a form that was not sent goes to the server, which keeps it. */
    let isLeaving = false;
    const leave = async () => {
      if (isLeaving) return;
      isLeaving = true;
      // Also for the Back button, which may show the page as it was left.
      document.documentElement.hidden = true;
      const form = unsent();
      if (form && (await hasEnded())) form.submit();
      else location.replace(left.description);
    };

    /** Takes over a later end, of this window or of another one. */
    const prolong = (later) => {
      if (later <= end) return;
      end = later;
      // Its time has become too early.
      window.stop();
      if (end - Date.now() > warning.duration) dialog.close();
    };

    const tick = () => {
      const remaining = end - Date.now();
      if (remaining <= 0) {
        leave();
      } else if (remaining <= warning.duration) {
        show(part("time"), end);
        if (warned !== end) {
          warned = end;
          // Cancels the `Refresh`: this script replaces the page from now on.
          window.stop();
          if (!dialog.open) dialog.showModal();
        }
      }
    };

    const stay = async () => {
      part("problem").hidden = true;
      try {
        const response = await fetch("/session", { method: "POST" });
        if (response.status === 401) return await check();
        if (!response.ok) throw new Error(response.statusText);
        const { seconds } = await response.json();
        prolong(Date.now() + 1000 * seconds);
        channel.postMessage({ end });
        const isLast = dialog.open;
        for (const name of ["limit", "close"]) part(name).hidden = !isLast;
        part("stay").hidden = isLast;
      } catch {
        part("problem").hidden = false;
      }
    };

    const check = async () => {
      if (!(await hasEnded())) return;
      document.documentElement.hidden = true;
      location.replace(left.description);
    };

    part("stay").addEventListener("click", stay);
    part("close").addEventListener("click", () => dialog.close());
    dialog.addEventListener("cancel", (escape) => {
      if (part("stay").hidden) return;
      escape.preventDefault();
      stay();
    });
    channel.addEventListener("message", ({ data }) => (data.end ? prolong(data.end) : check()));
    addEventListener("pageshow", () => {
      isLeaving = false;
      tick();
    });
    document.addEventListener("visibilitychange", () => {
      tick();
      if (!document.hidden) check();
    });
    channel.postMessage({ end });
    setInterval(tick, 1000);
  };

  const [left, warning] = ["session-end", "session-warning"].map(stated);
  // A page without a session, as after signing out, makes the others ask for theirs.
  if (left && warning) watch(left, warning);
  else channel.postMessage({});
}
