// Buttons that copy the field which their data-copy names; also those that come into the page later.
(function () {
  'use strict';

  document.addEventListener('click', function (event) {
    var button = event.target.closest('[data-copy]');
    if (!button) return;
    var field = document.getElementById(button.dataset.copy);
    field.select();
    (navigator.clipboard ? navigator.clipboard.writeText(field.value) : Promise.reject()).catch(function () {
      return document.execCommand('copy');
    }).then(function () { button.textContent = 'Copied'; });
  });
})();
