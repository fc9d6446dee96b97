"""How the page looks: light, dark, narrow and on paper.

Every rule begins with the class of the report, so that a notebook that shows it keeps
its own looks.
"""

_LIGHT = """
--ink:#1c2733; --soft:#536373; --line:#dde4ea; --page:#f5f7f9; --card:#fff;
--code:#f0f3f6; --answered:#2f78bd; --denied:#7a4fb8; --throttled:#d99a00;
--failed:#b92b22; --rows:#1d8a63; --well:#14704a; --well-bg:#e3f5ec;
--failed-bg:#fce9e7; --denied-bg:#f0e9fa; --throttled-ink:#8a5a00;
--throttled-bg:#fdf2d8; --open-bg:#e8edf2; --pause:#8696a7; --rate:#1c2733;
color-scheme:light;
"""
_DARK = """
--ink:#e4ebf1; --soft:#9fb0bf; --line:#2c3a46; --page:#10171d; --card:#18222b;
--code:#22303b; --answered:#4a97dd; --denied:#ab87e8; --throttled:#eab308;
--failed:#ff6b60; --rows:#3fb98a; --well:#6fd3a8; --well-bg:#14302a;
--failed-bg:#3a1d1c; --denied-bg:#2a2140; --throttled-ink:#f3c64b;
--throttled-bg:#33290f; --open-bg:#22303b; --pause:#7d8fa1; --rate:#fff;
color-scheme:dark;
"""

STYLE = (
    f"""
.hr-report {{ {_LIGHT} }}
@media (prefers-color-scheme:dark) {{ .hr-report {{ {_DARK} }} }}
[data-jp-theme-light="true"] .hr-report {{ {_LIGHT} }}
[data-jp-theme-light="false"] .hr-report {{ {_DARK} }}
"""
    """
.hr-report { background:var(--page); color:var(--ink); container-type:inline-size;
  font:15px/1.5 system-ui,"Segoe UI",Roboto,"Helvetica Neue",sans-serif;
  padding:1.6rem 0 2.5rem; text-align:left }
.hr-report * { box-sizing:border-box }
.hr-report .hr-in { max-width:72rem; margin:auto; padding:0 1.5rem }
.hr-report code { font:.88em/1.4 ui-monospace,"Cascadia Code",Menlo,Consolas,monospace;
  overflow-wrap:anywhere }
.hr-report h1 { font-size:1rem; margin:0; color:var(--soft); font-weight:600 }
.hr-report h1 b { color:var(--ink) }
.hr-report h2 { font-size:1.1rem; margin:2.2rem 0 .5rem }
.hr-report p { margin:.3rem 0 }
.hr-report small { color:var(--soft) }
.hr-report .hr-verdict { display:flex; gap:.9rem; align-items:center; margin:.9rem 0
  1rem;
  padding:1rem 1.2rem; border-radius:.7rem; background:var(--open-bg);
  border-left:5px solid var(--soft) }
.hr-report .hr-verdict > b { font-size:1.5rem; line-height:1; width:1.6rem;
  text-align:center; flex:none }
.hr-report .hr-verdict p { margin:0; font-size:1.2rem; line-height:1.35;
  overflow-wrap:anywhere }
.hr-report .hr-verdict strong { display:block; font-size:.82rem }
.hr-report .hr-verdict.hr-is-well { background:var(--well-bg);
  border-color:var(--well) }
.hr-report .hr-verdict.hr-is-failed { background:var(--failed-bg);
  border-color:var(--failed) }
.hr-report .hr-verdict.hr-is-denied { background:var(--denied-bg);
  border-color:var(--denied) }
.hr-report .hr-verdict.hr-is-throttled { background:var(--throttled-bg);
  border-color:var(--throttled) }
.hr-report .hr-is-well > b, .hr-report .hr-is-well strong { color:var(--well) }
.hr-report .hr-is-failed > b, .hr-report .hr-verdict.hr-is-failed strong {
  color:var(--failed) }
.hr-report .hr-is-denied > b, .hr-report .hr-verdict.hr-is-denied strong {
  color:var(--denied) }
.hr-report .hr-is-throttled > b, .hr-report .hr-verdict.hr-is-throttled strong {
  color:var(--throttled-ink) }
.hr-report dl.hr-figures { display:grid; gap:.7rem; margin:0;
  grid-template-columns:repeat(var(--in,4),minmax(0,1fr)) }
.hr-report .hr-in-1 { --in:3 }
.hr-report .hr-in-3 { --in:3 }
.hr-report .hr-in-5 { --in:5 }
.hr-report .hr-figures > div { background:var(--card); border:1px solid var(--line);
  border-radius:.6rem; padding:.6rem .85rem; min-width:0 }
.hr-report dt { color:var(--soft); font-size:.78rem; font-weight:600; margin:0 }
.hr-report dd { margin:0 }
.hr-report .hr-figures dd b { display:block; font-size:1.35rem; line-height:1.3;
  font-weight:600; font-variant-numeric:tabular-nums; white-space:nowrap }
.hr-report .hr-card { background:var(--card); border:1px solid var(--line);
  border-radius:.6rem; padding:.9rem 1.1rem 1rem }
.hr-report .hr-legend { display:flex; flex-wrap:wrap; gap:.15rem 1.1rem;
  list-style:none;
  margin:0 0 .4rem; padding:0; font-size:.85rem }
.hr-report .hr-legend li { margin:0; display:flex; align-items:center; gap:.4rem }
.hr-report .hr-legend svg { width:1.3rem; height:.8rem; flex:none }
.hr-report .hr-frame { position:relative; padding:0 0 1.5rem 3.2rem; margin:.4rem 0 0 }
.hr-report .hr-unit { font-size:.78rem; color:var(--soft); margin:0 0 .5rem -3.2rem }
.hr-report .hr-canvas { position:relative; height:14rem;
  border-bottom:1px solid var(--soft) }
.hr-report .hr-low .hr-canvas { height:6.5rem }
.hr-report .hr-canvas svg { display:block; width:100%; height:100% }
.hr-report .hr-ys { position:absolute; left:0; width:2.8rem; bottom:1.5rem;
  height:14rem }
.hr-report .hr-low .hr-ys { height:6.5rem }
.hr-report .hr-ys span { position:absolute; right:0; transform:translateY(50%);
  font-size:.75rem; line-height:1; color:var(--soft); font-variant-numeric:tabular-nums;
  white-space:nowrap }
.hr-report .hr-xs { position:absolute; left:3.2rem; right:0; bottom:0; height:1.3rem }
.hr-report .hr-xs span { position:absolute; transform:translateX(-50%);
  font-size:.75rem;
  color:var(--soft); white-space:nowrap; font-variant-numeric:tabular-nums }
.hr-report .hr-xs span::before { content:""; position:absolute; left:50%; top:-.3rem;
  height:.3rem; border-left:1px solid var(--soft) }
.hr-report path { vector-effect:non-scaling-stroke }
.hr-report .hr-answered { fill:var(--answered) }
.hr-report .hr-denied { fill:var(--denied) }
.hr-report .hr-throttled { fill:var(--throttled) }
.hr-report .hr-failed { fill:var(--failed) }
.hr-report .hr-rows { fill:var(--rows) }
.hr-report .hr-paused { fill:var(--pause); fill-opacity:.33 }
.hr-report .hr-down { fill:var(--failed); fill-opacity:.25 }
.hr-report .hr-grid { stroke:var(--line); fill:none }
.hr-report .hr-rate { stroke:var(--rate); fill:none; stroke-width:2;
  stroke-dasharray:6 3 }
.hr-report .hr-halo { stroke:var(--card); fill:none; stroke-width:4; stroke-opacity:.6 }
.hr-report .hr-hits { position:absolute; inset:0; display:flex }
.hr-report .hr-hits i { flex:1 1 0; min-width:0; position:relative }
.hr-report .hr-hits i:hover { background:color-mix(in srgb,var(--ink) 14%,transparent) }
.hr-report .hr-hits i:hover::after { content:attr(data-t); position:absolute; top:.4rem;
  z-index:2; white-space:pre; font:.8rem/1.45 system-ui,sans-serif; color:var(--ink);
  background:var(--card); border:1px solid var(--soft); border-radius:.4rem;
  padding:.4rem .6rem; pointer-events:none; box-shadow:0 2px 8px rgba(0,0,0,.25) }
.hr-report .hr-l:hover::after { left:calc(100% + .4rem) }
.hr-report .hr-r:hover::after { right:calc(100% + .4rem) }
.hr-report .hr-scroll { overflow-x:auto }
.hr-report table { border-collapse:collapse; width:100%; margin:.3rem 0;
  font-size:.9rem;
  background:none; color:inherit; border:0 }
.hr-report caption { text-align:left; color:var(--soft); font-size:.82rem;
  padding:0 0 .3rem; caption-side:top }
.hr-report th, .hr-report td { text-align:left; padding:.32rem .9rem .32rem 0;
  border:0; border-bottom:1px solid var(--line); vertical-align:top;
  background:none; max-width:none }
.hr-report thead th { font-size:.78rem; color:var(--soft); font-weight:600;
  vertical-align:bottom; white-space:nowrap }
.hr-report tbody th { font-weight:500; overflow-wrap:anywhere; min-width:5rem }
.hr-report tbody tr:last-child > * { border-bottom:0 }
.hr-report .hr-n { text-align:right; font-variant-numeric:tabular-nums;
  white-space:nowrap }
.hr-report .hr-n:last-child { padding-right:0 }
.hr-report .hr-zero { color:var(--soft) }
.hr-report .hr-barred { display:grid; grid-template-columns:9rem minmax(5.3rem,auto);
  gap:.6rem; align-items:center; justify-content:end }
.hr-report td small { white-space:nowrap; display:inline-block }
.hr-report th p { margin:0; color:var(--soft); font-weight:400; font-size:.85rem }
.hr-report .hr-bar { width:9rem; height:.8rem; background:var(--code);
  border-radius:.2rem; overflow:hidden }
.hr-report .hr-bar i { display:block; height:100%; background:var(--rows);
  border-radius:.2rem }
.hr-report .hr-pill { border-radius:1rem; padding:.08rem .6rem .1rem .45rem;
  font-size:.82rem; background:var(--open-bg); white-space:nowrap;
  display:inline-block }
.hr-report .hr-pill.hr-is-well { background:var(--well-bg) }
.hr-report .hr-pill.hr-is-failed { background:var(--failed-bg) }
.hr-report .hr-pill.hr-is-denied { background:var(--denied-bg) }
.hr-report .hr-pill.hr-is-throttled { background:var(--throttled-bg) }
.hr-report .hr-count { margin-right:1rem; white-space:nowrap;
  font-variant-numeric:tabular-nums }
.hr-report .hr-reasons { list-style:none; padding:0; margin:0; display:grid; gap:.6rem }
.hr-report .hr-reasons li { background:var(--card); border:1px solid var(--line);
  border-radius:.6rem; padding:.65rem 1rem; margin:0; overflow-wrap:anywhere }
.hr-report .hr-reasons p { color:var(--soft); font-size:.9rem }
.hr-report .hr-matrix table { width:auto }
.hr-report .hr-matrix thead th[title] { font-weight:400; color:var(--ink) }
.hr-report details { margin:.5rem 0 }
.hr-report summary { cursor:pointer; color:var(--soft); font-size:.9rem;
  padding:.25rem 0 }
.hr-report summary:hover { color:var(--ink) }
.hr-report .hr-settings { display:grid; grid-template-columns:max-content 1fr;
  gap:.3rem 1.5rem; margin:0 }
.hr-report .hr-settings dd { overflow-wrap:anywhere; min-width:0 }
.hr-report .hr-settings dt { font-size:.9rem; font-weight:400 }
.hr-report footer { color:var(--soft); font-size:.82rem; margin-top:2rem }
@container (max-width:60rem) {
  .hr-report .hr-barred { grid-template-columns:3.5rem minmax(4.6rem,auto) }
  .hr-report .hr-bar { width:3.5rem }
  .hr-report th, .hr-report td { padding-right:.6rem }
  .hr-report thead th { white-space:normal }
}
@container (max-width:46rem) {
  .hr-report .hr-in { padding:0 .9rem }
  .hr-report .hr-more, .hr-report .hr-odd, .hr-report .hr-bar { display:none }
  .hr-report .hr-barred { display:block }
  .hr-report table { font-size:.84rem }
  .hr-report th, .hr-report td { padding-right:.4rem }
  .hr-report tbody th { min-width:2.5rem }
  .hr-report .hr-pill { white-space:normal; padding:.08rem .5rem .1rem .4rem }
  .hr-report .hr-verdict p { font-size:1.05rem }
  .hr-report dl.hr-figures { --in:2; gap:.5rem }
  .hr-report .hr-figures dd b { font-size:1.15rem }
  .hr-report .hr-settings { grid-template-columns:1fr; gap:0 }
  .hr-report .hr-settings dd { margin-bottom:.4rem }
}
@media print {
  .hr-report { """
    + _LIGHT.strip()
    + """ background:#fff; padding:0; font-size:10pt;
    print-color-adjust:exact; -webkit-print-color-adjust:exact }
  .hr-report .hr-in { max-width:none; padding:0 }
  .hr-report .hr-hits { display:none }
  .hr-report h2 { break-after:avoid }
  .hr-report tr, .hr-report li, .hr-report .hr-frame { break-inside:avoid }
}
"""
)
