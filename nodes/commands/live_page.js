"use strict";
const PICTURE_MS = 120, STATE_MS = 500;
const $ = (id) => document.getElementById(id);
const pause = (ms) => new Promise((done) => setTimeout(done, ms));

function element(kind, text, className) {
  const made = document.createElement(kind);
  made.textContent = text;
  if (className) made.className = className;
  return made;
}

async function follow(camera, figure) {
  let shown = figure.querySelector("img");
  for (;;) {
    try {
      const answer = await fetch(`camera/${camera}.jpg`, { cache: "no-store" });
      if (answer.ok) {
        const next = new Image();
        next.alt = shown.alt;
        next.src = URL.createObjectURL(await answer.blob());
        await next.decode();
        shown.replaceWith(next);
        URL.revokeObjectURL(shown.src);
        shown = next;
      }
    } catch (error) { await pause(1000); }
    await pause(PICTURE_MS);
  }
}

const cameras = new Set();
function showCameras(names) {
  for (const name of names.filter((name) => !cameras.has(name))) {
    if (!cameras.size) $("cameras").textContent = "";
    cameras.add(name);
    const figure = document.createElement("figure"), image = document.createElement("img");
    image.alt = `camera ${name}`;
    figure.append(image, element("figcaption", name));
    $("cameras").append(figure);
    follow(name, figure);
  }
}

function showObjects(objects) {
  if (!objects.length) { $("objects").textContent = "nothing seen yet"; return; }
  const table = document.createElement("table"), head = document.createElement("tr");
  for (const [name, kind] of [["id", "n"], ["label", ""], ["score", "n"], ["x, y, z (m)", "n"], ["state", ""], ["seen", "n"]]) head.append(element("th", name, kind));
  table.append(head);
  for (const one of objects) {
    const row = document.createElement("tr");
    if (one.status !== "visible") row.className = "dim";
    row.append(element("td", one.id, "n"), element("td", one.label), element("td", one.score.toFixed(2), "n"),
      element("td", one.position.map((value) => value.toFixed(3)).join("  "), "n"), element("td", one.status),
      element("td", `${one.age_s.toFixed(1)} s ago`, "n"));
    table.append(row);
  }
  $("objects").replaceChildren(table);
}

let decision = "";
async function showDecision(state) {
  $("result").textContent = state.result;
  if (state.decision === decision || !state.decision) return;
  const answer = await fetch("decision.svg", { cache: "no-store" });
  if (!answer.ok) return;
  decision = state.decision;
  $("step").textContent = `Step ${state.step}: ${state.instruction}`;
  const chart = new DOMParser().parseFromString(await answer.text(), "image/svg+xml").documentElement;
  $("chart").replaceChildren(document.importNode(chart, true));
}

async function main() {
  for (;;) {
    try {
      const state = await (await fetch("state.json", { cache: "no-store" })).json();
      $("title").textContent = `SeeSay: ${state.session}`;
      $("nodes").replaceChildren(...Object.entries(state.nodes).flatMap(([name, word]) => [element("span", `${name} `), element("b", word, word === "ready" ? "" : "off"), " \u00a0 "]));
      showCameras(state.cameras);
      showObjects(state.objects);
      await showDecision(state);
    } catch (error) {
      $("nodes").replaceChildren(element("span", "seesay view has ended, or does not answer", "lost"));
    }
    await pause(STATE_MS);
  }
}
main();
