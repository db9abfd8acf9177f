// Shows beside a form what its values mean, while they are typed. Without this script a button asks for it. The server
// writes it; nothing is decided here.
(function () {
  'use strict';

  var form = document.querySelector('[data-beside]');
  if (!form) return;
  var panel = document.getElementById(form.dataset.panel);
  var timer = null, asked = 0;

  function look() {
    var number = ++asked;
    fetch(form.dataset.beside, {
      method: 'POST', body: new FormData(form), headers: { Accept: 'application/json' }, credentials: 'same-origin'
    }).then(function (answer) {
      return answer.json().then(function (body) {
        if (!answer.ok) throw new Error(body.detail);
        return body.panel;
      });
    }).then(function (html) {
      if (number === asked) panel.innerHTML = html;
    }).catch(function () {
      if (number === asked) panel.textContent = 'It cannot be shown right now. Saving checks it as well.';
    });
  }

  ['input', 'change'].forEach(function (name) {
    form.addEventListener(name, function () {
      clearTimeout(timer);
      timer = setTimeout(look, 300);
    });
  });
})();
