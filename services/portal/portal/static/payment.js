// Add Payment: once a client is picked, shows what they owe and lets one of their invoices be chosen. Without this script
// the invoice's number is typed. The server writes both; nothing is decided here.
(function () {
  'use strict';

  var form = document.getElementById('receiving'), panel = document.getElementById('about-client');
  if (!form || !panel) return;
  var words = form.elements.client, amount = form.elements.amount, choice = form.elements.invoice_number;
  var asked = 0, filled = null, isKnown = Boolean(form.elements.client_id.value);

  function offer(isToChoose) {
    ['chosen', 'typed'].forEach(function (kind) {
      var box = form.querySelector('[data-invoice=' + kind + ']'), isShown = (kind === 'chosen') === isToChoose;
      box.hidden = !isShown;
      box.querySelector('select, input').disabled = !isShown;
    });
  }

  function look(clientId) {
    var number = ++asked;
    panel.setAttribute('aria-busy', 'true');
    fetch(form.dataset.ask + '?client_id=' + encodeURIComponent(clientId), {
      headers: { Accept: 'application/json' }, credentials: 'same-origin'
    }).then(function (answer) {
      return answer.json().then(function (body) {
        if (!answer.ok) throw new Error(body.detail);
        return body;
      });
    }).then(function (body) {
      if (number !== asked) return;
      panel.innerHTML = body.panel;
      choice.innerHTML = body.invoices;
      isKnown = true;
      offer(true);
    }).catch(function () {
      if (number === asked) panel.textContent = 'The balance cannot be shown right now. The payment can still be recorded.';
    }).then(function () {
      if (number === asked) panel.removeAttribute('aria-busy');
    });
  }

  form.addEventListener('client-picked', function (event) { look(event.detail.id); });
  words.addEventListener('input', function () {  // somebody else is typed: nothing of the first one may stay
    asked += 1;
    panel.removeAttribute('aria-busy');
    if (!isKnown) return;
    isKnown = false;
    choice.innerHTML = '';
    offer(false);
    panel.textContent = 'Pick the client from the list. Here it says what they owe or have left.';
  });
  choice.addEventListener('change', function () {
    var wanted = choice.selectedOptions[0].dataset.amount;
    if (!wanted || (amount.value && amount.value !== filled)) return;
    amount.value = filled = wanted;
  });
})();
