// What a page does besides being read: it keeps itself fresh while somebody looks at it,
// knows the reader's zone, and lets a slider choose a commit.  Without it all works too.
(function () {
  "use strict";

  var EVERY = 10000;

  function busy(main) {
    var at = document.activeElement;
    var selected = String(window.getSelection && window.getSelection());
    return (
      document.visibilityState !== "visible" ||
      selected !== "" ||
      main.querySelector("details[open]") !== null ||
      (at !== null && at !== document.body && at !== main && main.contains(at) &&
        at.matches("input, select, textarea, button, summary"))
    );
  }

  function refresh() {
    var main = document.getElementById("main");
    if (main && main.hasAttribute("hx-get") && !busy(main)) {
      main.dispatchEvent(new Event("refresh"));
    }
  }

  window.setInterval(refresh, EVERY);
  document.addEventListener("visibilitychange", refresh);

  // The reader's own zone, until another one is set by hand.
  if (!/(^|; )zone=/.test(document.cookie)) {
    var zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
    if (zone) {
      document.cookie = "zone=" + zone + "; path=/; max-age=31536000; samesite=lax";
      if (zone !== "UTC" && zone !== "Etc/UTC" && /(^|; )zone=/.test(document.cookie)) {
        window.location.reload();
      }
    }
  }

  // A slider over the commits of a row: its links are there without it.
  document.querySelectorAll("input[data-list]").forEach(function (slider) {
    var links = document.querySelectorAll("#" + slider.dataset.list + " a");
    var said = document.getElementById(slider.getAttribute("aria-describedby"));
    slider.hidden = false;
    slider.addEventListener("input", function () {
      said.textContent = links[slider.value].textContent.trim();
    });
    slider.addEventListener("change", function () {
      window.location.href = links[slider.value].href;
    });
  });
})();
