"use strict";
// A line over each voice's picture shows what is being played, and a click there plays from there.
for (const voice of document.querySelectorAll(".voice")) {
  const audio = voice.querySelector("audio"), waves = voice.querySelector(".waves");
  if (!audio) continue;
  const line = waves.querySelector(".playhead"), width = waves.viewBox.baseVal.width;
  const show = () => {
    const x = audio.duration ? (width * audio.currentTime) / audio.duration : 0;
    line.setAttribute("x1", x);
    line.setAttribute("x2", x);
    if (!audio.paused) requestAnimationFrame(show);
  };
  for (const event of ["play", "seeked", "pause"]) audio.addEventListener(event, show);
  waves.addEventListener("click", (click) => {
    const box = waves.getBoundingClientRect();
    audio.currentTime = (audio.duration * (click.clientX - box.left)) / box.width;
    audio.play();
  });
}
// A message that the ladder links to opens with all that it is folded into.
const open = () => {
  const target = location.hash && document.getElementById(location.hash.slice(1));
  for (let at = target; at; at = at.parentElement) if (at.localName === "details") at.open = true;
  if (target) target.scrollIntoView({ block: "nearest" });
};
addEventListener("hashchange", open);
open();
