// After a payment: the balance follows within moments, a bank may take longer. Ask again for a while, and say so.
(function () {
  'use strict';

  var place = document.getElementById('paid');
  if (!place) return;
  var left = 20, balance = document.getElementById('balance'), first = balance && balance.textContent;

  function set(id, words) {
    var node = document.getElementById(id);
    if (node && words && node.textContent !== words) node.textContent = words;
  }

  function look() {
    fetch(place.dataset.look || location.href, { headers: { Accept: 'application/json' }, credentials: 'same-origin' })
      .then(function (response) { return response.ok ? response.json() : null; })
      .then(function (now) {
        if (!now) return again();
        set('title', now.title);
        set('detail', now.detail);
        set('balance', now.balance);
        document.getElementById('answer').className = 'answer ' + now.tone;
        var receipt = document.getElementById('receipt');
        if (receipt && now.receipt) { receipt.href = now.receipt.url; receipt.hidden = false; }
        // After the payment is recorded, the balance still has a step to go.
        if (!now.is_final || (balance && balance.textContent === first)) again();
      }).catch(again);
  }

  function again() {
    left -= 1;
    if (left > 0) setTimeout(look, left > 12 ? 500 : 3000);
  }

  again();
})();
