// Runs a gateway's test without leaving the page, so that what is typed beside it stays. Without this script the page is
// shown again with the answer. The server writes the answer; nothing is decided here.
(function () {
  'use strict';

  var form = document.querySelector('[data-send-test]');
  if (!form) return;
  var button = form.querySelector('button'), words = form.querySelector('[data-test-state]');
  var bar = form.querySelector('[data-test-progress]'), result = document.querySelector('[data-test-result]');
  var settings = document.querySelector('[data-saved-apart]'), isChanged = false;
  if (settings) settings.addEventListener('input', function () { isChanged = true; });

  function rest(said, isBad) {
    button.disabled = false;
    bar.hidden = true;
    words.textContent = said;
    words.classList.toggle('bad', Boolean(isBad));
  }

  form.addEventListener('submit', function (event) {
    event.preventDefault();
    if (button.disabled) return;
    button.disabled = true;
    bar.hidden = false;
    result.textContent = '';
    words.classList.remove('bad');
    words.textContent = 'The test is running …' + (isChanged ? ' What you changed and did not save is not part of it.' : '');
    fetch(form.action.split('#')[0], {
      method: 'POST', body: new FormData(form), headers: { Accept: 'application/json' }, credentials: 'same-origin'
    }).then(function (answer) {
      return answer.json().then(function (body) {
        if (!answer.ok) throw new Error(body.detail);
        rest('');
        result.innerHTML = body.panel;
        result.focus();
      });
    }).catch(function (error) {
      rest((error.message || 'The page could not reach us.') + ' Try again in a moment.', true);
    });
  });
})();
