// The grid of Add Payments. What is typed or pasted is sent to the server, which reads it, says of each row whose it is
// and what is wrong, and adds up: no amount is read here.
(function () {
  'use strict';

  var form = document.getElementById('many');
  if (!form) return;
  var grid = document.getElementById('grid'), body = grid.tBodies[0], blank = document.getElementById('grid-row');
  var say = document.getElementById('say'), deposit = document.getElementById('deposit-said');
  var problem = document.getElementById('problem'), button = form.querySelector('button.main');
  var COLUMNS = 7, MOST = 2000;
  var timer = null, asked = 0, painted = [], lists = 0;

  // --- cells ---

  function inputs(row) { return row.querySelectorAll('input:not([type=hidden])'); }

  function cellsOf(row) {
    return Array.prototype.map.call(inputs(row), function (input, column) {
      var picked = column === 0 && row.querySelector('input[type=hidden]');
      return (picked && picked.value) || input.value;
    });
  }

  function isBlank(row) { return cellsOf(row).every(function (cell) { return !cell.trim(); }); }

  function grow(count) {
    var made = document.createDocumentFragment(), start = body.rows.length;
    for (var number = start + 1; number <= count; number += 1) {
      var row = blank.content.firstElementChild.cloneNode(true);
      row.cells[0].textContent = number;
      Array.prototype.forEach.call(inputs(row), function (input) {
        input.setAttribute('aria-label', input.getAttribute('aria-label').replace('Row 0', 'Row ' + number));
      });
      made.append(row);
    }
    body.append(made);
  }

  function oneMore() { if (!isBlank(body.rows[body.rows.length - 1])) grow(body.rows.length + 1); }

  function placeOf(input) {
    var row = input.closest('tr');
    return { row: row.sectionRowIndex, column: Array.prototype.indexOf.call(inputs(row), input) };
  }

  function go(row, column) {
    if (row < 0 || column < 0 || column >= COLUMNS) return;
    if (row >= body.rows.length) oneMore();
    if (row >= body.rows.length) return;
    var input = inputs(body.rows[row])[column];
    input.focus();
    input.select();
  }

  function put(rows, at, column, isWhole) {
    if (at + rows.length > MOST) {
      return tell('That would be more than ' + MOST + ' rows. Split the list, and record the parts one after the other.');
    }
    grow(at + rows.length + 1);
    rows.forEach(function (cells, index) {
      var fields = inputs(body.rows[at + index]);
      for (var place = isWhole ? 0 : column; place < COLUMNS; place += 1) {
        if (place === 0 || cells[place] || isWhole) fields[place].value = cells[place];
        if (place === 0) forget(body.rows[at + index]);
      }
    });
    oneMore();
    check(0);
  }

  // --- the client of a row: who fits what is typed ---

  function forget(row) {
    var picked = row.querySelector('input[type=hidden]');
    if (picked) picked.value = '';
  }

  function withList(input) {
    var box = input.parentElement;
    if (box.querySelector('ul')) return box;
    var picked = document.createElement('input'), list = document.createElement('ul');
    picked.type = 'hidden';
    list.id = 'grid-clients-' + (lists += 1);
    list.hidden = true;
    list.setAttribute('role', 'listbox');
    list.setAttribute('aria-label', 'Clients');
    input.setAttribute('role', 'combobox');
    input.setAttribute('aria-autocomplete', 'list');
    input.setAttribute('aria-expanded', 'false');
    input.setAttribute('aria-controls', list.id);
    box.append(picked, list);
    window.clientField(box);
    return box;
  }

  function place(input) {
    var list = input.parentElement.querySelector('ul'), where = input.getBoundingClientRect();
    if (!list) return;
    list.style.left = where.left + 'px';
    list.style.top = where.bottom + 'px';
  }

  // --- checking, as one goes ---

  function sent(more) {
    var data = new FormData(form), rows = Array.prototype.map.call(body.rows, cellsOf);
    ['rows', 'pasted', 'file'].forEach(function (name) { data.delete(name); });
    while (rows.length && rows[rows.length - 1].every(function (cell) { return !cell.trim(); })) rows.pop();
    data.append('rows', new Blob([JSON.stringify(rows)], { type: 'application/json' }), 'rows.json');
    Object.keys(more || {}).forEach(function (name) { data.set(name, more[name]); });
    return data;
  }

  function ask(path, data) {
    return fetch(path, {
      method: 'POST', body: data, headers: { Accept: 'application/json' }, credentials: 'same-origin'
    }).then(function (answer) {
      return answer.json().catch(function () { return {}; }).then(function (found) {
        found.isOk = answer.ok;
        return found;
      });
    }, function () { return { isOk: false, detail: 'The server does not answer. Nothing is lost: try again in a moment.' }; });
  }

  function check(wait) {
    var number = asked += 1;
    clearTimeout(timer);
    timer = setTimeout(function () {
      ask(form.dataset.check, sent()).then(function (found) {
        if (number !== asked) return; // something else was typed since
        if (found.isOk) paint(found); else tell(found.detail || 'The rows cannot be checked right now.');
      });
    }, wait);
  }

  function tell(words) { say.textContent = words; }

  function paint(found) {
    var fresh = [];
    found.rows.forEach(function (row) { fresh[row.row - 1] = row; });
    for (var index = 0; index < Math.max(fresh.length, painted.length); index += 1) {
      var now = fresh[index] && JSON.stringify(fresh[index]);
      if (now !== painted[index]) paintRow(body.rows[index], fresh[index]);
      painted[index] = now;
    }
    painted.length = fresh.length;
    if (say.textContent !== found.say) tell(found.say);
    if (deposit.textContent !== found.deposit.words) deposit.textContent = found.deposit.words;
    deposit.className = 'seen ' + found.deposit.tone;
  }

  function paintRow(row, found) {
    if (!row) return;
    var cell = row.cells[row.cells.length - 1], wrong = (found && found.cells) || [];
    cell.className = 'seen ' + (found ? found.tone : '');
    cell.id = 'seen-' + (row.sectionRowIndex + 1);
    cell.replaceChildren();
    Array.prototype.forEach.call(inputs(row), function (input, column) {
      var isWrong = wrong.indexOf(column) >= 0;
      if (isWrong) input.setAttribute('aria-invalid', 'true'); else input.removeAttribute('aria-invalid');
      if (isWrong) input.setAttribute('aria-describedby', cell.id); else input.removeAttribute('aria-describedby');
    });
    if (!found) return;
    if (found.name) {
      var name = document.createElement('strong');
      name.textContent = found.name;
      cell.append(name, found.amount ? ', ' + found.amount + '. ' : '. ');
    }
    cell.append(found.words.join(' '));
    found.candidates.forEach(function (one) {
      var choice = document.createElement('button');
      choice.type = 'button';
      choice.className = 'plain';
      choice.textContent = one.name + ' (' + one.note + ')';
      choice.addEventListener('click', function () {
        var input = inputs(row)[0], box = withList(input);
        input.value = one.name;
        box.querySelector('input[type=hidden]').value = one.id;
        input.focus();
        check(0);
      });
      cell.append(' ', choice);
    });
  }

  // --- typing, pasting, moving ---

  grid.addEventListener('focusin', function (event) {
    if (event.target.tagName === 'INPUT' && placeOf(event.target).column === 0) {
      withList(event.target);
      place(event.target);
    }
  });

  grid.addEventListener('input', function (event) {
    problem.textContent = '';
    if (placeOf(event.target).column === 0) place(event.target);
    if (event.target.closest('tr') === body.rows[body.rows.length - 1]) oneMore();
    check(500);
  });
  grid.addEventListener('client-picked', function () { check(0); });
  ['method', 'received_on', 'deposit'].forEach(function (name) {
    form.elements[name].addEventListener('input', function () { check(500); });
  });

  grid.addEventListener('paste', function (event) {
    var text = event.clipboardData.getData('text/plain').replace(/[\r\n]+$/, '');
    if (event.target.tagName !== 'INPUT' || !/[\t\n\r]/.test(text)) return; // one value goes where the caret is
    event.preventDefault();
    var at = placeOf(event.target);
    take(new Blob([text]), 'pasted', at.row, at.column);
  });

  document.getElementById('file-grid').addEventListener('change', function (event) {
    var file = event.target.files[0], last = body.rows.length;
    if (!file) return;
    while (last > 0 && isBlank(body.rows[last - 1])) last -= 1;
    take(file, 'file', last, 0);
    event.target.value = '';
  });

  function take(blob, name, row, column) {
    var data = new FormData();
    data.append('csrf', form.elements.csrf.value);
    data.append('column', column);
    data.append(name, blob, 'rows.txt');
    problem.textContent = '';
    tell('Reading …');
    ask(form.dataset.read, data).then(function (found) {
      if (!found.isOk) return tell(found.detail || 'This could not be read.');
      if (!found.rows.length) return tell('There are no rows in it.');
      if (found.left_out.length) problem.textContent = 'Columns that have no place here were left out: ' + found.left_out.join(', ') + '.';
      put(found.rows, row, column, found.has_header || name === 'file');
    });
  }

  // Before the field's own keys, which open the list of clients.
  grid.addEventListener('keydown', function (event) {
    if (event.target.tagName !== 'INPUT' || event.altKey || event.ctrlKey || event.metaKey || event.isComposing) return;
    var input = event.target, at = placeOf(input), list = input.parentElement.querySelector('ul');
    var isChoosing = list && !list.hidden;
    var isAll = input.selectionStart === 0 && input.selectionEnd === input.value.length;
    var isAtStart = isAll || (input.selectionStart === 0 && input.selectionEnd === 0);
    var isAtEnd = isAll || (input.selectionStart === input.value.length);
    var by = null;
    if (event.key === 'Enter' && !(isChoosing && input.hasAttribute('aria-activedescendant'))) by = [event.shiftKey ? -1 : 1, 0];
    else if (isChoosing) return;
    else if (event.key === 'ArrowDown') by = [1, 0];
    else if (event.key === 'ArrowUp') by = [-1, 0];
    else if (event.key === 'ArrowLeft' && isAtStart && !event.shiftKey) by = [0, -1];
    else if (event.key === 'ArrowRight' && isAtEnd && !event.shiftKey) by = [0, 1];
    if (by === null) return;
    event.preventDefault();
    event.stopPropagation();
    go(at.row + by[0], at.column + by[1]);
  }, true);

  form.addEventListener('submit', function (event) {
    event.preventDefault();
    if (button.disabled) return;
    clearTimeout(timer);
    asked += 1;
    button.disabled = true;
    problem.textContent = '';
    ask(form.getAttribute('action'), sent()).then(function (found) {
      if (found.go_to) return location.assign(found.go_to);
      button.disabled = false;
      if (found.rows) paint(found);
      problem.textContent = found.detail || 'It is not known whether they were recorded. Record again: it is done only once.';
      var first = grid.querySelector('[aria-invalid]');
      if (first) first.focus(); else problem.scrollIntoView({ block: 'nearest' });
    });
  });
})();
