// Passkeys (Web Authentication, W3C): the forms that make one or sign in with one. Without this script, and in browsers that
// cannot, the forms stay hidden.
"use strict";

{
  /** What a person can do about an error of a ceremony. */
  const advice = (error) => {
    if (error.name === "InvalidStateError") return "This device has a passkey of your account already.";
    if (error.name === "NotAllowedError") return "No passkey was used. Try again.";
    return "That did not work. Try again, or go on without a passkey.";
  };

  const ceremonies = {
    create: (options) =>
      navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(options) }),
    get: (options) =>
      navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(options) }),
  };

  /** Options for a ceremony; none if the session has ended, or a second factor is needed first. */
  const fetchOptions = async (form) => {
    const response = await fetch(`${form.getAttribute("action")}/options`, { method: "POST" });
    return response.ok ? response.json() : undefined;
  };

  const answer = async (form) => {
    const options = await fetchOptions(form);
    if (options) {
      const credential = await ceremonies[form.dataset.passkey](options);
      form.elements.response.value = JSON.stringify(credential.toJSON());
    }
    // Without a response the server says what to do.
    form.submit();
  };

  const isSupported = typeof globalThis.PublicKeyCredential?.parseRequestOptionsFromJSON === "function";
  for (const form of document.querySelectorAll("form[data-passkey]")) {
    form.hidden = !isSupported;
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const [button, problem] = [form.querySelector("button"), form.querySelector(".error")];
      problem.textContent = "";
      button.disabled = true;
      await answer(form).catch((error) => {
        problem.textContent = advice(error);
      });
      button.disabled = false;
    });
  }
}
