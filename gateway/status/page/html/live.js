// Shows how far runs have come, without a reload. The page works without it.
'use strict';
const place = document.getElementById('live');
async function refresh() {
  if (document.hidden) return;
  try {
    const answer = await fetch('/-/status/runs/live', {headers: {Accept: 'text/html'}});
    if (answer.ok && !answer.redirected) {
      const next = new DOMParser().parseFromString(await answer.text(), 'text/html').body;
      place.replaceChildren(...next.childNodes);
    }
  } catch { /* the gateway restarts, perhaps: the next time */ }
}
setInterval(refresh, 3000);
