// Passkeys (Web Authentication, W3C): the forms that make one or sign in with one. Without this script, and in browsers that
// cannot, the forms stay hidden.
"use strict";

{
  /** What a person can do about an error of a ceremony. */
  const advice = (error, isNew) => {
    if (error.name === "InvalidStateError") {
      return "This device has a passkey of your account already. Use that one, or set one up on another device.";
    }
    if (error.name === "NotAllowedError") {
      return isNew
        ? "No passkey was set up. Try again, or set up an authenticator app."
        : "No passkey was used. Try again, or go on without a passkey.";
    }
    return error.cause ?? "That did not work. Try again, or go on without a passkey.";
  };

  const ceremonies = {
    create: (options) =>
      navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(options) }),
    get: (options) =>
      navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(options) }),
  };

  /** Options for a ceremony; none if the person has to sign in or to confirm something first. */
  const fetchOptions = async (form) => {
    const response = await fetch(`${form.getAttribute("action")}/options`, { method: "POST" });
    if (response.ok) return response.json();
    if (response.status === 401 || response.status === 403) return undefined;
    // A limit or an outage says nothing about a passkey.
    const cause = response.status === 404 ? "Your account has no passkey. Use a code." : undefined;
    throw new Error(response.statusText, { cause });
  };

  const run = async (form) => {
    const options = await fetchOptions(form);
    if (options) {
      const credential = await ceremonies[form.dataset.passkey](options);
      form.elements.response.value = JSON.stringify(credential.toJSON());
    }
    // Without a response the server says what to do first.
    form.submit();
  };

  const isSupported = typeof globalThis.PublicKeyCredential?.parseRequestOptionsFromJSON === "function";
  for (const form of document.querySelectorAll("form[data-passkey]")) {
    form.hidden = !isSupported;
    const [button, problem] = [form.querySelector("button"), form.querySelector(".error")];
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      problem.textContent = "";
      button.disabled = true;
      run(form).catch((error) => {
        problem.textContent = advice(error, form.dataset.passkey === "create");
        button.disabled = false;
      });
    });
    // After Back, the browser may show the page as it was left.
    addEventListener("pageshow", () => {
      button.disabled = false;
    });
  }
}
