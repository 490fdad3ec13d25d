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
      (at !== null && at !== document.body && at !== main && main.contains(at) &&
        at.matches("input, select, textarea"))
    );
  }

  function tell(said) {
    var place = document.getElementById("stale");
    // Said once, however often it is tried: it is read aloud.
    if (place && place.textContent !== said) {
      place.textContent = said;
      place.hidden = said === "";
    }
  }

  function since() {
    var now = document.querySelector("#now time");
    return now ? now.textContent : "it was loaded";
  }

  function refresh() {
    var main = document.getElementById("main");
    if (!main || !main.hasAttribute("hx-get") || busy(main)) {
      return;
    }
    if (main.querySelector("details.act[open]")) {
      // What is typed there is not to be lost.
      tell("Not updated since " + since() + ": a form is open. Close it to go on.");
      return;
    }
    main.dispatchEvent(new Event("refresh"));
  }

  function failed(event) {
    var status = event.detail.xhr ? event.detail.xhr.status : 0;
    var why = status === 503 ? "the database is away"
      : status ? "the server answers " + status
      : "the server does not answer";
    tell("Not updated since " + since() + ": " + why + ". It is tried again every " +
      EVERY / 1000 + " seconds.");
  }

  ["htmx:responseError", "htmx:sendError", "htmx:timeout"].forEach(function (name) {
    document.addEventListener(name, failed);
  });

  // What a part of the page is known by in the next one.
  function key(part) {
    var there = part.getAttribute("href");
    return part.id || part.tagName + " " + (there || part.textContent.trim());
  }

  function find(main, parts, wanted) {
    return Array.prototype.find.call(main.querySelectorAll(parts), function (part) {
      return key(part) === wanted;
    });
  }

  // What is open stays open, and the focus where it is.
  var kept = { open: [], focus: null };

  document.addEventListener("htmx:beforeSwap", function () {
    var main = document.getElementById("main"), at = document.activeElement;
    kept.open = Array.prototype.map.call(
      main.querySelectorAll("details[open] > summary"), key);
    kept.focus = at && at !== main && main.contains(at) ? key(at) : null;
  });

  document.addEventListener("htmx:afterSwap", function () {
    var main = document.getElementById("main");
    kept.open.forEach(function (wanted) {
      var summary = find(main, "summary", wanted);
      if (summary) {
        summary.parentNode.open = true;
      }
    });
    if (kept.focus !== null) {
      var at = find(main, "a[href], button, summary, [tabindex], [id]", kept.focus);
      (at || main).focus({ preventScroll: true });
    }
    toNewest();
  });

  // A time axis that is wider than the screen shows its newest end.
  function toNewest() {
    document.querySelectorAll(".axis-scroll").forEach(function (axis) {
      axis.scrollLeft = axis.scrollWidth;
    });
  }

  toNewest();
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
