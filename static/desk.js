/* Shortcuts, focus after a swap, what is announced. Every page works without it. */
(() => {
  const root = document.documentElement, $ = (s, e = document) => e.querySelector(s), all = s => [...document.querySelectorAll(s)];
  const typing = t => t.isContentEditable || t.matches('textarea,select,input:not([type=radio],[type=checkbox],[type=button],[type=submit])');
  const rows = () => all('.items>li,.grid:not(.inv *) tbody tr');
  const chosen = x => x.matches('.sel,[aria-current]');
  const select = row => {
    rows().filter(chosen).forEach(x => { x.classList.remove('sel'); x.removeAttribute('aria-current'); });
    row.classList.add('sel');
    if (row.matches('tr')) row.setAttribute('aria-current', 'true');
  };
  const move = d => {
    const r = rows(); if (!r.length) return false;
    const n = r[Math.min(Math.max(r.findIndex(chosen) + d, 0), r.length - 1)];
    select(n); ($('h3 a', n) ?? $('a', n))?.focus(); return true;
  };
  const mark = d => {
    const m = all('.viewer [href^="#f"]'); if (!m.length) return false;
    const i = m.indexOf(document.activeElement);
    m[(i + d + m.length + (i < 0 && d < 0 ? 1 : 0)) % m.length].focus(); return true;
  };
  const zoom = d => {
    const s = $('.sheet'); if (!s) return false;
    s.dataset.zoom = Math.min(Math.max(+(s.dataset.zoom ?? 0) + d, -1), 3); return true;
  };
  const moved = JSON.parse(root.dataset.keymap ?? '{}'); // {pressed: the usual key}
  const label = () => { for (const [on, usual] of Object.entries(moved)) if (usual) for (const x of all(`[data-key="${CSS.escape(usual)}"]`)) { const b = $('kbd', x.closest('label,[role=search]') ?? x); if (b) b.textContent = on.toUpperCase(); } };
  label();
  let swapped = 0; // a key meant for the last case must not act on the next
  const tick = () => { const b = $('.items .sel [form=bulk]'); b?.click(); return !!b; };
  const moves = { x: tick, j: () => move(1), k: () => move(-1), n: () => mark(1), p: () => mark(-1), '+': () => zoom(1), '-': () => zoom(-1) };

  addEventListener('keydown', e => {
    if (e.defaultPrevented || e.isComposing) return;
    const t = e.target, ctrl = e.ctrlKey || e.metaKey, off = root.dataset.keys === 'off';
    if (e.key === 'Escape' && typing(t)) return t.blur();
    if (e.altKey || (ctrl && e.key !== 'Enter') || (!ctrl && (off || typing(t)))) return;
    let k = ctrl ? 'ctrl+enter' : e.key.length === 1 ? e.key.toLowerCase() : e.key;
    k = moved[k] ?? k; if (!k) return;
    if (e.repeat && !/^[jknp]$/.test(k)) { if (/^[a-z.]$|enter$/i.test(k)) e.preventDefault(); return; } // held keys never decide
    if (Date.now() - swapped < 400 && /^(ctrl\+enter|Enter|[a-il-z])$/.test(k)) return e.preventDefault();
    if (k === 'Enter' && t.closest('a,button,summary,input,select')) return;
    if (moves[k]?.()) return e.preventDefault();
    const row = rows().find(chosen);
    const el = /^[1-9]$/.test(k) ? $(`#f${k} input`) ?? $(`#f${k} a`)
      : k === 'Enter' ? $('h3 a', row ?? document.createElement('i')) ?? $('[data-key=Enter]') : all(`[data-key="${CSS.escape(k)}"]`).find(x => x.checkVisibility());
    if (!el) return;
    e.preventDefault(); el.scrollIntoView({ block: 'nearest' }); el.focus();
    if (!/^[1-9/]$/.test(k)) el.click();
  });

  addEventListener('click', e => {
    const z = e.target.closest?.('[data-zoom-by]');
    if (z) zoom(+z.dataset.zoomBy);
    if (e.target.closest?.('[data-print]')) print();
    const a = e.target.closest?.('.items h3 a');
    if (a) history.replaceState({ ...history.state, row: a.closest('li').id }, '');
  });
  for (const on of ['mouseover', 'mouseout', 'focusin', 'focusout']) addEventListener(on, e => {
    const f = e.target.closest?.('.dis li,.viewer [href^="#f"]'); if (!f) return;
    all(f.getAttribute('href') ?? `.viewer [href="#${f.id}"]`).forEach(x => x.classList.toggle('lit', /over|in/.test(on)));
  });

  const tell = text => { const l = $('#live'); if (l.textContent !== text) l.textContent = text; };
  setTimeout(() => { const t = $('p.toast'); if (t) tell(t.innerText); }, 500); // while it loads nobody listens
  let hidden = document.hidden && Date.now(), polled = 0, said = 0;
  addEventListener('visibilitychange', () => {
    hidden = document.hidden && Date.now();
    if (!hidden) all('[data-poll]').forEach(x => htmx.trigger(x, 'look'));
  });
  addEventListener('htmx:beforeRequest', e => {
    const el = e.detail.elt;
    if (el.matches('[data-poll]')) { // a hidden tab asks once a minute, and after five minutes no more
      const now = Date.now();
      if (hidden && (now - hidden > 3e5 || now - polled < 55e3)) return e.preventDefault();
      polled = now;
    }
    if (el.matches('.items h3 a')) select(el.closest('li'));
    if (el.id === 'consequence') draft('saving');
  });
  const draft = how => { const s = $('#saved'); if (s) s.textContent = s.dataset[how]; };
  let active = Date.now(), ahead, text;
  for (const on of ['keydown', 'pointermove', 'scroll']) addEventListener(on, () => { active = Date.now(); }, true);
  addEventListener('toggle', e => { // what was opened goes on record
    const n = $('#looked'); if (n && e.target.open) n.value += ` ${e.target.closest('section')?.id ?? ''}`;
  }, true);
  addEventListener('change', e => { // the next case is fetched, not seen
    const url = $('a[rel=next]')?.href; if (e.target.name !== 'verdict' || !url || ahead === url) return;
    ahead = url; text = '';
    fetch(url, { headers: { 'X-Ahead': '1' } }).then(r => r.text()).then(got => { if (ahead === url) text = got; }, () => 0);
  });
  addEventListener('htmx:configRequest', e => {
    const d = e.detail;
    if (d.elt.id === 'beat') d.parameters.idle = Math.round((Date.now() - active) / 1000);
    if (d.elt.id === 'decision' && text) d.headers['X-Ahead'] = ahead.slice(location.origin.length);
  });
  addEventListener('desk:next', e => {
    history.pushState({ htmx: true }, '', e.detail.url);
    htmx.swap('#main', text, { swapStyle: 'outerHTML', swapDelay: 0, settleDelay: 0 }, { select: '#main' }); text = '';
  });
  const whole = el => el.matches?.('main,body,#decision');
  addEventListener('htmx:afterSwap', e => { if (whole(e.target)) swapped = Date.now(); }); // it is seen before it has settled
  addEventListener('htmx:afterSettle', e => {
    const el = e.target;
    label();
    const news = el.id === 'news' && $('span', el); // not mere counts
    if (news && Date.now() - said > 3e4) { said = Date.now(); tell(news.textContent); }
    const w = whole(el), say = $(w ? ':not(.card)[data-say]' : '[data-say]', el), done = el.matches('main') && $('.toast span,p.toast'); if (say) tell((done ? done.innerText.replace(/\.?$/, '. ') : '') + say.dataset.say);
    if (w) {
      const f = $('[data-focus]', el) ?? (el.matches('body') && $('h1', el));
      if (f) { f.tabIndex = -1; f.focus({ preventScroll: !el.matches('#decision') && !f.matches('.note') }); }
      if (!el.matches('#decision')) scrollTo(0, 0);
    }
  });
  const back = document.getElementById(history.state?.row ?? location.hash.slice(1)); // the row one has come back to
  if (back?.matches('.items>li')) { select(back); $('h3 a', back).focus(); }
  const lost = on => { const n = $('#offline'); if (n) n.hidden = !on; };
  addEventListener('htmx:sendError', e => { lost(true); if (e.detail.elt.id === 'consequence') draft('lost'); });
  addEventListener('htmx:afterOnLoad', e => lost(e.detail.xhr.status === 503));
})();
