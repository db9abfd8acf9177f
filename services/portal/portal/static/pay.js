// Paying by card: the server begins the payment, the card is typed into Stripe's field, the server says what became
// of it. Saving a card is the same without an amount. Nothing here sees a card number, and no amount is decided here.
(function () {
  'use strict';

  var form = document.getElementById('pay');
  if (!form) return;
  var what = document.getElementById('what'), box = document.getElementById('card-box');
  var state = document.getElementById('pay-state'), start = document.getElementById('start');
  var confirm = document.getElementById('confirm'), back = document.getElementById('back');
  var begun = null, stripe = null, elements = null;
  var typed = null; // the card of a telephone order whose outcome is not known

  function say(words, isBad) {
    state.textContent = words || '';
    state.classList.toggle('bad', Boolean(isBad));
  }

  function offer(words, url) {
    var link = document.createElement('a');
    link.href = url;
    link.textContent = words;
    state.append(' ', link);
  }

  function busy(isBusy) {
    form.setAttribute('aria-busy', String(isBusy));
    [start, confirm, back].forEach(function (button) { button.disabled = isBusy; });
  }

  function ask(path, more) {
    var said = new FormData(form);
    Object.keys(more || {}).forEach(function (name) { said.set(name, more[name]); });
    return fetch(path, {
      method: 'POST', body: said, headers: { Accept: 'application/json' }, credentials: 'same-origin'
    }).then(function (response) {
      return response.json().then(function (body) {
        if (response.ok) return body;
        var error = new Error(body.detail || 'It did not work. Try again.');
        error.isRefusal = response.status < 500; // otherwise nobody knows what became of it
        throw error;
      });
    });
  }

  function showCard() {
    stripe = window.Stripe(begun.publishable_key);
    elements = stripe.elements(begun.order_path ? {
      mode: 'payment', amount: begun.amount_minor, currency: begun.currency, paymentMethodTypes: ['card'],
      paymentMethodCreation: 'manual'
    } : { clientSecret: begun.client_secret });
    elements.create('payment').mount('#card');
    document.getElementById('card-title').textContent = begun.is_to_save ? 'Card to save' : 'Card for ' + begun.money;
    confirm.textContent = begun.is_to_save ? 'Save card' : 'Pay ' + begun.money;
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
    ask(form.dataset.start).then(function (answer) {
      if (answer.go_to) return location.assign(answer.go_to);
      begun = answer;
      say('');
      showCard();
    }).catch(function (error) { say(error.message, true); }).then(function () { busy(false); });
  });

  // Staff typed the card for a client who is not there: the server charges it, and marks it so.
  function order() {
    (typed ? Promise.resolve({ paymentMethod: { id: typed } }) : elements.submit().then(function (checked) {
      return checked.error ? checked : stripe.createPaymentMethod({ elements: elements });
    })).then(function (made) {
      if (made.error) return say(made.error.message, true);
      typed = made.paymentMethod.id; // until it is known what became of it: asked again, it is charged once
      return ask(begun.order_path, { payment_method: typed, amount_minor: begun.amount_minor }).then(function (answer) {
        if (answer.go_to) {
          location.assign(answer.go_to);
          return new Promise(function () {}); // the page is left
        }
        if (answer.is_final) typed = null;
        say(answer.words, true);
        if (answer.finish_url) offer('Open the link here', answer.finish_url);
      }, function (error) {
        if (error.isRefusal) typed = null;
        say(typed ? 'It is not known whether the card was charged. “Ask again” finds out, and cannot charge twice.'
          : error.message, true);
      });
    }).catch(function () {
      say('The card could not be read. Try again.', true);
    }).then(function () {
      busy(false);
      back.hidden = document.getElementById('card').hidden = Boolean(typed);
      confirm.textContent = typed ? 'Ask again' : 'Pay ' + begun.money;
    });
  }

  confirm.addEventListener('click', function () {
    busy(true);
    say(begun.is_to_save ? 'Saving …' : 'Paying …');
    if (begun.order_path) return order();
    stripe[begun.is_to_save ? 'confirmSetup' : 'confirmPayment']({
      elements: elements,
      clientSecret: begun.client_secret,
      confirmParams: { return_url: new URL(begun.return_path, location.href).href },
      redirect: 'if_required'
    }).then(function (result) {
      if (!result.error) return location.assign(begun.done_path || begun.return_path);
      say(result.error.message || (begun.is_to_save ? 'The card was not saved.' : 'The card was not charged.') +
        ' Try again, or use another card.', true);
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
