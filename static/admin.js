// The server's log is followed while its end is in sight.
"use strict";

(() => {
  const box = document.getElementById("server-log");
  if (!box) return;
  let following = !location.hash;
  box.addEventListener("scroll", () => { following = box.scrollHeight - box.scrollTop - box.clientHeight < 40; });
  const follow = () => { if (following) box.scrollTop = box.scrollHeight; };
  new MutationObserver(() => {
    const lines = box.getElementsByClassName("line");
    while (lines.length > 5000) lines[0].remove();
    follow();
  }).observe(box, { childList: true });
  follow();
})();
