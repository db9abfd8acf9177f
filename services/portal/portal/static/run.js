// A run over several clients: asks the server to do one after the other, and shows what became of each. The server
// remembers what is done, so that asking twice does it once.
(function () {
  'use strict';

  var form = document.getElementById('run');
  if (!form) return;
  var start = document.getElementById('run-start'), stop = document.getElementById('run-stop');
  var bar = document.getElementById('progress'), words = document.getElementById('run-words');
  var isRunning = false;
  start.disabled = false;

  function open() {
    return Array.prototype.slice.call(document.querySelectorAll('tr[data-open]'));
  }

  function show(row, answer) {
    var cell = row.querySelector('.result'), tag = cell.querySelector('.tag');
    tag.className = 'tag ' + answer.tone;
    tag.textContent = answer.word;
    cell.querySelector('.said').textContent = answer.detail;
    if (answer.is_open) row.dataset.open = answer.state; else delete row.dataset.open;
    bar.value = bar.max - open().length;
    words.textContent = answer.summary;
  }

  function ask(row) {
    row.querySelector('.result .tag').textContent = 'one moment …';
    return fetch(row.dataset.step, {
      method: 'POST', body: new FormData(form), headers: { Accept: 'application/json' }, credentials: 'same-origin'
    }).then(function (response) {
      return response.json().then(function (answer) {
        if (!response.ok) throw new Error(answer.detail);
        show(row, answer);
      });
    }).catch(function (error) {
      row.querySelector('.result .tag').textContent = 'not known yet';
      throw error;
    });
  }

  function rest() {
    isRunning = false;
    var left = open();
    var unknown = left.filter(function (row) { return row.dataset.open === 'unknown'; });
    stop.disabled = true;
    start.disabled = !left.length;
    start.textContent = left.length && left.length === unknown.length ? start.dataset.unknown : start.dataset.again;
    if (!left.length) start.textContent = 'Done';
  }

  function next(rows) {
    if (!isRunning || !rows.length) return rest();
    ask(rows[0]).then(function () { next(rows.slice(1)); }, function (error) {
      rest();
      words.textContent = 'It stopped: ' + (error.message || 'the page could not reach us.') + ' “Go on” takes it up again.';
    });
  }

  start.addEventListener('click', function () {
    isRunning = true;
    start.disabled = true;
    stop.disabled = false;
    stop.focus();
    next(open());
  });

  stop.addEventListener('click', function () {
    isRunning = false; // the one under way is finished first
    stop.disabled = true;
    words.textContent = 'Stopping after this one …';
  });

  window.addEventListener('beforeunload', function (event) {
    if (isRunning) event.preventDefault();
  });
})();
