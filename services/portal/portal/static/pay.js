// Paying by card: the server begins the payment, the card is typed into Stripe's field, the server says what became
// of it. Nothing here sees a card number, and no amount is decided here.
(function () {
  'use strict';

  var form = document.getElementById('pay');
  if (!form) return;
  var what = document.getElementById('what'), box = document.getElementById('card-box');
  var state = document.getElementById('pay-state'), start = document.getElementById('start');
  var confirm = document.getElementById('confirm'), back = document.getElementById('back');
  var begun = null, stripe = null, elements = null;

  function say(words, isBad) {
    state.textContent = words || '';
    state.classList.toggle('bad', Boolean(isBad));
  }

  function busy(isBusy) {
    form.setAttribute('aria-busy', String(isBusy));
    [start, confirm, back].forEach(function (button) { button.disabled = isBusy; });
  }

  function ask() {
    return fetch(form.dataset.start, {
      method: 'POST', body: new FormData(form), headers: { Accept: 'application/json' }, credentials: 'same-origin'
    }).then(function (response) {
      return response.json().then(function (body) {
        if (!response.ok) throw new Error(body.detail || 'It did not work. Try again.');
        return body;
      });
    });
  }

  function showCard() {
    stripe = window.Stripe(begun.publishable_key);
    elements = stripe.elements({ clientSecret: begun.client_secret });
    elements.create('payment').mount('#card');
    document.getElementById('card-title').textContent = 'Card for ' + begun.money;
    confirm.textContent = 'Pay ' + begun.money;
    what.hidden = true;
    box.hidden = false;
    document.getElementById('card-title').focus();
  }

  form.addEventListener('submit', function (event) {
    // A saved card is charged by the server: that button submits the form as it is.
    if (event.submitter && event.submitter !== start) return;
    event.preventDefault();
    if (!window.Stripe) return say('The payment service could not be loaded. Reload the page to try again.', true);
    busy(true);
    say('One moment …');
    ask().then(function (answer) {
      if (answer.go_to) return location.assign(answer.go_to);
      begun = answer;
      say('');
      showCard();
    }).catch(function (error) { say(error.message, true); }).then(function () { busy(false); });
  });

  confirm.addEventListener('click', function () {
    busy(true);
    say('Paying …');
    stripe.confirmPayment({
      elements: elements,
      clientSecret: begun.client_secret,
      confirmParams: { return_url: new URL(begun.return_path, location.href).href },
      redirect: 'if_required'
    }).then(function (result) {
      if (!result.error) return location.assign(begun.return_path);
      say(result.error.message || 'The card was not charged. Try again, or use another card.', true);
      busy(false);
    }).catch(function () {
      // Nobody knows what became of it; the server asks.
      location.assign(begun.return_path);
    });
  });

  back.addEventListener('click', function () {
    say('');
    document.getElementById('card').replaceChildren();
    box.hidden = true;
    what.hidden = false;
    start.focus();
  });

  // Typing an amount means that amount, not the invoice that was chosen.
  var amount = document.getElementById('amount'), other = document.getElementById('other');
  if (amount && other) amount.addEventListener('input', function () { other.checked = true; });
})();
