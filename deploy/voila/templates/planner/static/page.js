// Before the dashboard arrives: the theme, the skeleton, and whether the kernel can be heard.
(function () {
  const root = document.documentElement;
  let choice = null;
  try { choice = localStorage.getItem("planner-theme"); } catch { /* forbidden */ }
  const dark = choice === "dark" || (choice !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);
  root.dataset.theme = dark ? "dark" : "light";

  // The widget's model cannot see its socket; the page can, and tells the dashboard.
  const Socket = window.WebSocket;
  window.WebSocket = class extends Socket {
    constructor(...args) {
      super(...args);
      if (!/\/api\/kernels\//.test(this.url)) return;
      const tell = (open) => () => leaving || document.dispatchEvent(new CustomEvent("planner:socket", { detail: { open } }));
      this.addEventListener("open", tell(true));
      this.addEventListener("close", tell(false));
    }
  };
  let leaving = false;
  addEventListener("pagehide", () => { leaving = true; });
  addEventListener("pageshow", () => { leaving = false; });

  function show() {
    document.getElementById("loading")?.remove();
    document.body.classList.add("page-ready");
  }
  document.addEventListener("planner:painted", show, { once: true });

  window.plannerPage = {
    // Voila calls these two while the notebook runs and when it is done.
    hooks() {
      window.voila_process = () => {};
      window.voila_finish = () => {
        const widget = document.querySelector("#rendered_cells script[type*='voila.cell-output']")?.textContent.includes("widget-view+json");
        // A dashboard shows itself when it has painted; prose and errors show now.
        if (widget) setTimeout(show, 20000);
        else show();
      };
    },
  };
})();
