"""The style sheet of the report: light and dark, wide and narrow."""

CSS = """
:root {
  color-scheme: light dark;
  --page: #fbfaf7; --card: #ffffff; --ink: #1d2127; --soft: #5b6370;
  --line: #dcdcd6; --mark: #e7f0f8; --accent: #0063a0;
  --good: #00684a; --good-bg: #dff3ea; --odd: #7a4e00; --odd-bg: #fbecc9;
  --bad: #a3280f; --bad-bg: #fbe3dc; --open: #3d4a5c; --open-bg: #e6eaf0;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #14171b; --card: #1c2026; --ink: #e6e8ea; --soft: #a2abb6;
    --line: #343b44; --mark: #1e3245; --accent: #7cc0f2;
    --good: #7fdcb6; --good-bg: #12382b; --odd: #f2c76a; --odd-bg: #3d2f0d;
    --bad: #ff9f86; --bad-bg: #451d14; --open: #bcc7d6; --open-bg: #2b333e;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
body {
  margin: 0; background: var(--page); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans",
    sans-serif;
}
main { max-width: 1180px; margin: 0 auto; padding: 1.5rem 1.25rem 4rem; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: .5rem 0 .75rem; }
h2 {
  font-size: 1.4rem; margin: 0 0 .75rem; padding-top: 2.25rem;
  border-top: 1px solid var(--line);
}
section { margin-top: 2.5rem; }
h3 { font-size: 1.1rem; margin: 1.75rem 0 .5rem; }
p { margin: .5rem 0 .9rem; max-width: 50rem; }
a { color: var(--accent); }
code { font: .88em ui-monospace, Menlo, "DejaVu Sans Mono", monospace; }
code, pre { overflow-wrap: anywhere; }
pre { white-space: pre-wrap; font-size: .8rem; margin: .5rem 0; }
.lead { font-size: 1.08rem; }
.caption, figcaption, footer { color: var(--soft); }
nav { display: flex; flex-wrap: wrap; gap: .3rem 1.1rem; margin: 1rem 0; }
nav.questions { display: block; }
nav.questions ul { columns: 24rem; column-gap: 2.5rem; padding-left: 1.1rem; margin: .4rem 0; }
nav.questions li { break-inside: avoid; margin: .15rem 0; }
.first { display: grid; grid-template-columns: minmax(0, 7fr) minmax(0, 5fr); gap: 1.5rem; }
.first:not(:has(figure)) { display: block; }
.found, .first > figure { margin: 0; min-width: 0; }
.networks p { color: var(--soft); max-width: none; margin: .4rem 0; overflow-wrap: anywhere; }
ol.summary {
  background: var(--card); border: 1px solid var(--line); border-radius: 8px;
  padding: .7rem 1.1rem .7rem 2.2rem; margin: 0 0 1rem; overflow-wrap: anywhere;
}
ol.summary li { margin: .4rem 0; }
a.term { color: inherit; text-decoration: underline dotted var(--soft); }
.finding { border-left: 3px solid var(--accent); padding-left: .8rem; max-width: none; }
.judged p { margin-bottom: .2rem; }
.judged ul { list-style: none; padding: 0; margin: 0 0 1rem; }
.judged li { margin: .25rem 0; }
dt { font-weight: 600; margin-top: .7rem; }
dd { margin: 0; max-width: 50rem; }
:target { scroll-margin-top: 1rem; }
dt:target, article:target { outline: 2px solid var(--accent); outline-offset: 3px; }
.table {
  background: var(--card); margin: .75rem 0 1.25rem; overflow: hidden;
  border: 1px solid var(--line); border-radius: 8px;
}
.caption {
  margin: 0; max-width: none; padding: .6rem .75rem; font-size: .88rem;
}
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
th, td {
  padding: .38rem .75rem; text-align: left; vertical-align: top;
  border-top: 1px solid var(--line);
}
th { font-weight: 600; vertical-align: bottom; }
td:not(.long) { white-space: nowrap; }
.n { text-align: right; font-variant-numeric: tabular-nums; }
td:first-child { min-width: 10rem; }
.long, td.long:first-child { min-width: 15rem; }
td code { overflow-wrap: normal; }
.n:first-child { min-width: 0; text-align: left; }
small { display: block; font-size: .92em; color: var(--soft); }
tr.marked td { background: var(--mark); font-weight: 600; }
tr.marked small { font-weight: 400; }
.badge {
  display: inline-block; padding: .05rem .55rem; border-radius: 999px;
  font-size: .82rem; font-weight: 600; white-space: nowrap;
  color: var(--open); background: var(--open-bg);
}
.good { color: var(--good); background: var(--good-bg); }
.odd { color: var(--odd); background: var(--odd-bg); }
.bad { color: var(--bad); background: var(--bad-bg); }
.badge.none { color: var(--soft); background: none; border: 1px dashed var(--line); }
.tally { display: flex; flex-wrap: wrap; gap: .5rem; margin: .5rem 0; }
.apart { color: var(--soft); margin: .3rem 0; }
.filter {
  display: flex; flex-wrap: wrap; gap: .4rem .5rem; margin: 1rem 0; padding: .6rem .8rem .8rem;
  border: 1px solid var(--line); border-radius: 8px; min-width: 0;
}
.filter legend { color: var(--soft); padding: 0 .3rem; font-size: .9rem; }
.filter label {
  display: inline-flex; align-items: center; gap: .35rem; padding: .3rem .7rem;
  border-radius: 999px; border: 1px solid transparent; cursor: pointer; font-size: .9rem;
  color: var(--open); background: var(--open-bg);
}
.filter label.good { color: var(--good); background: var(--good-bg); }
.filter label.odd { color: var(--odd); background: var(--odd-bg); }
.filter label.bad { color: var(--bad); background: var(--bad-bg); }
.filter label.none {
  color: var(--soft); background: none; border: 1px dashed var(--line);
}
.filter label:has(:checked) { border: 1px solid currentColor; font-weight: 600; }
.filter label:has(:focus-visible) { outline: 2px solid var(--accent); outline-offset: 2px; }
.filter input { margin: 0; accent-color: currentColor; }
article {
  background: var(--card); border: 1px solid var(--line); border-radius: 8px;
  padding: .9rem 1.1rem; margin: .8rem 0;
}
article h3 { margin: .45rem 0 .3rem; font-size: 1.05rem; }
article header {
  display: flex; flex-wrap: wrap; gap: .3rem .8rem; align-items: center;
}
article p { margin: .25rem 0; max-width: none; overflow-wrap: anywhere; }
article b { color: var(--soft); font-weight: 600; }
details { margin: .6rem 0; }
summary { cursor: pointer; color: var(--accent); padding: .15rem 0; }
figure { margin: 1rem 0; }
figure label { display: block; cursor: zoom-in; }
figure label > span {
  display: block; overflow-x: auto; background: #fff; border-radius: 8px;
  border: 1px solid var(--line); padding: .4rem;
}
figure img { display: block; max-width: 100%; height: auto; margin: 0 auto; }
figure.lead img { max-height: 38rem; }
figure input { position: absolute; opacity: 0; }
figure input:focus-visible + span { outline: 2px solid var(--accent); }
figure input:checked + span { cursor: zoom-out; }
figure input:checked + span img { max-width: none; max-height: none; }
figcaption { font-size: .88rem; margin-top: .35rem; }
.tap { display: none; }
p.none, ul.none {
  border: 1px dashed var(--line); border-radius: 8px; padding: .6rem .9rem;
  color: var(--soft); overflow-wrap: anywhere;
}
figcaption details { margin: .2rem 0; }
figcaption details p { margin: .2rem 0; max-width: none; overflow-wrap: anywhere; }
ul.none { padding-left: 2rem; }
footer { font-size: .9rem; }
@media (max-width: 900px) {
  .first { display: block; }
  .found { margin-bottom: 1rem; }
}
@media (max-width: 700px) {
  main { padding: 1rem .8rem 3rem; }
  h1 { font-size: 1.5rem; }
  th, td { padding: .38rem .55rem; }
  td:first-child, td.long:first-child { min-width: 7.5rem; }
  .tap { display: inline; }
}
/* Which claims are shown: a button of `ledger.claims` hides all others. A card that a link of the
   page leads to is shown whatever is chosen. */
#ledger:has(#show-with-a-verdict:checked) article:not(.with-a-verdict, :target),
#ledger:has(#show-not-reproduced:checked) article:not(.not-reproduced, :target),
#ledger:has(#show-reproduced-but-an-artefact:checked)
  article:not(.reproduced-but-an-artefact, :target),
#ledger:has(#show-reproduced:checked) article:not(.reproduced, :target),
#ledger:has(#show-needs-more-compute:checked) article:not(.needs-more-compute, :target),
#ledger:has(#show-failed:checked) article:not(.failed, :target),
#ledger:has(#show-not-run:checked) article:not(.not-run, :target),
#ledger:has(#show-does-not-apply:checked) article:not(.does-not-apply, :target) { display: none; }
"""
