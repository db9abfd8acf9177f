// Beside the form for a session: says whether it could be added, while the form is filled in. Without this script a
// button asks for it. The server writes the panel; nothing is decided here.
(function () {
  'use strict';

  var form = document.getElementById('booking'), panel = document.getElementById('gate');
  if (!form || !panel) return;
  var timer = null, asked = 0, shown = '';

  function facts() {
    return ['client_id', 'service_id', 'price', 'date', 'time', 'which'].map(function (name) {
      var field = form.elements[name];
      return name + '=' + encodeURIComponent(field ? field.value : '');
    }).join('&');
  }

  function look() {
    var query = facts(), number = ++asked;
    if (query === shown) return;
    panel.setAttribute('aria-busy', 'true');
    fetch(form.dataset.ask + '?' + query, {
      headers: { Accept: 'application/json' }, credentials: 'same-origin'
    }).then(function (answer) {
      return answer.json().then(function (body) {
        if (!answer.ok) throw new Error(body.detail);
        return body;
      });
    }).then(function (body) {
      if (number !== asked) return;
      shown = query;
      panel.innerHTML = body.panel;
    }).catch(function () {
      if (number !== asked) return;
      panel.textContent = 'It could not be checked right now. Adding the session checks it as well.';
    }).then(function () {
      if (number === asked) panel.removeAttribute('aria-busy');
    });
  }

  function soon() {
    clearTimeout(timer);
    timer = setTimeout(look, 250);
  }

  shown = facts();
  if (!panel.querySelector('.verdict') && form.elements.client_id.value && form.elements.service_id.value) {
    shown = '';
    soon();
  }
  ['input', 'change', 'client-picked'].forEach(function (name) { form.addEventListener(name, soon); });
})();
