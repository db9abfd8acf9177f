// A stand-in for Stripe.js: the calls a payment page makes, against the sandbox that served this file.
// The Payment Element is a plain form in the page itself (Stripe's is a frame of its own), so that a test can fill it.
(function () {
  'use strict';

  var API = new URL(document.currentScript.src).href.replace(/\/js\/v3\/.*$/, '');
  var ELEMENT_STYLE =
    '.sandbox-stripe{border:1px solid #888;border-radius:6px;padding:12px;display:grid;gap:8px;font:inherit}' +
    '.sandbox-stripe label{display:grid;gap:4px}.sandbox-stripe input{font:inherit;padding:6px}' +
    '.sandbox-stripe-bank{position:fixed;inset:0;background:#0008;display:grid;place-items:center;z-index:9999}' +
    '.sandbox-stripe-bank>div{background:#fff;color:#111;padding:24px;border-radius:8px;display:grid;gap:12px}';
  var FIELDS = [
    { name: 'number', label: 'Card number', autocomplete: 'cc-number', hint: '4242 4242 4242 4242' },
    { name: 'expiry', label: 'Expiration date (MM / YY)', autocomplete: 'cc-exp', hint: '12 / 34' },
    { name: 'cvc', label: 'CVC', autocomplete: 'cc-csc', hint: '123' }
  ];
  var count = 0, style = null;

  function make(tag, attributes, children) {
    var node = document.createElement(tag);
    Object.keys(attributes || {}).forEach(function (name) { node.setAttribute(name, attributes[name]); });
    (children || []).forEach(function (child) { node.append(child); });
    return node;
  }

  // {a: {b: 1}} becomes a[b]=1, as Stripe's API reads forms.
  function flatten(values, prefix, into) {
    Object.keys(values).forEach(function (name) {
      var value = values[name], whole = prefix ? prefix + '[' + name + ']' : name;
      if (value === undefined || value === null) return;
      if (typeof value === 'object') flatten(value, whole, into); else into.append(whole, String(value));
    });
    return into;
  }

  // Answers {object} or {error}, never rejects: Stripe.js tells errors in its answers.
  function ask(key, method, path, values) {
    var form = flatten(Object.assign({ key: key }, values), '', new URLSearchParams());
    var url = API + '/v1/' + path, options = { method: method };
    if (method === 'GET') url += '?' + form; else options.body = form;
    return fetch(url, options).then(function (response) {
      return response.json().then(function (body) {
        return response.ok ? { object: body } : { error: body.error };
      });
    }).catch(function () {
      return { error: { type: 'api_connection_error', message: 'The payment service could not be reached.' } };
    });
  }

  function isSetup(secret) { return secret.indexOf('seti_') === 0; }
  function idOf(secret) { return secret.split('_secret_')[0]; }
  function pathOf(secret) { return (isSetup(secret) ? 'setup_intents/' : 'payment_intents/') + idOf(secret); }

  // --- elements ---

  function PaymentElement(elements, options) {
    this._elements = elements;
    this._options = options || {};
    this._listeners = {};
    this._inputs = {};
    this._node = null;
  }
  PaymentElement.prototype.on = function (event, listener) {
    (this._listeners[event] = this._listeners[event] || []).push(listener);
    return this;
  };
  PaymentElement.prototype.off = function (event) { delete this._listeners[event]; return this; };
  PaymentElement.prototype._tell = function (event, value) {
    (this._listeners[event] || []).forEach(function (listener) { listener(value); });
  };
  PaymentElement.prototype.mount = function (place) {
    var self = this, target = typeof place === 'string' ? document.querySelector(place) : place;
    if (!target) throw new Error('The selector you specified (' + place + ') applies to no DOM elements.');
    if (!style) { // a sheet of the script's own: a page that forbids inline styles allows it
      style = new CSSStyleSheet();
      style.replaceSync(ELEMENT_STYLE);
      document.adoptedStyleSheets = document.adoptedStyleSheets.concat(style);
    }
    this._node = make('div', { class: 'sandbox-stripe', role: 'group', 'aria-label': 'Card' });
    FIELDS.forEach(function (field) {
      var id = 'sandbox-stripe-' + field.name + '-' + (++count);
      var input = make('input', { id: id, type: 'text', inputmode: 'numeric', autocomplete: field.autocomplete,
        placeholder: field.hint, required: '', 'aria-describedby': id + '-error' });
      var problem = make('span', { id: id + '-error', role: 'alert' });
      input.addEventListener('input', function () { problem.textContent = ''; self._changed(); });
      self._inputs[field.name] = { input: input, problem: problem };
      self._node.append(make('label', { for: id }, [field.label, input]), problem);
    });
    target.replaceChildren(this._node);
    setTimeout(function () { self._tell('ready', { elementType: 'payment' }); }, 0);
    return this;
  };
  PaymentElement.prototype.unmount = function () { if (this._node) this._node.remove(); this._node = null; };
  PaymentElement.prototype.destroy = PaymentElement.prototype.unmount;
  PaymentElement.prototype.update = function (options) { Object.assign(this._options, options); };
  PaymentElement.prototype.focus = function () { this._inputs.number.input.focus(); };
  PaymentElement.prototype.blur = function () { document.activeElement.blur(); };
  PaymentElement.prototype.clear = function () {
    var inputs = this._inputs;
    Object.keys(inputs).forEach(function (name) { inputs[name].input.value = ''; });
  };
  PaymentElement.prototype._value = function (name) { return this._inputs[name].input.value.trim(); };
  PaymentElement.prototype._changed = function () {
    var self = this, filled = FIELDS.map(function (field) { return self._value(field.name); });
    this._tell('change', { elementType: 'payment', complete: !this._problems(), empty: !filled.join(''),
      collapsed: false, value: { type: 'card' } });
  };
  // What is wrong with the form: {name: message}, or null.
  PaymentElement.prototype._problems = function () {
    var found = {};
    if (!/^\d{12,19}$/.test(this._value('number').replace(/[ -]/g, ''))) found.number = 'Your card number is incomplete.';
    if (!/^\d{1,2} ?\/ ?(\d{2}|\d{4})$/.test(this._value('expiry'))) {
      found.expiry = 'Your card’s expiration date is incomplete.';
    }
    if (!/^\d{3,4}$/.test(this._value('cvc'))) found.cvc = 'Your card’s security code is incomplete.';
    return Object.keys(found).length ? found : null;
  };
  // Shows what is wrong; answers {error} or {}.
  PaymentElement.prototype._submit = function () {
    var found = this._problems() || {}, inputs = this._inputs;
    Object.keys(inputs).forEach(function (name) {
      inputs[name].problem.textContent = found[name] || '';
      inputs[name].input.setAttribute('aria-invalid', String(name in found));
    });
    var first = Object.keys(found)[0];
    if (!first) return { selectedPaymentMethod: 'card' };
    inputs[first].input.focus();
    return { error: { type: 'validation_error', code: 'incomplete_' + first, message: found[first] } };
  };
  PaymentElement.prototype._data = function () {
    var date = this._value('expiry').split('/'), billing = (this._options.defaultValues || {}).billingDetails;
    return { type: 'card', billing_details: billing, card: {
      number: this._value('number').replace(/[ -]/g, ''), exp_month: Number(date[0]), exp_year: Number(date[1]),
      cvc: this._value('cvc')
    } };
  };

  function Elements(options) {
    this._options = options || {};
    this._element = null;
  }
  Elements.prototype.create = function (kind, options) {
    if (kind !== 'payment') throw new Error('The sandbox has the Payment Element only, not ' + kind + '.');
    this._element = new PaymentElement(this, options);
    return this._element;
  };
  Elements.prototype.getElement = function () { return this._element; };
  Elements.prototype.update = function (options) { Object.assign(this._options, options); };
  Elements.prototype.fetchUpdates = function () { return Promise.resolve({}); };
  Elements.prototype.submit = function () { return Promise.resolve(this._element._submit()); };

  // --- 3-D Secure ---

  // Shows the bank's question over the page; answers "succeeded" or "failed".
  function bank() {
    return new Promise(function (resolve) {
      var complete = make('button', { type: 'button' }, ['Complete']), fail = make('button', { type: 'button' }, ['Fail']);
      var box = make('div', { class: 'sandbox-stripe-bank', role: 'dialog', 'aria-modal': 'true',
        'aria-label': '3-D Secure' }, [make('div', {}, [
        make('p', {}, ['Your bank wants to make sure that the card is yours (3-D Secure).']), complete, fail])]);
      function close(outcome) { box.remove(); resolve(outcome); }
      complete.addEventListener('click', function () { close('succeeded'); });
      fail.addEventListener('click', function () { close('failed'); });
      document.body.append(box);
      complete.focus();
    });
  }

  function named(secret, answer) {
    if (answer.error) return { error: answer.error };
    var name = isSetup(secret) ? 'setupIntent' : 'paymentIntent', found = {};
    var failure = answer.object.last_payment_error || answer.object.last_setup_error;
    if (answer.object.status === 'requires_payment_method' && failure) {
      return { error: Object.assign({ payment_intent: answer.object, setup_intent: answer.object }, failure) };
    }
    found[name] = answer.object;
    return found;
  }

  // Goes on with an intent that waits for the client.
  function handle(key, secret, answer) {
    if (answer.error || answer.object.status !== 'requires_action') return Promise.resolve(named(secret, answer));
    return bank().then(function (outcome) {
      var values = { source: idOf(secret), client_secret: secret, outcome: outcome };
      return ask(key, 'POST', '3ds2/authenticate', values);
    }).then(function (done) { return named(secret, done); });
  }

  function leave(secret, result, returnUrl) {
    var name = isSetup(secret) ? 'setup_intent' : 'payment_intent', url = new URL(returnUrl, location.href);
    var intent = result.paymentIntent || result.setupIntent;
    url.searchParams.set(name, idOf(secret));
    url.searchParams.set(name + '_client_secret', secret);
    url.searchParams.set('redirect_status', intent.status === 'requires_payment_method' ? 'failed' : intent.status);
    location.assign(url.href);
    return new Promise(function () {}); // the page is left
  }

  function confirm(key, options) {
    var elements = options.elements, params = options.confirmParams || {};
    var secret = options.clientSecret || elements._options.clientSecret;
    var values = { client_secret: secret, use_stripe_sdk: true, return_url: params.return_url };
    if (!secret) return Promise.reject(new Error('A client secret is needed: elements({clientSecret}).'));
    if (options.redirect !== 'if_required' && !params.return_url) {
      return Promise.reject(new Error('confirmParams.return_url is needed unless redirect is "if_required".'));
    }
    if (params.payment_method) values.payment_method = params.payment_method;
    else {
      var checked = elements._element._submit();
      if (checked.error) return Promise.resolve(checked);
      values.payment_method_data = elements._element._data();
      if (params.payment_method_data) Object.assign(values.payment_method_data, params.payment_method_data);
    }
    return ask(key, 'POST', pathOf(secret) + '/confirm', values).then(function (answer) {
      return handle(key, secret, answer);
    }).then(function (result) {
      return result.error || options.redirect === 'if_required' ? result : leave(secret, result, params.return_url);
    });
  }

  // --- Stripe(key) ---

  function retrieve(key, secret) {
    return ask(key, 'GET', pathOf(secret), { client_secret: secret }).then(function (answer) {
      if (answer.error) return answer;
      return isSetup(secret) ? { setupIntent: answer.object } : { paymentIntent: answer.object };
    });
  }

  function Stripe(key) {
    if (typeof key !== 'string' || !/^pk_(test|live)_/.test(key)) {
      throw new Error('Stripe() needs a publishable key: pk_test_… or pk_live_…');
    }
    return {
      elements: function (options) { return new Elements(options); },
      confirmPayment: function (options) { return confirm(key, options); },
      confirmSetup: function (options) { return confirm(key, options); },
      retrievePaymentIntent: function (secret) { return retrieve(key, secret); },
      retrieveSetupIntent: function (secret) { return retrieve(key, secret); },
      handleNextAction: function (options) {
        return ask(key, 'GET', pathOf(options.clientSecret), { client_secret: options.clientSecret })
          .then(function (answer) { return handle(key, options.clientSecret, answer); });
      },
      createPaymentMethod: function (options) {
        var checked = options.elements._element._submit();
        if (checked.error) return Promise.resolve(checked);
        return ask(key, 'POST', 'payment_methods', options.elements._element._data()).then(function (answer) {
          return answer.error ? answer : { paymentMethod: answer.object };
        });
      }
    };
  }
  Stripe.version = 'sandbox';
  window.Stripe = Stripe;
})();
